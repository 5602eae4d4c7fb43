"""Throughput over batch size: what a larger batch buys."""

from __future__ import annotations

import altair as alt

from bench.charts import panels, plane
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.words import Words

TITLE = "Throughput over batch size"
SHOWS = "Higher is better; bars are 95% intervals."


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A line for each contender, a panel for each network and phase."""
    frame = data.measured
    sizes = sorted(set(frame["batch"]))
    if len(sizes) < 2:
        found = f"only batch {sizes[0]} was measured" if sizes else "nothing was measured"
        raise NotDrawn(f"{found}: try bench run --batch 1,8,32")
    frame = frame.drop_duplicates([c for c in [*SITUATION, "contender"] if c != "run"], keep="last")
    labels, _ = say.panels(frame, [c for c in SITUATION if c not in ("batch", "run")])
    frame = frame.assign(
        panel=labels, images=frame["images_per_second"],
        least=frame["batch"] / frame["high"], most=frame["batch"] / frame["low"],
    )  # fmt: skip
    x = plane.Field("batch", say("batch size"), "doubling")
    y = plane.Field("images", say("images per second"), panels.scale(frame, "panel", "images"))
    frame = plane.named(frame, x, y)
    base = alt.Chart(panels.kept(frame, "batch", "images", "least", "most", "name", "label_y"))
    drawn = plane.Plane(base, x, y, data.contenders)
    bars = base.mark_rule(style="interval").encode(x=x.x(), y=y.y("least"), y2="most:Q")
    return plane.faceted([bars, *drawn.lines(), *drawn.names()], frame)
