"""`python -m tests.bench.chart`: the figures of build/bench.json as a picture, tests/bench/chart.svg.

One bar for each goal, as long as the goal is reached: 1 is just so, to the right is better. The scale is logarithmic.
"""

import math
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import results
from tests.bench.report import goal, number
from tests.bench.result import lines_of
from tests.bench.summary import Line

TARGET = Path(__file__).with_name("chart.svg")
SHORTEST, LONGEST = 0.05, 20.0
"""Bars are cut there: beyond, the number beside it says it better than a length."""

TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
WIDTH, PIXELS_A_BAR = 1200, 30
REACHED, MISSED, GREY = "#2e8b57", "#c8553d", "#7d7d7d"
LETTERS = "system-ui, -apple-system, 'Segoe UI', sans-serif"
# A page that shows the picture may be light or dark: grey can be read on both, and each gets what it reads better.
CSS = """
.pygal-chart text { fill: #57606a !important; }
.pygal-chart .guide.line { stroke: #7d7d7d; stroke-opacity: .35; stroke-dasharray: none !important; }
.pygal-chart .major.line { stroke: #7d7d7d !important; stroke-opacity: 1; stroke-width: 2px; }
@media (prefers-color-scheme: dark) { .pygal-chart text { fill: #b1bac4 !important; } }
"""
Bar = tuple[str, Line]


def bars(figures: dict[str, Any]) -> list[Bar]:
    """Every line that has a goal; of lines of one unit that share goal and figure only the worst."""
    found: list[Bar] = []
    for name, figure in figures.items():
        lines = [line for line in lines_of(figure) if line.goal]
        found += [(name, line) for line in _worst_of_alike(lines)]
    return found


def _worst_of_alike(lines: list[Line]) -> Iterator[Line]:
    """The services have one goal each for their memory: the largest one stands for all."""
    alike: dict[tuple[str, float | None], list[Line]] = {}
    for line in lines:
        alike.setdefault((line.unit, line.goal), []).append(line)
    for several in alike.values():
        yield min(several, key=lambda line: line.times_goal or math.inf)


def draw(found: dict[str, Any]) -> Path:
    """Write the picture. Raises ValueError when nothing with a goal was measured."""
    drawn = bars(found.get("figures", {}))
    if not drawn:
        raise ValueError("nothing was measured yet: make bench")
    tree = _chart(drawn).render_tree()
    defs = tree.find("defs")
    for script in defs.findall("script"):  # of a picture nobody expects programs
        defs.remove(script)
    TARGET.write_bytes(ET.tostring(tree, encoding="utf-8") + b"\n")
    return TARGET


def _chart(drawn: list[Bar]) -> Any:
    import pygal  # here: once imported it takes part in every later import, with a warning each

    chart = pygal.HorizontalBar(
        style=_style(),
        title="How many times each goal is reached (1x = just so, to the right is better)",
        css=["file://style.css", "file://graph.css", f"inline:{CSS}"],
        js=[],
        no_prefix=True,
        width=WIDTH,
        height=PIXELS_A_BAR * len(drawn) + 110,
        show_legend=False,
        logarithmic=True,
        range=(SHORTEST, LONGEST),
        zero=SHORTEST,
        margin=16,
        spacing=8,
        truncate_label=-1,
    )
    chart.y_labels = [{"value": tick, "label": f"{tick:g}x"} for tick in TICKS]
    chart.y_labels_major = [1]
    chart.x_labels = [_label(*bar) for bar in reversed(drawn)]  # pygal draws the first at the bottom
    chart.add("", [_value(line) for _, line in reversed(drawn)])
    return chart


def _style() -> Any:
    from pygal.style import Style

    return Style(
        background="transparent",
        plot_background="transparent",
        foreground=GREY,
        foreground_strong=GREY,
        foreground_subtle=GREY,
        font_family=LETTERS,
        label_font_size=13,
        major_label_font_size=13,
        title_font_size=16,
        opacity="1",
        colors=(REACHED,),
    )


def _label(name: str, line: Line) -> str:
    return f"{name}: {line.label}: {number(line.spread[1])} {line.unit} ({goal(line)})"


def _value(line: Line) -> dict[str, Any]:
    times = line.times_goal or SHORTEST
    return {"value": min(max(times, SHORTEST * 1.1), LONGEST), "color": REACHED if line.reached else MISSED}


def main() -> int:
    try:
        sys.stdout.write(f"{draw(results.kept())}\n")
        return 0
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
