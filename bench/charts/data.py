"""What the charts and the report are drawn from: the summaries of runs beside their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench import store, summary
from bench.errors import BenchError
from bench.store import CELL, CONTENDER, Run, Tables

PLACE = ["run", "machine"]  # where a case was measured, beside its cell
SITUATION = [*CELL, *PLACE]
GIB = 2**30
NUMBERS = ["median", "low", "high", "ratio", "ratio_low", "ratio_high", "images_per_second",
           "peak_memory", "first_call"]  # fmt: skip


@dataclass(frozen=True)
class Data:
    """Runs, ready to be drawn.

    summary: the rows of `summary.summarise` with `run`, `machine`, and `contender`, a name that is
    as short as the others allow. tables: of all runs. headers: of each run by name. runs: where
    they are."""

    summary: pd.DataFrame
    tables: Tables
    headers: dict[str, dict[str, Any]]
    runs: Sequence[Run] = ()

    @property
    def measured(self) -> pd.DataFrame:
        """The rows that have a time."""
        return self.summary[self.summary["median"].notna()]

    @property
    def contenders(self) -> list[str]:
        """Every name, measured or not; their order gives colours and shapes."""
        return sorted(set(self.summary["contender"]))

    @cached_property
    def history(self) -> pd.DataFrame:
        """Each case over the runs, oldest first, with its steps (`bench.history.table`) and
        `contender`; raises BenchError where steps cannot be found."""
        from bench import history  # needs ruptures, which no other chart does

        return named(history.table(history.find(run.folder for run in self.runs)))


def newest(folder: Path = Path("results")) -> tuple[Path, ...]:
    """The run that was begun last in a folder; raises BenchError where there is none."""
    runs = store.find(folder)
    if not runs:
        raise BenchError(f"no run in {folder}: name one, or measure with bench run")
    return (runs[-1],)


def gather(folders: Sequence[Path]) -> Data:
    """The data of runs; raises BenchError for a folder that is no run, and for two of one name."""
    runs = [Run.open(folder) for folder in folders]
    names = [run.folder.resolve().name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise BenchError(f"two runs are called {name}: rename one of their folders")
    headers = {name: run.header() for name, run in zip(names, runs, strict=True)}
    tables = [store.load(run.folder.resolve()) for run in runs]
    frames = [
        summary.summarise(run, table).assign(run=name, machine=machine(headers[name]))
        for name, run, table in zip(names, runs, tables, strict=True)
    ]
    summaries = named(joined(frames))
    summaries[NUMBERS] = summaries[NUMBERS].astype(float)
    return Data(summaries, together(tables), headers, runs)


def machine(header: dict[str, Any]) -> str:
    """A machine in a few words: processor, how many, memory, GPUs as far as the run knows them."""
    known = header.get("machine", {})
    parts = [known.get("processor") or "unknown processor"]
    if known.get("processors"):
        parts.append(f"{known['processors']} processors")
    if known.get("memory_bytes"):
        parts.append(f"{known['memory_bytes'] / GIB:.0f} GiB")
    gpus = known.get("gpus")
    if gpus and isinstance(gpus, list):
        parts += [str(g.get("name", g)) if isinstance(g, dict) else str(g) for g in gpus]
    elif gpus:
        parts.append(f"{gpus} GPU")
    return ", ".join(parts)


def together(tables: Sequence[Tables]) -> Tables:
    return Tables(**{f.name: joined([getattr(t, f.name) for t in tables]) for f in fields(Tables)})


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All rows; frames without rows only lend their columns where there are none."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """With `contender`: the framework; its mode where it has several here; whether untuned."""
    several = frame.groupby("framework")["mode"].nunique() > 1
    names = [
        " ".join([framework, *([mode] * bool(several[framework])), *([] if tuned else ["untuned"])])
        for framework, mode, tuned in zip(*(frame[c].tolist() for c in CONTENDER), strict=True)
    ]
    return frame.assign(contender=names)
