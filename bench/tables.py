"""Tables as files of their own: all of a run's in a folder, or its samples in one file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench import summary
from bench.store import Run, Tables

Writer = Callable[[pd.DataFrame, Path], None]


def write(run: Run, tables: Tables, out: Path, suffix: str, writer: Writer) -> list[Path]:
    """All tables into the folder `out`; the samples alone where it is named like a file."""
    if out.suffix == suffix:
        writer(plain(tables.samples), out)
        return [out]
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in (vars(tables) | {"summary": summary.summarise(run, tables)}).items():
        written.append(out / f"{name}{suffix}")
        writer(plain(frame), written[-1])
    return written


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Nested values, such as versions, as JSON text."""
    objects = [str(c) for c in frame if frame[c].dtype == object]
    nested = [c for c in objects if frame[c].map(lambda v: isinstance(v, dict | list)).any()]
    return frame.assign(**{c: frame[c].map(json.dumps) for c in nested})
