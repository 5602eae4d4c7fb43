"""Comma-separated values, a file for each table."""

from __future__ import annotations

from pathlib import Path

from bench import tables
from bench.store import Run, Tables

NAME = "."


def write(run: Run, frames: Tables, out: Path) -> list[Path]:
    """All tables into the folder `out`; the samples alone where it ends in .csv."""
    return tables.write(
        run, frames, out, ".csv", lambda frame, path: frame.to_csv(path, index=False)
    )
