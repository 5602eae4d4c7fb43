"""Forward against backward: what the gradients cost."""

from __future__ import annotations

from math import nan

import altair as alt
import pandas as pd

from bench import stats, summary
from bench.charts import panels, plane
from bench.charts.data import SITUATION, Data
from bench.charts.panels import NotDrawn
from bench.charts.words import Words
from bench.figures import significant
from bench.store import CELL, CONTENDER

TITLE = "Forward against backward"
SHOWS = (
    "Backward is derived: train - forward, paired by process. Dashed: backward takes 1, 2, 3 times "
    "as long. Behind each name its own ratio."
)
NEEDS = ("forward", "train")
TIMES = (1, 2, 3)
CASE = ["run", *CONTENDER, *[c for c in CELL if c != "phase"]]


def draw(data: Data, say: Words) -> alt.TopLevelMixin:
    """A point for each contender, a panel for each situation."""
    found = sorted(set(data.measured["phase"]))
    if not set(NEEDS) <= set(found):
        known = ", ".join(found) or "none"
        needed = "the phases forward and train are needed: bench run --phase forward,train"
        raise NotDrawn(f"{needed}; measured: {known}")
    frame = rows(data)
    if frame.empty:
        raise NotDrawn("train took no longer than forward anywhere")
    labels, _ = say.panels(frame, [c for c in SITUATION if c != "phase"])
    frame = frame.assign(panel=labels)
    mode = max(panels.scale(frame, "panel", field) for field in ("forward", "backward"))
    x = plane.Field("forward", say("forward, ms"), mode)
    y = plane.Field("backward", say("backward, ms"), mode)
    frame = plane.guides(plane.labelled(frame, y), "forward", "backward", TIMES)
    base = alt.Chart(panels.kept(frame, *KEPT, *plane.GUIDE))
    drawn = plane.Plane(base, x, y, data.contenders)
    return plane.faceted([*drawn.guides(), *drawn.names(), drawn.dots(drawn.named)], frame)


KEPT = ("forward", "backward", "low", "high", "name", "label_y")


def rows(data: Data) -> pd.DataFrame:
    """Milliseconds forward and backward of every case that has both phases."""
    samples = data.tables.samples
    groups = summary.grouped(samples[samples["phase"].isin(NEEDS)], [*CASE, "phase"])
    drawn = []
    for row in data.measured[data.measured["phase"] == "train"].to_dict("records"):
        pair = [groups.get((*(row[c] for c in CASE), phase)) for phase in NEEDS]
        blocks = [found for found in pair if found is not None]
        times = derived(*blocks) if len(blocks) == len(NEEDS) else None
        if times:
            ratio = times["ratio"]
            name = f"{row['contender']}  ×{significant(ratio)}"
            drawn.append(row | times | {"name": name, "phase": None})
    return pd.DataFrame(drawn)


def derived(forward: stats.Blocks, train: stats.Blocks) -> dict[str, float] | None:
    """Forward and backward, ms, and how many times as long with its interval; None where a process
    has no positive difference: it is then smaller than the noise."""
    first, both = of_processes(forward), of_processes(train)
    back = {p: both[p] - first[p] for p in first.keys() & both.keys()}
    if not back or min(back.values()) <= 0:
        return None
    ratio = stats.estimate({(p, 0): back[p] / first[p] for p in sorted(back)})
    times = [stats.estimate({(p, 0): t[p] for p in back}).value * 1e3 for t in (first, back)]
    ends = (ratio.low, ratio.high) if ratio.freedom > 0 else (nan, nan)
    keys = ("forward", "backward", "ratio", "low", "high")
    return dict(zip(keys, (*times, ratio.value, *ends), strict=True))


def of_processes(blocks: stats.Blocks) -> dict[int, float]:
    """What a step took in each process, seconds: the median over its rounds."""
    found: dict[int, list[float]] = {}
    for (process, _), samples in blocks.items():
        found.setdefault(process, []).append(stats.centre(samples))
    return {process: stats.centre(times) for process, times in found.items()}
