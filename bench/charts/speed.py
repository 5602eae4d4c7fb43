"""Speed by framework and network: the time of a step, fastest first in each panel."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench.charts import panels
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.theme import BLUE
from bench.charts.words import Words
from bench.figures import significant

TITLE = "Time of a step"
SHOWS = (
    "Median, with its 95% interval where more than one process was measured; an arrow: it goes on."
)


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A dot with its interval for each contender, a panel for each situation."""
    if data.measured.empty:
        raise NotDrawn("nothing was measured")
    frame = rows(data, say)
    frame, mode = panels.kept(frame, *KEPT), panels.scale(frame, "panel", "median")
    base = alt.Chart(frame).encode(y=panels.rows())

    def x(field: str) -> alt.X:
        return panels.length(field, say("time of a step, ms"), mode)

    dots = base.mark_point(filled=True, size=62, opacity=1, color=BLUE).encode(
        x=x("median"), tooltip=panels.tooltip("panel:N", "text:N", "low:Q", "high:Q")
    )
    layers = [*panels.interval(base, x), dots, panels.figures(base)]
    return panels.faceted(layers, frame, data.summary["phase"].nunique())


KEPT = ("rank", "median", "low", "high", "from", "to", "below", "above", "text")


def rows(data: Data, say: Words) -> pd.DataFrame:
    """Milliseconds; a contender without a time stands last, with the reason's name."""
    labels, _ = say.panels(data.summary, SITUATION)
    frame = data.summary.assign(panel=labels)
    frame[["median", "low", "high"]] *= 1e3
    frame = panels.clipped(frame, "panel", "median", "low", "high")
    known = zip(frame["median"], frame["status"], strict=True)
    text = [significant(time) or say(str(status)) for time, status in known]
    return panels.ordered(panels.ranked(frame.assign(text=text), ["panel"], "median"))
