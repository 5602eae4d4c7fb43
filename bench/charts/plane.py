"""Charts of a plane: each contender a point or a line with its name beside it, never only a colour.

Names stand in a column at the right of a panel, moved apart where they would touch, with a thin
line to the point they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose, log
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from bench.charts import panels
from bench.charts.theme import DASHES, SHAPES

WIDTH, HEIGHT = 320, 250
LINE = 15  # pixels that a name needs
NAMES = 14  # pixels between a panel and its names


def place(values: Sequence[float], ends: tuple[float, float], mode: str) -> list[float]:
    """Where names stand on an axis with these ends: in the order of the values, a LINE apart at
    least, as near to their points as that allows."""
    pixels = [to_pixels(value, ends, mode) for value in values]
    order = np.argsort(pixels, kind="stable")
    moved = apart([pixels[i] for i in order], LINE)
    back = dict(zip(order.tolist(), moved, strict=True))
    return [from_pixels(back[i], ends, mode) for i in range(len(values))]


def apart(sorted_: Sequence[float], gap: float) -> list[float]:
    """Sorted positions moved the least (in squares) so that neighbours are `gap` apart: isotonic
    regression, by pooling adjacent violators, of the positions less their due distance."""
    pools: list[tuple[float, int]] = []
    for index, position in enumerate(sorted_):
        pools.append((position - index * gap, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + index * gap for index, mean in enumerate(flat)]


def to_pixels(value: float, ends: tuple[float, float], mode: str) -> float:
    low, high = ends
    if mode == "linear":
        return (value - low) / (high - low) * HEIGHT
    return log(value / low) / log(high / low) * HEIGHT


def from_pixels(pixels: float, ends: tuple[float, float], mode: str) -> float:
    (low, high), share = ends, pixels / HEIGHT
    return float(low + share * (high - low) if mode == "linear" else low * (high / low) ** share)


def reach(values: pd.Series[float]) -> tuple[float, float]:
    """The ends of an axis; where all values are one, some room about it."""
    low, high = float(values.min()), float(values.max())
    return (low / 1.2, high * 1.2) if isclose(low, high, rel_tol=1e-6) else (low, high)


def labelled(frame: pd.DataFrame, y: Field, whole: pd.DataFrame | None = None) -> pd.DataFrame:
    """Rows with `label_y`, where each one's name stands in its panel, whose axis holds the rows of
    `whole`, or these."""
    ends = (frame if whole is None else whole).groupby("panel")[y.name].agg(reach)
    found: dict[Any, float] = {}
    for panel, group in frame.groupby("panel"):
        places = place(group[y.name].tolist(), ends[panel], y.mode)
        found |= dict(zip(group.index, places, strict=True))
    return frame.assign(label_y=pd.Series(found))


def look(contenders: Sequence[str]) -> dict[str, alt.Shape | alt.Color | alt.StrokeDash]:
    """Colour, shape and dash of each contender, the same whoever else is shown."""
    names = list(contenders)
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(names))]
    dashes = [DASHES[i % len(DASHES)] for i in range(len(names))]
    return {
        "color": alt.Color("contender:N", scale=alt.Scale(domain=names), legend=None),
        "shape": alt.Shape("contender:N", scale=alt.Scale(domain=names, range=shapes), legend=None),
        "strokeDash": alt.StrokeDash(
            "contender:N", scale=alt.Scale(domain=names, range=dashes), legend=None
        ),
    }


@dataclass(frozen=True)
class Field:
    """A column with its title on an axis, and its kind of scale: `linear`, `log`, or `doubling`,
    logarithms to base 2."""

    name: str
    title: str
    mode: str = "linear"

    def x(self, column: str = "") -> alt.X:
        return alt.X(f"{column or self.name}:Q", **self.axis)

    def y(self, column: str = "") -> alt.Y:
        """The axis, for another column that shares it if one is named."""
        return alt.Y(f"{column or self.name}:Q", **self.axis)

    @property
    def axis(self) -> dict[str, Any]:
        doubling = self.mode == "doubling"
        scale = panels.ruler("log", base=2) if doubling else panels.ruler(self.mode)
        scale.padding = 10
        return {"title": self.title, "scale": scale, "axis": panels.ticks(labelFontSize=11)}


@dataclass(frozen=True)
class Plane:
    """What the layers of a plane are made from: its rows and axes, and who has which look."""

    base: alt.Chart
    x: Field
    y: Field
    contenders: Sequence[str]

    @property
    def named(self) -> alt.Chart:
        """Rows that have a name to be written."""
        return self.base.transform_filter("isValid(datum.name)")

    def dots(self, rows: alt.Chart, size: int = 70) -> alt.Chart:
        """A mark for each row."""
        seen = look(self.contenders)
        shown = panels.tooltip("panel:N", f"{self.x.name}:Q", f"{self.y.name}:Q")
        return rows.mark_point(filled=True, size=size, opacity=1).encode(
            x=self.x.x(), y=self.y.y(), color=seen["color"], shape=seen["shape"], tooltip=shown
        )

    def names(self) -> list[alt.Chart]:
        """The column of names, each with its mark, and the lines to where they belong."""
        seen, named = look(self.contenders), self.named
        at, end = alt.value(WIDTH + NAMES), alt.value(WIDTH + NAMES - 4)
        leader = named.mark_rule(style="leader")
        mark = named.mark_point(filled=True, size=42, opacity=1)
        text = named.mark_text(align="left", dx=8, style="value")
        label = self.y.y("label_y")
        return [
            leader.encode(x=self.x.x(), y=self.y.y(), x2=end, y2="label_y:Q"),
            mark.encode(x=at, y=label, color=seen["color"], shape=seen["shape"]),
            text.encode(x=at, y=label, text="name:N"),
        ]

    def lines(self) -> list[alt.Chart]:
        """A line for each contender, with a mark at each row."""
        seen = look(self.contenders)
        drawn = self.base.transform_filter("isValid(datum.contender)")
        line = drawn.mark_line(strokeWidth=1.8)
        looks = {"color": seen["color"], "strokeDash": seen["strokeDash"]}
        return [line.encode(x=self.x.x(), y=self.y.y(), **looks), self.dots(drawn, 55)]

    def guides(self) -> list[alt.Chart]:
        """The dashed lines of `guides`."""
        found = self.base.transform_filter("isValid(datum.guide)")
        line = found.mark_rule(style="ideal")
        text = found.mark_text(align="right", dy=-7, style="guide")
        return [
            line.encode(x=self.x.x("x1"), y=self.y.y("y1"), x2="x2:Q", y2="y2:Q"),
            text.encode(x=self.x.x("x2"), y=self.y.y("y2"), text="guide:N"),
        ]


def named(frame: pd.DataFrame, x: Field, y: Field) -> pd.DataFrame:
    """With `name` and `label_y` in the last row of each contender's line."""
    last = frame.sort_values(x.name).drop_duplicates(["panel", "contender"], keep="last")
    labels = labelled(last, y, frame).assign(name=last["contender"])
    return frame.join(labels[["name", "label_y"]])


