"""Thread scaling: how much faster with more threads, over runs that differ in their number."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench.charts import panels, plane
from bench.charts.data import Data
from bench.charts.panels import NotDrawn
from bench.charts.words import Words
from bench.store import CELL

TITLE = "Thread scaling"
SHOWS = "The dashed line is ideal: twice the threads, half the time."
CASE = ["contender", "machine", *[c for c in CELL if c != "threads"]]


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A line for each contender, a panel for each network, batch and phase."""
    frame = scaled(data.measured)
    if frame.empty:
        counts = sorted(set(data.measured["threads"]))
        found = f"only {counts[0]} threads" if counts else "nothing"
        raise NotDrawn(f"{found} measured: draw runs with different --threads together")
    labels, _ = say.panels(frame, [c for c in CASE if c != "contender"])
    frame = frame.assign(panel=labels)
    x = plane.Field("threads", say("threads"), "doubling")
    y = plane.Field("speedup", say("times as fast as with the fewest threads"), "doubling")
    frame = plane.named(frame, x, y)
    frame = pd.concat([frame, ideal(frame)], ignore_index=True)
    base = alt.Chart(panels.kept(frame, "threads", "speedup", "name", "label_y", *plane.GUIDE))
    drawn = plane.Plane(base, x, y, data.contenders)
    return plane.faceted([*drawn.guides(), *drawn.lines(), *drawn.names()], frame)


def ideal(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each panel: as many times as fast as there are threads to the fewest."""
    groups = frame.groupby("panel", sort=False)
    found = groups.agg(x1=("threads", "min"), x2=("threads", "max"), model=("model", "first"))
    lines = found.assign(y1=1.0, y2=found["x2"] / found["x1"], guide="")
    return lines.reset_index()


def scaled(measured: pd.DataFrame) -> pd.DataFrame:
    """Cases with several numbers of threads, by the last run that has each, with `speedup`."""
    last = measured.drop_duplicates([*CASE, "threads"], keep="last")
    groups = last.groupby(CASE, sort=False)
    several = last[groups["threads"].transform("nunique") > 1].sort_values("threads")
    first = several.groupby(CASE, sort=False)["median"].transform("first")
    return several.assign(speedup=first / several["median"])
