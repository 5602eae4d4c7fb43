"""Charts: each kind is a file with TITLE, SHOWS and `draw`, a pure function of the data.

One Vega-Lite specification gives both the picture (by vl-convert, which needs no browser) and the
interactive chart of the report. A new kind is a new file and its name in CHARTS.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from bench.charts.data import SITUATION, Data, gather, newest
from bench.charts.panels import NotDrawn
from bench.charts.theme import config
from bench.charts.words import Words
from bench.errors import unknown

__all__ = ["CHARTS", "Data", "Drawn", "draw", "gather", "newest"]

CHARTS = (
    "overview", "speed", "ratios", "memory", "batch", "backward", "payback", "threads", "history",
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """The charts that the data feed, and why there are no others."""

    specs: Mapping[str, dict[str, Any]]
    left_out: Mapping[str, str]


def draw(data: Data, lang: str = "en", only: Iterable[str] = (), font: str = "") -> Drawn:
    """Every chart, or only some, as Vega-Lite specifications by name. Raises BenchError for a name
    that is no chart's."""
    specs: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    names = list(only) or CHARTS
    for name in names:
        if name not in CHARTS:
            raise unknown("chart", name, CHARTS)
        try:
            specs[name] = spec(name, data, Words(lang), font)
        except NotDrawn as reason:
            left_out[name] = str(reason)
    return Drawn(specs, left_out)


def spec(name: str, data: Data, say: Words, font: str = "") -> dict[str, Any]:
    """One chart with its title and caption; raises NotDrawn."""
    module = importlib.import_module(f"bench.charts.{name}")
    with alt.data_transformers.enable("default", max_rows=None, consolidate_datasets=True):
        chart = module.draw(data, say)
        titled = chart.properties(title=alt.Title(**heading(module, data, say)))
        made: dict[str, Any] = titled.configure(**config(font=font)).to_dict()
    return made | {"datasets": {k: known(rows) for k, rows in made["datasets"].items()}}


def known(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with null where there is no value: JSON has no NaN."""
    return [{k: None if v != v else v for k, v in row.items()} for row in rows]


def heading(module: Any, data: Data, say: Words) -> dict[str, Any]:
    return {"text": say(module.TITLE), "subtitle": [say(module.SHOWS), caption(data, say)]}


def caption(data: Data, say: Words) -> str:
    """What holds for the whole chart: situation, machines, dates, version."""
    _, shared = say.panels(data.measured if len(data.measured) else data.summary, SITUATION)
    days = sorted({str(h.get("created", ""))[:10] for h in data.headers.values()} - {""})
    span = " … ".join(dict.fromkeys([days[0], days[-1]])) if days else ""
    version = next((h["version"] for h in data.headers.values() if h.get("version")), "")
    return "  ·  ".join(filter(None, [shared, span, f"convmark {version}".strip()]))
