"""What one layer costs in process, over the same application without it."""

from dataclasses import dataclass
from statistics import median

from .contest import Effort, Entrant, Spread, compete, over
from .report import Bars, Report, Table, Verdict

ASGI, WITH_FLYTE, FLASK, DJANGO = (
    f"{__package__}.subjects.{name}" for name in ("asgi", "asgi_with_flyte", "flask", "django")
)
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
    "hand-written floor": ASGI,
    "hand-written, checked": ASGI,
    OURS: ASGI,
    "starlette-context": ASGI,
    OURS_BOUND: WITH_FLYTE,
    FLYTES: WITH_FLYTE,
}
_DJANGO_LAYERS = dict.fromkeys(["no-op", "hand-written on META", "hand-written", OURS], DJANGO)

FIELDS = (
    Field("ASGI", _ASGI_LAYERS, "no middleware"),
    Field("FastAPI", _ASGI_LAYERS, "no middleware"),
    Field("Flask", dict.fromkeys(["no-op hooks", "hand-written hooks", OURS], FLASK), "no hooks"),
    Field("Django, WSGI", _DJANGO_LAYERS, "no middleware"),
    Field("Django, ASGI", _DJANGO_LAYERS, "no middleware"),
)
# What ours is held against: the first of them in the tables, too.
FLOORS = {
    "ASGI": ("hand-written floor",),
    "FastAPI": ("hand-written floor",),
    "Flask": ("hand-written hooks",),
    "Django, WSGI": ("hand-written", "hand-written on META"),
    "Django, ASGI": ("hand-written", "hand-written on META"),
}


def measure(effort: Effort) -> Report:
    """Every layer before every application."""
    report = Report()
    for field in FIELDS:
        costs = field.costs(effort)
        spreads = {layer: Spread.of(samples) for layer, samples in costs.items()}
        report.bars.append(Bars(field.app, spreads))
        report.tables.append(_table(field.app, spreads))
        report.verdicts += _verdicts(field.app, costs)
    return report


def _table(app: str, spreads: dict[str, Spread]) -> Table:
    first = FLOORS[app][0]
    floor = spreads[first].median
    rows = [
        (
            layer,
            f"{spread.median:.2f}",
            f"{spread.low:.2f} to {spread.high:.2f}",
            f"{spread.median / floor:.1f}",
        )
        for layer, spread in spreads.items()
    ]
    columns = ("layer", "µs per request", "middle half of the rounds", f"× {first}")
    return Table(f"Layer cost: {app}", columns, rows)


def _verdicts(app: str, costs: dict[str, list[float]]) -> list[Verdict]:
    found: list[Verdict] = []
    for floor in FLOORS[app]:
        times = median(costs[OURS]) / median(costs[floor])
        found.append(Verdict(f"{app} layer", f"2 × {floor}", f"{times:.2f} ×", times <= 2))
    if FLYTES in costs:
        cheaper = median(costs[FLYTES]) / median(costs[OURS])
        bound = median(costs[FLYTES]) / median(costs[OURS_BOUND])
        what = f"{app} layer compared with Flyte's"
        text = f"{cheaper:.0f} × cheaper ({bound:.1f} × with Flyte bound)"
        found.append(Verdict(what, "1/40", text, cheaper >= 40))
    return found
