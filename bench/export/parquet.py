"""Apache Parquet, a file for each table: the types of columns are kept."""

from __future__ import annotations

from pathlib import Path

from bench import tables
from bench.store import Run, Tables

NAME = "."


def write(run: Run, frames: Tables, out: Path) -> list[Path]:
    """All tables into the folder `out`; the samples alone where it ends in .parquet."""
    return tables.write(
        run, frames, out, ".parquet", lambda frame, path: frame.to_parquet(path, index=False)
    )
