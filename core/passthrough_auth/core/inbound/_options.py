"""Options from a framework's settings: by name, with functions also as dotted paths."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from passthrough_auth.core.errors import ConfigurationError

from ._gate import GateOptions

OPTION_NAMES = tuple(sorted(GateOptions.__optional_keys__))
NOWHERE: Mapping[str, str] = {}
_EXAMPLES = {
    "header_extractors": "myproject.auth.extract_token",
    "bindings": "passthrough_auth.clients.flyte.bind_flyte",
    "on_refusal": "myproject.auth.to_login",
}


def options_from(
    settings: Mapping[str, object],
    *,
    source: str,
    names: Collection[str] = OPTION_NAMES,
    elsewhere: Mapping[str, str] = NOWHERE,
) -> GateOptions:
    """The options in a settings mapping, with dotted paths imported.

    `source` is the name of the settings in messages, such as `settings.PASSTHROUGH_AUTH`; `names`
    and `elsewhere` are those of `check_option_names`. Raises `ConfigurationError` for an unknown
    option, or a dotted path that can't be imported.
    """
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f"{source} is a dict of options, not {type(settings).__name__}")
    check_option_names(settings, source=source, names=names, elsewhere=elsewhere)
    options: dict[str, Any] = dict(settings)
    for name in ("header_extractors", "bindings"):
        given = options.get(name)
        if isinstance(given, Iterable) and not isinstance(given, str):
            items = cast("Iterable[object]", given)
            options[name] = [_resolved(item, source, name) for item in items]
    if "on_refusal" in options:
        options["on_refusal"] = _resolved(options["on_refusal"], source, "on_refusal")
    return cast("GateOptions", options)


def check_option_names(
    options: Mapping[str, object],
    *,
    source: str,
    names: Collection[str] = OPTION_NAMES,
    elsewhere: Mapping[str, str] = NOWHERE,
) -> None:
    """Raise `ConfigurationError` for an unknown option, and suggest a similar one.

    `elsewhere` has the advice for options that only another framework has.
    """
    for name in options:
        if name in elsewhere:
            raise ConfigurationError(f"{source} has no option {name!r}: {elsewhere[name]}")
        if name not in names:
            raise ConfigurationError(f"{source} has no option {name!r}{_suggestion(name, names)}")


def _suggestion(name: object, names: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(str(name).lower(), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f". The options are {', '.join(names)}"


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
