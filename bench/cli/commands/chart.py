"""Draws runs."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import json_option, runs_argument
from bench.cli.output import emit
from bench.errors import NothingMeasured, unknown


@click.command(name="chart")
@runs_argument
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: RUN/charts.")
@click.option("--format", "kinds", default="svg", show_default=True, metavar="svg,png,json")
@click.option("--only", "names", default="", metavar="A,B", help="These charts; default: all.")
@click.option("--lang", default="en", show_default=True, metavar="en|zh")
@json_option
def command(
    folders: tuple[Path, ...], out: Path | None, kinds: str, names: str, lang: str, as_json: bool
) -> None:
    """Draw the charts of each RUN together, by default of the newest in results/."""
    from bench import cases, charts, console
    from bench.charts import pictures, words

    formats = cases.choice("format", kinds, pictures.FORMATS)
    if lang not in words.LANGUAGES:
        raise unknown("language", lang, words.LANGUAGES)
    only = cases.choice("chart", names, charts.CHARTS) if names else ()
    font = pictures.font(lang)
    runs = folders or charts.newest()
    drawn = charts.draw(charts.gather(runs), lang, only, font)
    written = pictures.write(drawn.specs, out or runs[-1] / "charts", formats)
    if as_json:
        emit({"written": [str(path) for path in written], "left_out": dict(drawn.left_out)})
    else:
        for path in written:
            click.echo(path)
        for name, reason in drawn.left_out.items():
            console.say(f"left out: {name}: {reason}")
    if not written:
        raise NothingMeasured("no chart could be drawn")
