"""The README's app on three frameworks, and the commands that serve it."""

import itertools
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.docs.blocks import blocks

from passthrough_auth.testing.servers import server, serving

README = blocks("python", "sh", "console", page="README.md")

# The options for each server's address, in addition to the README's command.
LISTEN = {
    "uvicorn": lambda at: ["--host", at.host, "--port", str(at.port)],
    "waitress-serve": lambda at: ["--host", at.host, "--port", str(at.port)],
    "gunicorn": lambda at: ["--bind", f"{at.host}:{at.port}"],
}
OBSERVED_AS = {
    "uvicorn": "uvicorn-h11-asyncio",
    "waitress-serve": "waitress",
    "gunicorn": "gunicorn-sync",
}


@dataclass(frozen=True)
class Example:
    """One of the three apps, and the README's command that serves it."""

    framework: str
    source: str
    command: str

    def served(self, directory, change=None):
        """Serve it as in the README, from a file in that directory, after an optional change."""
        (directory / "app.py").write_text(change(self.source) if change else self.source)
        return serving(self._server(), "app", cwd=directory)

    def _server(self):
        program, *arguments = shlex.split(self.command)

        def command(launch):
            # Options come first, because the app is the last argument of each command.
            beside = Path(sys.executable).with_name(program)
            return [str(beside), *arguments[:-1], *LISTEN[program](launch), arguments[-1]]

        return replace(server(OBSERVED_AS[program]), command=command)


def examples():
    """Each app with the commands in the block after it. The last line serves the app."""
    pairs = itertools.pairwise(README)
    for framework, (app, commands) in zip(
        ("FastAPI", "Flask", "Django"),
        [pair for pair in pairs if pair[0].language == "python" and _serves(pair[1])],
        strict=True,
    ):
        yield Example(framework, app.source, commands.commands()[-1])


def _serves(block):
    """Whether the last command of a shell block starts a server."""
    return block.language == "sh" and block.commands()[-1].split()[0] in LISTEN


EXAMPLES = list(examples())
