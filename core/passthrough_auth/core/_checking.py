"""Checks of option values. The error of a failed check explains what to write instead."""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from .errors import ConfigurationError


def checked_flag(option: str, given: object) -> bool:
    """The given True or False. Raises `ConfigurationError` for other truthy or falsy values."""
    if not isinstance(given, bool):
        raise ConfigurationError(f"{option} is True or False, not {given!r}")
    return given


def check_arguments(option: str, function: Callable[..., object], *names: str) -> None:
    """Raise `ConfigurationError` if the function can't be called with these arguments."""
    # Imported here: this takes longer than all of core, and only custom functions need it.
    import inspect

    try:
        inspect.signature(function).bind(*names)
    except ValueError:
        return  # some functions written in C have no signature
    except TypeError as error:
        raise ConfigurationError(
            f"{option} is called as ({', '.join(names)}), which it doesn't take: {error}"
        ) from None


def is_async(function: object) -> bool:
    """Whether calling it returns something to await or to iterate over asynchronously."""
    # Imported here: this takes longer than all of core, and only custom functions need it.
    import inspect

    call = getattr(function, "__call__", None)  # noqa: B004 - an async __call__ is async too
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, call)
    )


def not_destinations() -> ConfigurationError:
    """The error for another object than `Destinations`, such as a bare origin."""
    return ConfigurationError(
        "destinations takes Destinations: write Destinations('https://api.example.com')"
    )


def checked_collection(option: str, given: object, example: str) -> tuple[object, ...]:
    """The items of a collection. Text and mappings are iterable, but don't count as collections."""
    if isinstance(given, Mapping):
        shown = "a mapping"
    elif isinstance(given, str | bytes | int):
        shown = repr(given)
    elif isinstance(given, Iterable):
        return tuple(cast("Iterable[object]", given))
    else:
        shown = "one alone"  # its repr may be long and contain a memory address
    raise ConfigurationError(f"{option} takes a collection, not {shown}: write {example}")
