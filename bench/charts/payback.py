"""First call against the steps that pay it back: when does compiling pay?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from math import ceil
from typing import Any

import altair as alt
import pandas as pd

from bench.charts import panels
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.theme import BLUE, VERMILLION
from bench.charts.words import Words

TITLE = "First call, and the steps that pay it back"
SHOWS = (
    "First call: tracing and compiling included. A diamond, and after how many steps: it catches "
    "up with the one that starts quickest."
)
KEPT = ("first_call", "text", "rank", "pays")


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """The first call of each contender, and in words when it has paid; a panel for each
    situation."""
    frame = data.measured[data.measured["first_call"].notna()]
    if frame.empty:
        raise NotDrawn("no first call was recorded")
    labels, _ = say.panels(frame, SITUATION)
    groups = frame.assign(panel=labels).groupby("panel", sort=False)
    frame = pd.concat([rows(group, say) for _, group in groups])
    if not frame["pays"].any():
        raise NotDrawn("whoever starts quickest is also quickest in each step: nothing to pay back")
    x = panels.length("first_call", say("first call, s"), "log")
    base = alt.Chart(panels.kept(frame, *KEPT)).encode(y=panels.rows())
    dots = base.mark_point(filled=True, size=62, opacity=1).encode(
        x=x, tooltip=panels.tooltip("panel:N", "first_call:Q", "text:N"),
        color=alt.condition("datum.pays", alt.value(VERMILLION), alt.value(BLUE)),
        shape=alt.condition("datum.pays", alt.value("diamond"), alt.value("circle")),
    )  # fmt: skip
    return panels.faceted([dots, panels.figures(base)], frame, frame["phase"].nunique())


def rows(group: pd.DataFrame, say: Words) -> pd.DataFrame:
    """The contenders of a situation with `pays` and `text`, the least first call on top."""
    ranked = panels.ranked(group, ["panel"], "first_call")
    first = ranked.iloc[0]
    steps = [caught_up(row, first) for row in ranked.to_dict("records")]
    text = [say("never") if n is None else say("{steps} steps", steps=f"{n:,}") for n in steps]
    text[0] = say("starts quickest")
    return ranked.assign(pays=[n is not None for n in steps], text=text)


def caught_up(row: Mapping[Hashable, Any], first: Any) -> int | None:
    """After how many steps the later starter's total is no more; None where it never is. A total
    is first_call + (steps - 1) median."""
    gain = first["median"] - row["median"]
    if gain <= 0:
        return None
    return int(1 + ceil((row["first_call"] - first["first_call"]) / gain))
