"""The credentials that arrive after redirects, measured: ours beside the plain libraries."""

from collections.abc import Callable

from tests.clients.drivers import driver
from tests.clients.plain import PLAIN, Plain
from tests.clients.suite import Bench, LocalWorld
from tests.clients.suite.cases import ALICE
from tests.clients.suite.model import CREDENTIAL_HEADERS

_LETTERS = {"authorization": "A", "cookie": "C", "x-team-token": "X"}

# name -> where the call begins, and where each redirect leads.
ROUTES = {
    "same origin": ("named", "named"),
    "another origin, named": ("named", "second"),
    "another host": ("named", "stranger"),
    "another port": ("named", "neighbour"),
    "https to http": ("named", "plain-neighbour"),
    "http to https": ("plain", "neighbour"),
    "elsewhere and back": ("named", "stranger", "named"),
}


def measured(world: LocalWorld) -> list[list[str]]:
    """The rows of the table, its head first: the credentials of the last hop of each route."""
    rows = [["library", "attached by", *ROUTES]]
    for plain in PLAIN:
        rows.append([plain.library, plain.way, *_along(world, _plain_get(world, plain))])
        if plain.way != "`headers=`":
            rows.append(
                [plain.library, "**passthrough-auth**", *_along(world, _ours(world, plain))]
            )
    return rows


def as_markdown(rows: list[list[str]]) -> str:
    """The rows as a table in Markdown."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _plain_get(world: LocalWorld, plain: Plain) -> Callable[[str], None]:
    return lambda url: plain.get(world, url, dict(ALICE))


def _ours(world: LocalWorld, plain: Plain) -> Callable[[str], None]:
    bench = Bench(driver(plain.library), world)

    def get(url: str) -> None:
        with bench.open() as client:
            bench.fetch(client, ALICE, url)

    return get


def _along(world: LocalWorld, get: Callable[[str], None]) -> list[str]:
    return [_arrived(world, get, *route) for route in ROUTES.values()]


def _arrived(world: LocalWorld, get: Callable[[str], None], start: str, *stops: str) -> str:
    world.clear()
    *between, end = stops
    get(world.redirect(start, *map(world.root, between), world.url(end)))
    last = world.arrivals()[-1]
    assert last.origin == end
    found = last.credentials()
    letters = [
        _LETTERS[name]
        for name in sorted(CREDENTIAL_HEADERS.intersection(_LETTERS))
        if dict(ALICE)[name] in found.get(name, "")
    ]
    return " ".join(letters) or "none"
