"""All samples of one figure, a row for each process: what the figure was made of."""

from __future__ import annotations

from typing import Any

import altair as alt

from bench.charts import panels
from bench.charts.theme import BLUE, VERMILLION

DATASET = "samples"  # the page fills it, with rows of `process`, `round`, `ms`


def spec() -> dict[str, Any]:
    """The specification, without data."""
    base = alt.Chart(alt.NamedData(DATASET)).encode(
        y=alt.Y("process:O", title="process", axis=alt.Axis(domain=False, ticks=False))
    )
    x = panels.length("ms", "time of a step, ms", "linear")
    dots = base.mark_point(filled=True, size=26, opacity=0.35, color=BLUE).encode(
        x=x, yOffset=alt.YOffset("round:O"), tooltip=[alt.Tooltip(c) for c in ("round:O", "ms:Q")]
    )
    middle = base.mark_tick(thickness=2.5, size=24, color=VERMILLION).encode(
        x=alt.X("median(ms):Q", title="time of a step, ms")
    )
    made: dict[str, Any] = alt.layer(dots, middle).properties(width=720).to_dict()
    return made
