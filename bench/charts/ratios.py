"""Ratios to the fastest of each situation, with intervals and verdicts: a forest plot."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench import stats
from bench.charts import panels
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.theme import BLUE, GREEN, ORANGE, VERMILLION
from bench.charts.words import Words
from bench.figures import significant

TITLE = "Ratios to the fastest, with intervals"
SHOWS = "Above 1 is slower; within the grey band (3%) is no difference in practice."
BASE = "the fastest"
MARKS = {  # said by shape and colour, and in words beside the row
    BASE: ("square", BLUE),
    stats.SAME: ("diamond", GREEN),
    stats.UNDECIDED: ("circle", "#8a929b"),
    stats.SLOWER: ("triangle-right", VERMILLION),
    stats.FASTER: ("triangle-left", ORANGE),
}


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A mark with its interval for each contender, a panel for each situation."""
    measured = data.measured
    if measured.empty:
        raise NotDrawn("nothing was measured")
    frame = rows(measured, say)
    if (frame.groupby("panel").size() < 2).all():
        raise NotDrawn("each situation has one contender: there is nothing to compare it with")
    frame = panels.kept(frame, *KEPT)
    base = alt.Chart(frame).encode(y=panels.rows())

    def x(field: str) -> alt.X:
        return panels.length(field, say("times as long as the fastest"), "log")

    whole = {"y": alt.value(0), "y2": alt.value("height")}
    ends = {"x": alt.XDatum(1 / (1 + stats.MARGIN)), "x2": alt.X2Datum(1 + stats.MARGIN)}
    band = base.mark_rect(style="band").encode(**whole, **ends)
    one = base.mark_rule(style="interval", strokeWidth=0.8).encode(**whole, x=alt.XDatum(1))
    layers = [band, one, *panels.interval(base, x), marks(base, x("ratio"), say)]
    return panels.faceted([*layers, panels.figures(base)], frame, measured["phase"].nunique())


KEPT = ("rank", "ratio", "from", "to", "below", "above", "ratio_low", "ratio_high", "verdict",
        "text")  # fmt: skip


def marks(base: alt.Chart, x: alt.X, say: Words) -> alt.Chart:
    """A point whose shape and colour are the verdict."""
    names = [say(name) for name in MARKS]
    shapes, colours = zip(*MARKS.values(), strict=True)
    shape = alt.Shape("verdict:N", title=None, scale=alt.Scale(domain=names, range=list(shapes)))
    color = alt.Color("verdict:N", title=None, scale=alt.Scale(domain=names, range=list(colours)))
    seen = panels.tooltip("panel:N", "ratio:Q", "ratio_low:Q", "ratio_high:Q", "verdict:N")
    return base.mark_point(filled=True, size=75, opacity=1).encode(
        x=x, shape=shape, color=color, tooltip=seen
    )


def rows(measured: pd.DataFrame, say: Words) -> pd.DataFrame:
    """Ratios with the verdict in words; the fastest of a situation is 1 and has no verdict."""
    labels, _ = say.panels(measured, SITUATION)
    frame = measured.assign(panel=labels, verdict=measured["verdict"].fillna(BASE))
    frame = panels.clipped(frame, "panel", "ratio", "ratio_low", "ratio_high")
    text = [figure(r, v, say) for r, v in zip(frame["ratio"], frame["verdict"], strict=True)]
    frame = frame.assign(text=text, verdict=[say(v) for v in frame["verdict"]])
    return panels.ordered(panels.ranked(frame, ["panel"], "ratio"))


def figure(ratio: float, verdict: str, say: Words) -> str:
    """`1.24  SLOWER`."""
    return say(verdict) if verdict == BASE else f"{significant(ratio)}  {say(verdict)}"
