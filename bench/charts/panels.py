"""Charts of rows: a panel for each situation, in it a row for each contender, the best on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

ROW, WIDTH, COLUMNS = 19, 330, 2
REACH = 3.0  # how far beyond all values, as a factor, an interval is followed
FILTERED = ["model", "device", "framework", "phase"]  # what a reader can choose by


class NotDrawn(Exception):
    """The data cannot feed this chart; says why, in words for the user."""


def ranked(frame: pd.DataFrame, panel: Sequence[str], by: str) -> pd.DataFrame:
    """With `rank` within each panel: least first, rows without a value last."""
    order = frame.sort_values([by, "contender"], na_position="last")
    return order.assign(rank=order.groupby(list(panel), sort=False).cumcount())


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Panels as they first appear in the plan, in each the rows by rank."""
    first = frame.index.to_series().groupby(frame["panel"]).transform("min")
    return frame.assign(first=first).sort_values(["first", "rank"]).drop(columns="first")


def clipped(frame: pd.DataFrame, panel: str, value: str, low: str, high: str) -> pd.DataFrame:
    """With `from`, `to`: the interval as far as it is drawn, and `below`, `above` where it goes on.
    An interval that spans decades would leave nothing to see of the others."""
    groups = frame.groupby(panel, sort=False)[value]
    floor_, ceiling = groups.transform("min") / REACH, groups.transform("max") * REACH
    start, end = frame[low].fillna(frame[value]), frame[high].fillna(frame[value])
    return frame.assign(
        **{"from": np.maximum(start, floor_), "to": np.minimum(end, ceiling)},
        below=start < floor_,
        above=end > ceiling,
    )


def rows(grid: bool = True) -> alt.Y:
    """The vertical axis: contenders in the order of `rank`."""
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, grid=grid)
    sort = alt.EncodingSortField("rank", op="min")
    return alt.Y("contender:N", title=None, sort=sort, axis=axis)


def length(field: str, title: str, mode: str) -> alt.X:
    """The horizontal axis."""
    return alt.X(f"{field}:Q", title=title, scale=ruler(mode, padding=6), axis=ticks())


def ruler(mode: str, **more: Any) -> alt.Scale:
    """A scale that ends where the values do: zero is no value of interest."""
    zero = {"zero": False} if mode == "linear" else {}
    return alt.Scale(type=mode, nice=False, **zero, **more)


def ticks(**more: Any) -> alt.Axis:
    """Few ticks, whole numbers in full: 10,000 and not 1e+4."""
    label = "datum.label === '' ? '' : format(datum.value, ',.6~g')"
    return alt.Axis(tickCount=5, labelExpr=label, **more)


def interval(base: alt.Chart, x: Any, stroke: str = "interval") -> list[alt.Chart]:
    """The lines of `clipped` intervals, with an arrow where one goes on."""
    line = base.mark_rule(style=stroke, strokeWidth=1.6).encode(x=x("from"), x2="to:Q")
    ends = [("triangle-left", "from", "below"), ("triangle-right", "to", "above")]
    arrows = [
        base.mark_point(shape=shape, filled=True, opacity=1, style=stroke).encode(
            x=x(end), size=alt.condition(f"datum.{goes_on}", alt.value(34), alt.value(0))
        )
        for shape, end, goes_on in ends
    ]
    return [line, *arrows]


def figures(base: alt.Chart, field: str = "text") -> alt.Chart:
    """A column of figures at the right of each panel."""
    mark = base.mark_text(align="left", dx=10, baseline="middle", style="value")
    return mark.encode(x=alt.value(WIDTH), text=f"{field}:N")


def tooltip(*fields: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(field) for field in ("contender:N", *fields)]


def scale(frame: pd.DataFrame, panel: str, value: str) -> str:
    """Logarithmic where a panel's values differ ten-fold, as lengths would then hide the small."""
    groups = frame.groupby(panel)[value]
    return "log" if ((groups.max() / groups.min()) > 10).any() else "linear"


def kept(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The columns that a chart needs: these are all that its specification carries."""
    found = dict.fromkeys([*FILTERED, "contender", "panel", *columns])
    return frame[[c for c in found if c in frame]].reset_index(drop=True)


def faceted(layers: Sequence[alt.Chart], frame: pd.DataFrame, rows_: int) -> alt.FacetChart:
    """Layers in a panel for each situation, in the order of the rows."""
    order = list(dict.fromkeys(frame["panel"]))
    facet = alt.Facet("panel:N", title=None, sort=order, header=alt.Header(title=None))
    layered = alt.layer(*layers).properties(width=WIDTH, height=alt.Step(ROW))
    chart = layered.facet(facet=facet, columns=columns(order, rows_), spacing={"row": 34})
    return chart.resolve_scale(x="independent", y="independent")


def columns(order: Sequence[str], together: int) -> int:
    """How many panels stand side by side: as many as one network has, up to COLUMNS."""
    return max(1, min(COLUMNS, together if together > 1 else COLUMNS, len(order)))
