"""Shows what a run cost beside time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option
from bench.cli.output import emit
from bench.figures import significant

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["framework", "mode", "network", "batch", "phase", "threads", "import s", "build s",
           "first call s", "step ms", "CPU ms", "joules", "mantissa bits",
           "reads host"]  # fmt: skip
FIGURES = {  # column of the frame: unit
    "import_seconds": 1, "build_seconds": 1, "first_call": 1, "seconds": 1e3, "cpu_per_step": 1e3,
    "joules_per_step": 1, "mantissa": 1,
}  # fmt: skip


@click.command(name="cost")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Import, build, first call, and per step: processor seconds, joules; what was detected."""
    from bench import console, cost, store

    run = store.Run.open(folder)
    frame = cost.cost(run, store.load(folder))
    if as_json:
        emit(json.loads(frame.to_json(orient="records")))
        return
    show(frame)
    if said := cost.reason(run, frame):
        console.out.print(f"joules: unavailable: {said}", markup=False)


def show(frame: pd.DataFrame) -> None:
    """The table, see `cost.cost`."""
    from bench import console

    words = {True: "yes", False: "no"}
    rows = [
        [case["framework"], console.mode(case), case["model"], str(case["batch"]), case["phase"],
         str(case["threads"]), *(figure(case[k], unit) for k, unit in FIGURES.items()),
         words.get(case["reads_host"], "")]
        for case in frame.to_dict("records")
    ]  # fmt: skip
    console.table("Cost beside time", COLUMNS, rows, left=5)


def figure(value: float | None, unit: float) -> str:
    return "" if value is None else significant(value * unit)
