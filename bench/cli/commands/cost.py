"""Shows what a run cost beside time."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.cli.options import json_option
from bench.cli.output import emit


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
    console.cost(frame)
    if said := cost.reason(run, frame):
        console.out.print(f"joules: unavailable: {said}", markup=False)