GUIDE = ("x1", "y1", "x2", "y2", "guide")  # a dashed line and the text at its end


def guides(frame: pd.DataFrame, x: str, y: str, slopes: Sequence[float]) -> pd.DataFrame:
    """The rows with lines y = slope * x, as far as each panel's points reach."""
    rows = [
        {k: panel.iloc[0][k] for k in ("panel", "model", "device")} | row
        for _, panel in frame.groupby("panel", sort=False)
        for row in diagonals(panel[x], panel[y], slopes)
    ]
    return pd.concat([frame, pd.DataFrame(rows, columns=["panel", "model", "device", *GUIDE])])


def diagonals(
    x: pd.Series[float], y: pd.Series[float], slopes: Sequence[float]
) -> Iterator[dict[str, Any]]:
    for slope in slopes:
        start, end = max(x.min(), y.min() / slope), min(x.max(), y.max() / slope)
        if start < end:
            line = (start, slope * start, end, slope * end, f"×{slope:g}")
            yield dict(zip(GUIDE, line, strict=True))


def faceted(layers: Sequence[alt.Chart], frame: pd.DataFrame) -> alt.FacetChart:
    """Layers in a panel for each situation, two side by side."""
    order = list(dict.fromkeys(frame["panel"]))
    facet = alt.Facet("panel:N", title=None, sort=order, header=alt.Header(title=None))
    layered = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    chart = layered.facet(facet=facet, columns=min(2, len(order)), spacing={"row": 34})
    return chart.resolve_scale(x="independent", y="independent")
