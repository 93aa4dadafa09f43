"""The chart of what each layer costs."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .report import Bars

_OURS, _OTHERS = "#1b6ca8", "#b8c0c8"
# Bars of more than so many times the longest but one of these are cut off: their number is written.
_CUT = 1.3


def draw(panels: list[Bars], path: Path) -> None:
    """Write the panels, one below the other, as an SVG that is the same for the same figures."""
    heights = [len(panel.spreads) for panel in panels]
    figure = Figure(figsize=(8, 0.8 + 0.3 * sum(heights) + 0.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for panel, ax in zip(panels, axes[:, 0], strict=True):
        _draw_panel(panel, ax)
    axes[-1, 0].set_xlabel(
        "µs per request, more than the same app without it (median; middle half)"
    )
    with mpl.rc_context({"svg.hashsalt": "passthrough-auth", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_panel(panel: Bars, ax: Axes) -> None:
    names = list(panel.spreads)
    medians = [each.median for each in panel.spreads.values()]
    longest = _longest_shown(medians)
    below = [max(0, each.median - each.low) for each in panel.spreads.values()]
    above = [max(0, each.high - each.median) for each in panel.spreads.values()]
    colours = [_OURS if name.startswith("passthrough-auth") else _OTHERS for name in names]
    ax.barh(names, medians, xerr=[below, above], color=colours, error_kw={"ecolor": "#444444"})
    ax.set_xlim(0, longest * 1.12)
    ax.invert_yaxis()
    ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
    ax.spines[["top", "right"]].set_visible(False)
    for position, value in enumerate(medians):
        ax.annotate(
            f"{value:.1f}",
            (min(value, longest), position),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )


def _longest_shown(medians: list[float]) -> float:
    """Where the axis ends: at the longest bar, unless that would make the others invisible."""
    *_, second, longest = sorted(medians)
    return second * _CUT if longest > 4 * second else longest
