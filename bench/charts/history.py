"""Times over many runs, with their steps: what became slower, when, and with which version."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench import stats
from bench.charts import panels
from bench.charts.data import Data
from bench.charts.panels import NotDrawn
from bench.charts.theme import BLUE, ORANGE, VERMILLION
from bench.charts.words import Words
from bench.errors import BenchError
from bench.figures import significant
from bench.store import CELL

TITLE = "Times over many runs"
SHOWS = (
    "A point for each run with its 95% interval, and the level it belongs to. A triangle: from "
    "there on the level is another, by this factor; with version and commit where these are new."
)
WIDTH, HEIGHT, COLUMNS = 330, 130, 2
FEW = 2  # runs that a history needs
PLACE = ["contender", *CELL, "machine"]
MARKS = {stats.SLOWER: ("triangle-up", VERMILLION), stats.FASTER: ("triangle-down", ORANGE)}
KEPT = ("number", "label", "run", "version", "revision", "ms", "low", "high", "level", "step",
        "text")  # fmt: skip


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A panel for each case, those with steps first; in it a point for each run, oldest first."""
    frame = rows(data, say)
    order = list(dict.fromkeys(frame.sort_values("calm", kind="stable")["panel"]))
    base = alt.Chart(panels.kept(frame, *KEPT))
    axis = alt.Axis(labelAngle=-40, labelFontSize=10, labelLimit=150, labelOverlap=True)
    x = alt.X("label:N", title=None, sort=alt.EncodingSortField("number", op="min"), axis=axis)
    # a level is told by its height, in a panel of its own
    ruler, title = panels.ruler("linear", padding=14), say("time of a step, ms")

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=title, scale=ruler, axis=panels.ticks())

    known = base.transform_filter("isValid(datum.low)")
    bars = known.mark_rule(style="interval").encode(x=x, y=y("low"), y2="high:Q")
    level = base.mark_line(interpolate="step-after", style="leader", strokeWidth=1.5)
    seen = panels.tooltip("run:N", "version:N", "revision:N", "ms:Q", "low:Q", "high:Q", "text:N")
    dots = base.mark_point(filled=True, size=30, opacity=1, color=BLUE)
    layers = [level.encode(x=x, y=y("level")), bars, dots.encode(x=x, y=y("ms"), tooltip=seen)]
    facet = alt.Facet("panel:N", title=None, sort=order, header=alt.Header(title=None))
    layered = alt.layer(*layers, *steps(base, x, y("ms"), say))
    chart = layered.properties(width=WIDTH, height=HEIGHT).facet(
        facet=facet, columns=min(COLUMNS, len(order)), spacing={"row": 34}
    )
    return chart.resolve_scale(x="independent", y="independent")


def steps(base: alt.Chart, x: alt.X, y: alt.Y, say: Words) -> list[alt.Chart]:
    """A mark with its words where a new level begins."""
    shapes, colours = zip(*MARKS.values(), strict=True)
    names = [say(word) for word in MARKS]
    shape = alt.Shape("step:N", title=None, scale=alt.Scale(domain=names, range=list(shapes)))
    color = alt.Color("step:N", title=None, scale=alt.Scale(domain=names, range=list(colours)))
    found = base.transform_filter("isValid(datum.step)")
    mark = found.mark_point(filled=True, size=130, opacity=1)
    text = found.mark_text(align="right", dx=-9, dy=-9, style="value", fontWeight=600)
    return [mark.encode(x=x, y=y, shape=shape, color=color), text.encode(x=x, y=y, text="text:N")]


def rows(data: Data, say: Words) -> pd.DataFrame:
    """Milliseconds of each case in each run; raises NotDrawn where no case was measured twice."""
    try:
        frame = data.history
    except BenchError as error:
        raise NotDrawn(str(error)) from None
    counts = frame.groupby(PLACE, dropna=False)["run"].transform("size")
    frame = frame[counts >= FEW]
    if frame.empty:
        raise NotDrawn("no case was measured in two runs: draw several runs of a machine together")
    panel, _ = say.panels(frame, PLACE)
    numbers = {run: number for number, run in enumerate(dict.fromkeys(data.history["run"]))}
    stepped = frame["step"] != ""
    frame = frame.assign(
        panel=panel, number=frame["run"].map(numbers), label=labels(frame),
        calm=~stepped.groupby(pd.Series(panel, frame.index)).transform("any"),
        step=pd.Series([say(word) if word else None for word in frame["step"]], frame.index),
        text=pd.Series(told(frame), frame.index),
    )  # fmt: skip
    for name, column in (("ms", "seconds"), ("low", "low"), ("high", "high"), ("level", "level")):
        frame[name] = 1e3 * frame[column].astype(float)
    return frame


def labels(frame: pd.DataFrame) -> pd.Series[str]:
    """Of each run its day; where a day has several, the time too."""
    days = frame["created"].str[:10]
    several = frame.groupby(days)["run"].transform("nunique") > 1
    return days.mask(several, frame["created"].str[5:16].str.replace("T", " "))


def told(frame: pd.DataFrame) -> list[str | None]:
    """Of each step its factor, and the framework's version and the commit if these are not as in
    the run before."""
    before = frame.groupby(PLACE, dropna=False)[["version", "revision"]].shift()
    new = frame[["version", "revision"]].where(frame[["version", "revision"]] != before, "")
    facts = zip(frame["factor"].astype(float), new["version"], new["revision"].str[:9], strict=True)
    return [
        "  ".join(filter(None, [f"×{significant(factor)}", *others])) if factor == factor else None
        for factor, *others in facts
    ]
