"""Shows what more threads bring."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.cli.options import json_option
from bench.cli.output import emit
from bench.errors import BenchError


@click.command(name="scaling")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Speed-up and efficiency over threads, of a run that was given several: --threads 1,2."""
    from bench import console, store, threads

    frame = threads.scaling(store.load(folder))
    if not len(frame):
        raise BenchError(f"{folder} has one number of threads: measure with --threads 1,2")
    if as_json:
        emit(json.loads(frame.to_json(orient="records")))
    else:
        console.scaling(frame)
