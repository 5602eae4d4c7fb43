"""The page: one file with everything in it that it needs, from a template that escapes."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from bench import __version__, charts
from bench.charts import strip, theme
from bench.charts.data import Data
from bench.charts.panels import FILTERED
from bench.charts.words import Words
from bench.report.grid import Table
from bench.report.verdicts import Cell, counts

NAME = "index.html"
ASSETS = Path(__file__).parent / "assets"
TITLES = {"model": "Network", "device": "Device", "framework": "Framework", "phase": "Phase"}


def render(
    data: Data,
    drawn: charts.Drawn,
    verdicts: Sequence[Cell],
    tables: Sequence[Table],
    samples: Mapping[int, Any],
    claims: Sequence[Mapping[str, Any]],
) -> str:
    """The text of the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    say = Words()
    figures = [figure(name, spec, data, say) for name, spec in drawn.specs.items()]
    return environment.get_template("page.html.j2").render(
        title=title(data), caption=charts.caption(data, say), version=__version__,
        headers=data.headers,
        filters=filters(data), verdicts=verdicts, counts=counts(list(verdicts)), figures=figures,
        left_out=drawn.left_out, tables=tables, claims=claims, library=library(),
        style=(ASSETS / "page.css").read_text(), script=(ASSETS / "page.js").read_text(),
        payload={
            "specs": {name: bare(spec) for name, spec in drawn.specs.items()},
            "strip": bare(strip.spec()), "samples": samples,
            "themes": {"light": theme.config(), "dark": theme.config(dark=True)},
        },
    )  # fmt: skip


def title(data: Data) -> str:
    """`5 networks, 11 frameworks`."""
    counts = {"network": data.summary["model"], "framework": data.summary["framework"]}
    words = [(n.nunique(), what) for what, n in counts.items()]
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in words)


def figure(name: str, spec: Mapping[str, Any], data: Data, say: Words) -> dict[str, str]:
    """Title and words of a chart, which the page sets itself."""
    module = importlib.import_module(f"bench.charts.{name}")
    return {"name": name, "title": say(module.TITLE), "shows": say(module.SHOWS)}


def bare(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A specification without title and look: the page has its own, in light and in dark."""
    return {k: v for k, v in spec.items() if k not in ("title", "config", "$schema")}


def filters(data: Data) -> list[dict[str, Any]]:
    """What a reader can choose by, and what of."""
    return [
        {"name": name, "title": TITLES[name], "values": list(dict.fromkeys(data.summary[name]))}
        for name in FILTERED
    ]


@functools.cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that draws the pictures."""
    name = "window.vegaEmbed = vegaEmbed;"
    script = str(vl_convert.javascript_bundle(name))
    assert "</script" not in script.lower()
    return script
