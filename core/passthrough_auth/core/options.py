"""Options from a framework's settings: by name, with functions also as dotted paths."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from .errors import ConfigurationError
from .gate import GateOptions

OPTION_NAMES = tuple(sorted(GateOptions.__optional_keys__))
_EXAMPLES = {
    "header_extractors": "myproject.auth.extract_token",
    "bindings": "passthrough_auth.clients.flyte.bind_flyte",
    "on_refusal": "myproject.auth.to_login",
}


def options_from(settings: Mapping[str, object], *, source: str) -> GateOptions:
    """The options in a settings mapping, with dotted paths imported.

    `source` is the name of the settings in messages, such as `settings.PASSTHROUGH_AUTH`. Raises
    `ConfigurationError` for an unknown option, or a dotted path that can't be imported.
    """
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f"{source} is a dict of options, not {type(settings).__name__}")
    check_option_names(settings, source=source)
    options: dict[str, Any] = dict(settings)
    for name in ("header_extractors", "bindings"):
        given = options.get(name)
        if isinstance(given, Iterable) and not isinstance(given, str):
            items = cast("Iterable[object]", given)
            options[name] = [_resolved(item, source, name) for item in items]
    if "on_refusal" in options:
        options["on_refusal"] = _resolved(options["on_refusal"], source, "on_refusal")
    return cast("GateOptions", options)


def check_option_names(options: Mapping[str, object], *, source: str) -> None:
    """Raise `ConfigurationError` for an unknown option, and suggest a similar one."""
    for name in options:
        if name not in OPTION_NAMES:
            raise ConfigurationError(f"{source} has no option {name!r}{_suggestion(name)}")


def refuse_preflight_option(options: Mapping[str, object], instead: str) -> None:
    """Refuse `allow_preflight` where a CORS layer can run first and answer preflights itself.

    A preflight has no credentials, anybody can send one, and many handlers also run for OPTIONS.
    """
    if options.get("allow_preflight"):
        raise ConfigurationError(
            f"allow_preflight would let handlers run without credentials here. {instead}, so that "
            "it answers preflights itself, and leave allow_preflight out"
        )


def _suggestion(name: object) -> str:
    import difflib

    close = difflib.get_close_matches(str(name).lower(), OPTION_NAMES, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f". The options are {', '.join(OPTION_NAMES)}"


def _resolved(item: object, source: str, option: str) -> Any:
    if not isinstance(item, str):
        return item
    import pkgutil

    try:
        return pkgutil.resolve_name(item)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{option} in {source}: {item!r} can't be imported ({error}). Write the dotted path of "
            f"a function, as in {_EXAMPLES[option]!r}, or the function itself"
        ) from error
