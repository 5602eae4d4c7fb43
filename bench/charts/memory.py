"""Time against memory: who pays for speed with memory."""

from __future__ import annotations

import altair as alt

from bench.charts import panels, plane
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.words import Words

TITLE = "Time against memory"
SHOWS = "Towards the lower left is better: less time, less memory."
MIB = 2**20


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A point for each contender, a panel for each situation."""
    frame = data.measured[data.measured["peak_memory"].notna()]
    if frame.empty:
        raise NotDrawn("memory was not weighed, or nothing was timed")
    labels, _ = say.panels(frame, SITUATION)
    frame = frame.assign(
        panel=labels, ms=frame["median"] * 1e3, mib=frame["peak_memory"] / MIB,
        name=frame["contender"],
    )  # fmt: skip
    x = plane.Field("ms", say("time of a step, ms"), panels.scale(frame, "panel", "ms"))
    y = plane.Field("mib", say("peak memory, MiB"), panels.scale(frame, "panel", "mib"))
    frame = plane.labelled(frame, y)
    base = alt.Chart(panels.kept(frame, "ms", "mib", "name", "label_y"))
    drawn = plane.Plane(base, x, y, data.contenders)
    return plane.faceted([*drawn.names(), drawn.dots(base)], frame)
