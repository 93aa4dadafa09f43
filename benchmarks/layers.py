"""What one layer costs in process, over the same application without it."""

from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple

from .contest import Effort, Entrant, Spread, compete, over
from .report import Bars, Report, Table, Verdict

ASGI, FLYTE_BOUND, FLYTES_OWN, FLASK, DJANGO = (
    f"{__package__}.subjects.{name}"
    for name in ("asgi", "flyte_bound", "flytes_own", "flask", "django")
)
FLOOR, CHECKED, WHOLE = (
    "hand-written floor",
    "hand-written, checked",
    "hand-written, whole",
)
STARLETTE_CONTEXT = "starlette-context"
OURS, OURS_BOUND, FLYTES = "passthrough-auth", "passthrough-auth, Flyte bound", "flyte.app.extras"


@dataclass(frozen=True)
class Field:
    """An application, and the layers that are put before it. `bare` is the one that is none."""

    app: str
    layers: dict[str, str]
    bare: str

    def entrant(self, layer: str) -> Entrant:
        return Entrant(self.layers[layer], f"{self.app}: {layer}")

    def entrants(self) -> list[Entrant]:
        bare = [Entrant(module, f"{self.app}: {self.bare}") for module in self.layers.values()]
        return list(dict.fromkeys([*bare, *map(self.entrant, self.layers)]))

    def costs(self, effort: Effort) -> dict[str, list[float]]:
        """Microseconds over the application alone, in the same process, round by round."""
        samples = compete(self.entrants(), effort)
        return {
            layer: over(
                samples[self.entrant(layer)],
                samples[Entrant(module, f"{self.app}: {self.bare}")],
            )
            for layer, module in self.layers.items()
        }


_ASGI_LAYERS = {
    "no-op": ASGI,
    FLOOR: ASGI,
    CHECKED: ASGI,
    WHOLE: ASGI,
    STARLETTE_CONTEXT: ASGI,
    OURS: ASGI,
    OURS_BOUND: FLYTE_BOUND,
    FLYTES: FLYTES_OWN,
}
_HOOKS, _MIDDLEWARE = "hand-written hooks", "hand-written"
_DJANGO_LAYERS = dict.fromkeys(["no-op", "hand-written on META", _MIDDLEWARE, OURS], DJANGO)

FIELDS = (
    Field("ASGI", _ASGI_LAYERS, "no middleware"),
    Field("FastAPI", _ASGI_LAYERS, "no middleware"),
    Field("Flask", dict.fromkeys(["no-op hooks", _HOOKS, OURS], FLASK), "no hooks"),
    Field("Django, WSGI", _DJANGO_LAYERS, "no middleware"),
    Field("Django, ASGI", _DJANGO_LAYERS, "no middleware"),
)
# What the tables hold every layer against.
BASES = {
    "ASGI": WHOLE,
    "FastAPI": WHOLE,
    "Flask": _HOOKS,
    "Django, WSGI": _MIDDLEWARE,
    "Django, ASGI": _MIDDLEWARE,
}


class Budget(NamedTuple):
    """The layer costs at most so many times as much as another one, or at least."""

    app: str
    layer: str
    times: float
    other: str
    bound: Literal["at most", "at least"] = "at most"


BUDGETS = (
    Budget("ASGI", OURS, 1.3, STARLETTE_CONTEXT),
    Budget("ASGI", OURS, 1.85, WHOLE),
    Budget("ASGI", OURS_BOUND, 1.15, OURS),
    Budget("ASGI", FLYTES, 15, OURS_BOUND, "at least"),
    Budget("FastAPI", OURS, 2.4, CHECKED),
    Budget("Flask", OURS, 2.0, _HOOKS),
)


def measure(effort: Effort) -> Report:
    """Every layer before every application."""
    report = Report()
    for field in FIELDS:
        costs = field.costs(effort)
        spreads = {layer: Spread.of(samples) for layer, samples in costs.items()}
        report.bars.append(Bars(field.app, spreads))
        report.tables.append(_table(field.app, spreads))
        report.verdicts += [_verdict(each, costs) for each in BUDGETS if each.app == field.app]
    return report


def _table(app: str, spreads: dict[str, Spread]) -> Table:
    base = BASES[app]
    least = spreads[base].median
    rows = [
        (
            layer,
            f"{spread.median:.2f}",
            f"{spread.low:.2f} to {spread.high:.2f}",
            f"{spread.median / least:.2f}",
        )
        for layer, spread in spreads.items()
    ]
    columns = ("layer", "µs per request", "middle half of the rounds", f"× {base}")
    return Table(f"Layer cost: {app}", columns, rows)


def _verdict(budget: Budget, costs: dict[str, list[float]]) -> Verdict:
    times = median(costs[budget.layer]) / median(costs[budget.other])
    return Verdict(
        f"{budget.app}: {budget.layer}",
        f"{budget.bound} {budget.times} × {budget.other}",
        f"{times:.2f} ×",
        times <= budget.times if budget.bound == "at most" else times >= budget.times,
    )
