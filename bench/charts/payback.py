"""First call against the steps that pay it back: when does compiling pay?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from bench.charts import panels
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn, significant
from bench.charts.theme import BLUE, VERMILLION
from bench.charts.words import Words

TITLE = "First call, and the steps that pay it back"
SHOWS = (
    "First call: tracing and compiling included. Steps: after so many, the total is less than that "
    "of the one that starts quickest."
)
CALL, STEPS = "first call, s", "steps until it has caught up"


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """For each situation two panels, in the same order: the first call, and when it has paid."""
    frame = data.measured[data.measured["first_call"].notna()]
    if frame.empty:
        raise NotDrawn("no first call was recorded")
    labels, _ = say.panels(frame, SITUATION)
    groups = frame.assign(panel=labels).groupby("panel", sort=False)
    frame = pd.DataFrame([row for _, group in groups for row in rows(group, say)])
    if not frame["pays"].any():
        raise NotDrawn("whoever starts quickest is also quickest in each step: nothing to pay back")
    base = alt.Chart(panels.kept(frame, "quantity", "value", "text", "rank", "pays"))
    base = base.encode(y=panels.rows())
    x = alt.X("value:Q", title=None, scale=alt.Scale(type="log", nice=False, padding=8),
              axis=alt.Axis(tickCount=5, format="~g"))  # fmt: skip
    dots = base.mark_point(filled=True, size=62, opacity=1).encode(
        x=x, color=alt.condition("datum.pays", alt.value(VERMILLION), alt.value(BLUE)),
        shape=alt.condition("datum.pays", alt.value("diamond"), alt.value("circle")),
        tooltip=panels.tooltip("panel:N", "quantity:N", "text:N"),
    )  # fmt: skip
    layered = alt.layer(dots, panels.figures(base))
    layered = layered.properties(width=panels.WIDTH, height=alt.Step(panels.ROW))
    head = alt.Header(labelAngle=0, labelAlign="left", labelOrient="top", title=None)
    return layered.facet(
        row=alt.Row("panel:N", sort=list(dict.fromkeys(frame["panel"])), title=None, header=head),
        column=alt.Column("quantity:N", sort=[say(CALL), say(STEPS)], title=None),
        spacing={"row": 40},
    ).resolve_scale(x="independent", y="independent")


def rows(group: pd.DataFrame, say: Words) -> Iterator[dict[str, Any]]:
    """Both quantities of each contender of a situation, the least first call on top."""
    ranked = group.sort_values("first_call").reset_index(drop=True)
    first = ranked.iloc[0]
    for row in ranked.to_dict("records"):
        steps = caught_up(row, first)
        shared = {k: row[k] for k in ("panel", "contender", *panels.FILTERED)}
        call = {"quantity": say(CALL), "value": row["first_call"], "pays": False}
        yield (
            shared | call | {"rank": row_rank(ranked, row), "text": significant(row["first_call"])}
        )
        word = say("starts quickest") if row["contender"] == first["contender"] else say("never")
        text = word if steps is None else f"{max(1, round(steps)):,}"
        rest = {"quantity": say(STEPS), "value": steps, "pays": steps is not None, "text": text}
        yield shared | rest | {"rank": row_rank(ranked, row)}


def row_rank(ranked: pd.DataFrame, row: dict[str, Any]) -> int:
    return int((ranked["first_call"] < row["first_call"]).sum())


def caught_up(row: dict[str, Any], first: Any) -> float | None:
    """After how many steps the later starter's total is less; None where it never is. From
    first_call + (n - 1) median of both."""
    gain = first["median"] - row["median"]
    if gain <= 0:
        return None
    return float(1 + (row["first_call"] - first["first_call"]) / gain)
