"""Why a request was refused, for the app's author: in the log at DEBUG, and never in the answer.

Names only: of headers, cookies, extractors and rules. No value that a client sent, but for the path
and the method, which every access log has.
"""

import sys
from collections.abc import Callable, Iterable

from passthrough_auth.core._credential_rules import Rule, problem_with
from passthrough_auth.core._log import logger
from passthrough_auth.core.errors import MalformedCredential

from ._exclusion import PathRules
from ._extraction import HeaderExtractor, Reads, describe, what_it_reads
from ._refusal import Refusal
from ._request import Request

RuleFor = Callable[[str], Rule]
_DEBUG = 10


def is_asked() -> bool:
    """Whether someone reads the reasons. Without `logging`, nobody does."""
    return "logging" in sys.modules and logger().isEnabledFor(_DEBUG)


def log_why(
    request: Request,
    refusal: Refusal,
    paths: PathRules,
    extractors: Iterable[tuple[HeaderExtractor, HeaderExtractor]],
    rule_for: RuleFor,
) -> None:
    """Log one record about a request that gets this refusal.

    `extractors` are those that the app gave, each with the function that the gate asks. `rule_for`
    is the gate's rule for the values of a header.
    """
    reasons = [
        f"{_name(given)} {_outcome(request, given, ask, rule_for)}" for given, ask in extractors
    ]
    nearest = paths.nearest(request.path)
    hint = "" if nearest is None else f"; nearest: {nearest!r}"
    logger().debug(
        "%s %r was refused with %s, %s. No rule of excluded_paths matches this path%s. Asked: %s",
        request.method,
        request.path,
        refusal.status,
        refusal.body.decode(),
        hint,
        "; ".join(reasons),
    )


def unread_header(request: Request, extractors: Iterable[HeaderExtractor]) -> str | None:
    """The warning for a request with an Authorization header that no extractor looks at."""
    if not request.lines("authorization"):
        return None
    reads = [what_it_reads(each) for each in extractors]
    if any(each is None or each.header == "authorization" for each in reads):
        return None
    return (
        "A request with an Authorization header was refused, as no extractor reads that header. "
        "If your callers send tokens, write header_extractors=[extract_bearer_token, ...]"
    )


def _name(extractor: HeaderExtractor) -> str:
    """The name that the app wrote: of a built-in one, that of the function which makes it."""
    name = describe(extractor)
    if what_it_reads(extractor) is not None:
        name = name.partition(".<locals>")[0]
    return name.rpartition(".")[2]


def _outcome(
    request: Request, given: HeaderExtractor, ask: HeaderExtractor, rule_for: RuleFor
) -> str:
    reads = what_it_reads(given)
    try:
        found = ask(request)
    except MalformedCredential as error:
        # The text of an app's own might have the value.
        return f"({error})" if reads else "raised MalformedCredential"
    if found is None:
        return "found nothing" if reads is None else _not_found(request, reads)
    name, value = found
    problem = "" if rule_for(name)(value) else f", which is malformed: {problem_with(name, value)}"
    del found, value  # a traceback with locals would show the value
    return f"found {name!r}{problem}"


def _not_found(request: Request, reads: Reads) -> str:
    if not request.lines(reads.header):
        return f"found nothing: there is no {reads.header!r} header"
    wanted = " or ".join(map(repr, reads.names))
    return f"found nothing: {reads.header!r} is there, and holds no {wanted or 'value'}"
