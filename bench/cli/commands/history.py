"""Steps over many runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import fail_on_option, json_option
from bench.cli.output import emit
from bench.figures import significant

if TYPE_CHECKING:
    import pandas as pd


@click.command(name="history")
@click.argument("places", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN|FOLDER...]")
@click.option("--chart", type=click.Path(path_type=Path), metavar="FILE", help="svg, png or json.")
@click.option("--lang", default="en", show_default=True, metavar="en|zh", help="Of the chart.")
@fail_on_option
@json_option
def command(
    places: tuple[Path, ...], chart: Path | None, lang: str, fail_on: str, as_json: bool
) -> None:
    """Where times of runs (or folders of them; default: results) changed for good, and what changed
    there. Exit status 1 if the last run brings a slowdown to light."""
    from bench import history, stats

    runs = history.find(places or (Path("results"),))
    if chart:
        draw([run.folder for run in runs], chart, lang)
    frame = history.table(runs)
    words = {
        "regression": (stats.SLOWER,), "change": (stats.SLOWER, stats.FASTER), "nothing": (),
    }[fail_on]  # fmt: skip
    if as_json:
        emit(json.loads(frame.to_json(orient="records", double_precision=15)))
    else:
        show(frame)
    sys.exit(1 if history.alarms(frame, words) else 0)


def draw(folders: list[Path], path: Path, lang: str) -> None:
    """The chart as a file, or why there is none; raises BenchError for a kind of file or a language
    that there is not."""
    from bench import cases, charts, console
    from bench.charts import pictures

    (kind,) = cases.choice("format", path.suffix.removeprefix("."), pictures.FORMATS)
    drawn = charts.draw(charts.gather(folders), lang, ["history"], pictures.font(lang))
    for spec in drawn.specs.values():
        pictures.write({path.stem: spec}, path.parent, [kind])
    console.say(drawn.left_out.get("history") or str(path))


def show(frame: pd.DataFrame) -> None:
    from bench import console
    from bench.summary import CASE

    columns = ["framework", "mode", "network", "batch", "phase", "runs", "first ms", "last ms",
               "steps"]  # fmt: skip
    for machine, runs in frame.groupby("machine", sort=False):
        series = [points.to_dict("records") for _, points in runs.groupby(CASE, sort=False)]
        console.table(str(machine), columns, [line(points) for points in series], left=5)
    console.out.print(f"{(frame['step'] != '').sum()} steps in {frame['run'].nunique()} runs")


def line(points: list[dict[Any, Any]]) -> list[str]:
    from bench import console

    first, last = points[0], points[-1]
    steps = [sentence(point) for point in points if point["step"]]
    return [
        first["framework"], console.mode(first), first["model"], str(first["batch"]),
        first["phase"], str(len(points)), significant(first["seconds"] * 1e3, 4),
        significant(last["seconds"] * 1e3, 4), "\n".join(steps),
    ]  # fmt: skip


def sentence(point: dict[Any, Any]) -> str:
    """One step in words."""
    changed = "; ".join(point["changed"]) or "nothing that runs record"
    others = f", with {point['together'] - 1} other series" if point["together"] > 1 else ""
    return (
        f"{'new: ' if point['new'] else ''}{point['step']} by {point['factor']:.3f} from "
        f"{point['run']} on (p {point['p_value']:.2g}{others}); changed there: {changed}"
    )
