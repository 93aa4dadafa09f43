"""Finding the places in which a framework keeps its sessions, and the error where they moved."""

from importlib.metadata import version
from pkgutil import resolve_name
from typing import Any

from passthrough_auth.core.errors import ConfigurationError


def found_in(package: str, name: str) -> Any:
    """The object of this name, as in "gradio.context:LocalContext.request".

    Raises `ConfigurationError` with the package's release if it has no such object. Without that,
    handlers would act as whoever's request happens to run them.
    """
    try:
        return resolve_name(name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"{package} {version(package)} keeps its sessions elsewhere than this release of "
            f"passthrough-auth looks: it has no {name}. Install a release of {package} that is "
            "listed in docs/interactive-apps.md, or do without the caller in its handlers: "
            "sessions=Sessions(hosts=[])"
        ) from error
