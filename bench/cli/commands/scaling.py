"""Shows what more threads bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option
from bench.cli.output import emit
from bench.errors import BenchError
from bench.figures import significant

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["framework", "mode", "network", "batch", "phase", "threads", "ms", "speed-up",
           "95% interval", "efficiency", "processors busy"]  # fmt: skip


@click.command(name="scaling")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Speed-up and efficiency over threads, of a run that was given several: --threads 1,2."""
    from bench import store, threads

    frame = threads.scaling(store.load(folder))
    if not len(frame):
        raise BenchError(f"{folder} has one number of threads: measure with --threads 1,2")
    if as_json:
        emit(json.loads(frame.to_json(orient="records")))
    else:
        show(frame)


def show(frame: pd.DataFrame) -> None:
    """The table, see `threads.scaling`."""
    import pandas as pd

    from bench import console

    rows = []
    for case in frame.to_dict("records"):
        ends = (case["speedup_low"], case["speedup_high"])
        interval = "(one process)" if pd.isna(ends[0]) else f"{ends[0]:.2f} to {ends[1]:.2f}"
        rows.append([
            case["framework"], console.mode(case), case["model"], str(case["batch"]),
            case["phase"], str(case["threads"]), significant(case["median"] * 1e3, 4),
            f"{case['speedup']:.2f}", interval if case["speedup"] != 1 else "",
            f"{case['efficiency']:.0%}", f"{case['processors']:.2f}",
        ])  # fmt: skip
    console.table("Scaling over threads", COLUMNS, rows, left=5)
