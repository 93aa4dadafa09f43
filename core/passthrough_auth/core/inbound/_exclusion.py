"""The rules for public paths.

When in doubt, a path is not public: a path that a router might read in more than one way matches no
rule, so its request needs credentials.
"""

import re
from collections.abc import Iterable
from typing import cast, final

from passthrough_auth.core._checking import checked_collection
from passthrough_auth.core.errors import ConfigurationError

PathRule = str | re.Pattern[str]

# Characters and sequences that routers, proxies and filesystems read in different ways, or that
# indicate an undecodable (U+FFFD), twice-encoded (%) or truncated (?, #, ;) path.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\%?#;\ufffd\ud800-\udfff]|//|/\.\.?(?:/|\Z)")


# The notations for a part of a path in the routes of different frameworks, and anchors.
_PATTERN_LIKE = re.compile(
    r"\A\^|\$\Z|/:\w|\{\w+(?::[^}]*)?\}|<[^>]+>|\[[^\]]+\][+*?]|\([^)]*\|[^)]*\)|\.\+|\\[dw]"
)
# A pattern that begins with a letter or digit, perhaps within groups, fits no path.
_WITHOUT_A_SLASH = re.compile(r"(?:\^|\\A|\(\?:|\(\?P<\w+>|\()*(?:\w|\\[dw])")


def is_unambiguous(path: str) -> bool:
    """Whether every router would read this path in the same way."""
    return path.startswith("/") and _AMBIGUOUS.search(path) is None


@final
class PathRules:
    """A set of public paths. The rules are checked on construction.

    - `"/health"` matches exactly that path: not `/health/`, not `/HEALTH`.
    - `"/public/*"` matches every path that begins with `/public/`.
    - A compiled pattern must match the whole path (`fullmatch`).

    A lookup costs the same for one string rule as for ten thousand. Patterns are tried one after
    the other.

    Raises `ConfigurationError` for an invalid rule.
    """

    __slots__ = ("_by_form", "_deepest", "_exact", "_patterns", "_subtrees")

    def __init__(self, rules: Iterable[PathRule] = ()) -> None:
        listed = checked_collection("excluded_paths", rules, _example(rules))
        checked = [_checked_rule(rule) for rule in listed]
        strings = [rule for rule in checked if isinstance(rule, str)]
        subtrees = {rule[:-2] for rule in strings if rule.endswith("/*")}
        self._exact = frozenset(rule for rule in strings if not rule.endswith("/*"))
        self._by_form = {_form(rule): rule for rule in self._exact if rule != "/"}
        self._subtrees = frozenset(subtrees)
        self._deepest = max((rule.count("/") + 1 for rule in subtrees), default=0)
        self._patterns = tuple(rule for rule in checked if isinstance(rule, re.Pattern))

    def match(self, path: str | None) -> bool:
        """Whether the path is public. None stands for an undecodable path, which never is."""
        if path is None:
            return False
        # Exact rules were checked for ambiguity on construction, so an equal path is unambiguous.
        if path in self._exact:
            return True
        if not self._subtrees and not self._patterns:
            return False
        if not self._in_subtree(path) and not self._fits_pattern(path):
            return False
        return is_unambiguous(path)

    def _in_subtree(self, path: str) -> bool:
        slash = -1
        for _ in range(self._deepest):
            slash = path.find("/", slash + 1)
            if slash < 0:
                return False
            if path[:slash] in self._subtrees:
                return True
        return False

    def _fits_pattern(self, path: str) -> bool:
        return any(pattern.fullmatch(path) for pattern in self._patterns)

    def nearest(self, path: str | None) -> str | None:
        """The string rule that looks most like this path, for messages; None if none does."""
        # Imported here: only a log at DEBUG asks.
        from difflib import get_close_matches

        rules = [*sorted(self._exact), *(f"{rule}/*" for rule in sorted(self._subtrees))]
        lowered = {rule.lower(): rule for rule in reversed(rules)}
        close = get_close_matches((path or "").lower(), lowered, n=1)
        return lowered[close[0]] if close else None

    def differs_in_form(self, path: str | None) -> str | None:
        """The rule that is this path but for its case or a slash at the end; None without one."""
        return self._by_form.get(_form(path or ""))

    def __repr__(self) -> str:
        subtrees = [f"{rule}/*" for rule in self._subtrees]
        patterns = [pattern.pattern for pattern in self._patterns]
        return f"<PathRules {' '.join(sorted([*self._exact, *subtrees, *patterns]))}>"


def _form(path: str) -> str:
    return path.rstrip("/").lower()


def _example(given: object) -> str:
    """The line to write instead of a single rule, or an example instead of another object."""
    return f"{{{given!r}}}" if isinstance(given, str | re.Pattern) else "{'/health'}"


def _checked_rule(rule: object) -> PathRule:
    if isinstance(rule, re.Pattern):
        pattern = cast("re.Pattern[str]", rule)
        if not isinstance(pattern.pattern, str):
            raise ConfigurationError(f"{rule!r} matches bytes; paths are text: compile a str")
        if _WITHOUT_A_SLASH.match(pattern.pattern):
            raise ConfigurationError(
                f"{rule!r} never matches: a pattern must match the whole path, which begins with a "
                f"slash. Write re.compile({'/' + pattern.pattern.lstrip('^')!r})"
            )
        return pattern
    if not isinstance(rule, str):
        raise ConfigurationError(
            f"a path rule is a string such as '/health' or a compiled pattern, not {rule!r}"
        )
    _check_string(rule)
    return rule


def _as_pattern(rule: str) -> str:
    """A pattern for a rule that looks like a route: any segment in place of each parameter."""
    return re.sub(r"/:\w+", "/[^/]+", re.sub(r"\{[^}]*\}|<[^>]+>", "[^/]+", rule.strip("^$")))


def _check_string(rule: str) -> None:
    if "://" in rule:
        raise ConfigurationError(
            f"the path rule {rule!r} is a URL: write its path alone, as in '/health'"
        )
    if _PATTERN_LIKE.search(rule):
        raise ConfigurationError(
            f"the path rule {rule!r} looks like a route or a regular expression, and rules are "
            "literal. Give a compiled pattern, which must match the whole path: "
            f"re.compile(r'{_as_pattern(rule)}')"
        )
    if rule in ("", "*"):
        raise ConfigurationError(
            f"the path rule {rule!r} names no path: write '/' for the root alone, or '/public/*' "
            "for everything below one"
        )
    method, _, path = rule.partition(" ")
    if method.isupper() and path.startswith("/"):
        raise ConfigurationError(
            f"the path rule {rule!r} names a method, and a path is public for every method: write "
            f"{path!r}"
        )
    if not rule.startswith("/"):
        meant = f"/{rule.strip().lstrip('/')}"
        raise ConfigurationError(f"the path rule {rule!r} needs a leading slash: {meant!r}")
    fixed = rule.removesuffix("/*")
    if "*" in fixed:
        raise ConfigurationError(
            f"'*' may only be the whole last segment of a path rule, as in '/public/*', not "
            f"{rule!r}. For anything else give a compiled pattern, which must match the whole path"
        )
    ambiguous = _AMBIGUOUS.search(fixed + "/" if rule != fixed else fixed)
    if ambiguous:
        raise ConfigurationError(
            f"the path rule {rule!r} holds {ambiguous.group()!r}: no request path with it ever "
            "matches. Write the path as your router sees it, decoded, without query string, empty "
            "or dot segments"
        )
