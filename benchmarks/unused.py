"""What a feature costs that a request doesn't use, beside two copies of the same layer.

The copies are the A/A control: whatever tells those apart is chance.
"""

from .contest import Effort, Entrant, Spread, compete, over
from .report import Report, Table, Verdict
from .subjects.unused import COPY, FEATURES, NO_FEATURE, PLAIN

_MODULE = f"{__package__}.subjects.unused"


def measure(effort: Effort) -> Report:
    """Every feature, as a ratio to the layer without it, round by round."""
    samples = compete([Entrant(_MODULE, name) for name in (PLAIN, *FEATURES)], effort)
    bare = samples[Entrant(_MODULE, PLAIN)]
    costs = {name: over(samples[Entrant(_MODULE, name)], bare) for name in FEATURES}
    without = costs.pop(NO_FEATURE)
    ratios = {
        name: Spread.of([cost / own for cost, own in zip(each, without, strict=True)])
        for name, each in costs.items()
    }
    control = ratios[COPY]
    rows = [
        (name, f"{spread.median:.3f}", f"{spread.low:.3f} to {spread.high:.3f}")
        for name, spread in ratios.items()
    ]
    columns = ("feature", "× no feature", "middle half of the rounds")
    note = "The first row is the control: the same layer twice. What tells those apart is chance."
    medians = [spread.median for name, spread in ratios.items() if name != COPY]
    verdict = Verdict(
        "each feature that isn't used",
        f"as a second copy: {control.low:.3f} to {control.high:.3f} ×",
        f"{min(medians):.3f} to {max(medians):.3f} ×",
        all(control.low <= each <= control.high for each in medians),
    )
    return Report([verdict], [Table("Features that a request doesn't use", columns, rows, note)])
