"""What our layer costs with more of everything."""

from statistics import median

from .contest import Effort, Entrant, Spread, compete, over
from .report import Report, Table, Verdict
from .subjects.growth import BASE, DIMENSIONS, name_of

_MODULE = f"{__package__}.subjects.growth"
_RULES = ("exact paths", "subtree paths")


def measure(effort: Effort) -> Report:
    """Each dimension on its own, all else as in the sample request."""
    sizes = {dimension: sizes for dimension, (_, sizes) in DIMENSIONS.items()}
    samples = compete([Entrant(_MODULE, name) for name in [BASE, *_names(sizes)]], effort)
    base = samples[Entrant(_MODULE, BASE)]

    def cost(dimension: str, size: int) -> list[float]:
        return over(samples[Entrant(_MODULE, name_of(dimension, size))], base)

    report = Report()
    rows = [
        (
            dimension,
            " / ".join(map(str, sizes[dimension])),
            " / ".join(f"{median(cost(dimension, size)):.2f}" for size in sizes[dimension]),
            Spread.of(over(cost(dimension, last), cost(dimension, first))).text(),
        )
        for dimension, (first, *_, last) in sizes.items()
    ]
    columns = ("number of", "values", "µs per request", "µs from fewest to most")
    report.tables.append(Table("Growth", columns, rows))
    for dimension in _RULES:
        first, *_, last = sizes[dimension]
        times = median(cost(dimension, last)) / median(cost(dimension, first))
        what = f"{last:,} {dimension} instead of {first}"
        report.verdicts.append(Verdict(what, "at most 1.1 ×", f"{times:.2f} ×", times <= 1.1))
    return report


def _names(sizes: dict[str, tuple[int, ...]]) -> list[str]:
    return [name_of(dimension, size) for dimension, each in sizes.items() for size in each]
