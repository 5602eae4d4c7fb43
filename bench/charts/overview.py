"""Everything at a glance: how many times as long as the fastest, by contender and network."""

from __future__ import annotations

from math import exp, isnan, log, nan
from typing import Any

import altair as alt
import pandas as pd

from bench.charts import panels
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.theme import SCALE
from bench.charts.words import Words
from bench.figures import significant

TITLE = "Time relative to the fastest"
SHOWS = (
    "Each figure is how many times as long as the fastest contender of that network; darker is "
    "slower. Mean: geometric, over networks."
)
CELL, WIDE = 62, 7  # pixels of a figure; networks from which on one table fills the width
MOST = 10.0  # a ratio from which on all are equally dark
ALL = "mean"


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A table of shaded ratios for each phase (and batch, ...), the best contender on top."""
    if data.measured.empty:
        raise NotDrawn("nothing was measured")
    if len(data.contenders) < 2:
        raise NotDrawn("one contender: there is nothing to compare it with")
    frame = rows(data, say)
    networks = list(dict.fromkeys(frame[frame["model"].notna()]["network"]))
    axis = alt.Axis(orient="top", labelAngle=-30, ticks=False, domain=False, grid=False)
    x = alt.X("network:N", sort=[*networks, say(ALL)], title=None, axis=axis)
    base = alt.Chart(frame).encode(x=x, y=panels.rows(grid=False))
    shade = alt.Scale(type="log", domain=[1, MOST], range=SCALE, clamp=True)
    cells = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color("ratio:Q", scale=shade, legend=None),
        tooltip=panels.tooltip("network:N", "panel:N", "ratio:Q", "time:N"),
    )
    text = base.mark_text(fontSize=11.5).encode(text="text:N", color=ink())
    layered = alt.layer(cells, text).properties(
        width=alt.Step(CELL), height=alt.Step(panels.ROW + 7)
    )
    order = list(dict.fromkeys(frame["panel"]))
    facet = alt.Facet("panel:N", title=None, sort=order, header=alt.Header(title=None))
    side = 2 if len(networks) <= WIDE else 1
    chart = layered.facet(facet=facet, columns=side, spacing={"row": 34})
    return chart.resolve_scale(y="independent", x="independent")


def rows(data: Data, say: Words) -> pd.DataFrame:
    """A row for each figure, the geometric means among them."""
    labels, _ = say.panels(data.summary, [c for c in SITUATION if c != "model"])
    frame = data.summary.assign(panel=labels, network=data.summary["model"])
    if frame["model"].nunique() > 1:
        frame = pd.concat([frame, means(frame, say(ALL))], ignore_index=True)
    frame["text"] = [shown(r, s, say) for r, s in zip(frame["ratio"], frame["status"], strict=True)]
    frame["time"] = [f"{significant(1e3 * t)} ms" for t in frame["median"]]
    frame["rank"] = frame.groupby(["panel", "contender"])["ratio"].transform(rank)
    return panels.kept(frame, "network", "ratio", "text", "time", "rank")


def means(frame: pd.DataFrame, network: str) -> pd.DataFrame:
    """The geometric mean of each contender's ratios, where it was measured on all networks."""
    shared = ["panel", "contender", "framework", "device", "phase"]
    found = frame.groupby(shared, sort=False)["ratio"].agg(mean).reset_index()
    return found.assign(network=network, model=None, status="", median=nan)


def mean(ratios: pd.Series[float]) -> float:
    return exp(ratios.map(log).mean()) if ratios.notna().all() else nan


def rank(ratios: pd.Series[float]) -> float:
    """What a contender is sorted by: its mean; behind all others where it is not in every cell."""
    known = ratios.dropna()
    late = 0.0 if len(known) == len(ratios) else 1e6 if len(known) else 1e9
    return late + (exp(known.map(log).mean()) if len(known) else 0.0)


def shown(ratio: float, status: str, say: Words) -> str:
    """A ratio, or why there is none."""
    if isnan(ratio):
        return say(status) if status else "–"
    return f"{ratio:.2f}" if ratio < 10 else significant(ratio)


def ink() -> Any:
    """The colour of a figure that the shade behind it lets be read."""
    dark = alt.when(f"datum.ratio > {MOST**0.5}").then(alt.value("#ffffff"))
    light = dark.when("isValid(datum.ratio)").then(alt.value("#14202c"))
    return light.otherwise(alt.value("#7d858e"))
