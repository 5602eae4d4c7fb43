"""Writes tables for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bench.errors import unknown

FORMATS = ("csv", "parquet")


@click.command(name="export")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", "kind", default="csv", show_default=True, metavar="|".join(FORMATS))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: RUN/export.")
def command(folder: Path, kind: str, out: Path | None) -> None:
    """Write the tables of RUN: samples, blocks, memory, processes, outcomes, verdicts, summary."""
    from bench import store, summary

    if kind not in FORMATS:
        raise unknown("format", kind, FORMATS)
    tables = store.load(folder)
    frames = vars(tables) | {"summary": summary.summarise(store.Run.open(folder), tables)}
    target = out or folder / "export"
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        click.echo(write(frame, target / f"{name}.{kind}", kind))


def write(frame: Any, path: Path, kind: str) -> str:
    """Write one table; nested values, such as versions, as JSON text."""
    nested = [c for c in frame if frame[c].map(lambda v: isinstance(v, dict | list)).any()]
    frame = frame.assign(**{c: frame[c].map(json.dumps) for c in nested})
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return str(path)
