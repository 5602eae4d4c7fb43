"""Runs for other programs: a format is a file of this folder, found by its name.

Each has `NAME`, where its answer goes in RUN/export if nobody says, and `write(run, tables, out)`,
which answers with the files that it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol

from bench import store, summary
from bench.errors import unknown
from bench.store import Run, Tables


class Format(Protocol):
    """What the files of this folder are."""

    NAME: str

    def write(self, run: Run, tables: Tables, out: Path) -> list[Path]: ...


def formats() -> dict[str, str]:
    """The names of the formats, and the modules that write them."""
    names = (module.name for module in iter_modules(__path__))
    return {name.replace("_", "-"): f"{__name__}.{name}" for name in names}


def find(kind: str) -> Format:
    """The format of a name; raises BenchError where there is none."""
    known = formats()
    if kind not in known:
        raise unknown("format", kind, known)
    module: Any = import_module(known[kind])
    chosen: Format = module
    return chosen


def write(run: Run, chosen: Format, out: Path | None) -> list[Path]:
    """Write a run in a format."""
    target = out or run.folder / "export" / chosen.NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    return chosen.write(run, store.load(run.folder), target)


def measured(run: Run, tables: Tables) -> Iterator[dict[str, Any]]:
    """The rows of the summary that have a number."""
    frame = summary.summarise(run, tables)
    for row in frame[frame["median"].notna()].to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def title(row: dict[str, Any]) -> str:
    """A case in words, the same in every run: `resnet50 train, batch 4, fp32, cpu, 2 threads: torch
    eager`."""
    tuned = "" if row["tuned"] else " untuned"
    return (
        f"{row['model']} {row['phase']}, batch {row['batch']}, {row['precision']}, "
        f"{row['device']}, {row['threads']} threads: {row['framework']} {row['mode']}{tuned}"
    )
