"""What an option was given, or the words that say what to write instead."""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from .errors import ConfigurationError


def checked_flag(option: str, given: object) -> bool:
    """True or False, and nothing that only passes for one."""
    if not isinstance(given, bool):
        raise ConfigurationError(f"{option} is True or False, not {given!r}")
    return given


def checked_arguments(option: str, function: Callable[..., object], *names: str) -> None:
    """Raise `ConfigurationError` for a function that can't be called with so many arguments."""
    # Imported here: it takes longer than all of core, and is for functions of an app's own.
    import inspect

    try:
        inspect.signature(function).bind(*names)
    except ValueError:
        return  # some functions written in C don't tell
    except TypeError as error:
        raise ConfigurationError(
            f"{option} is called as ({', '.join(names)}), which it doesn't take: {error}"
        ) from None


def checked_collection(option: str, given: object, example: str) -> tuple[object, ...]:
    """What a collection holds. Text and mappings can be iterated over, and are none."""
    if isinstance(given, Mapping):
        shown = "a mapping"
    elif isinstance(given, str | bytes | int):
        shown = repr(given)
    elif isinstance(given, Iterable):
        return tuple(cast("Iterable[object]", given))
    else:
        shown = "one alone"  # its repr may be long, and have an address in it
    raise ConfigurationError(f"{option} takes a collection, not {shown}: write {example}")
