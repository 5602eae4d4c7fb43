"""Which measurements a test speaks of: contenders, cells and what was measured there.

A contender is named as a word: `torch` is PyTorch in its default mode, `torch compile` that mode,
`keras *` every mode, `*` every framework in its default mode. Tunings are applied, but for words
that end in `untuned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from bench import cases, frameworks, models
from bench.cases import Cell, Contender
from bench.errors import BenchError, unknown
from bench.frameworks import Framework
from bench.settings import DEVICES
from bench.store import CELL, CONTENDER, Tables

METRICS = {  # a table, its column, and what it is in words
    "seconds": ("samples", "seconds", "time of a step"),
    "memory": ("memory", "used", "peak memory"),
    "build": ("processes", "build_seconds", "time to build the graph"),
    "import": ("processes", "import_seconds", "time to import the framework"),
    "first_call": ("blocks", "first_call", "time of the first call, compiling included"),
}
PLACE = ["run", *CONTENDER, "model", "batch", "round"]
Measured = dict[Contender, dict[Cell, dict[int, list[float]]]]


@dataclass(frozen=True)
class Scope:
    """The cells that a test speaks of; an empty field means all that were measured."""

    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()

    def holds(self, cell: Cell) -> bool:
        """Whether a cell belongs to it; building and importing have no phase."""
        return (
            (not self.models or cell.model in self.models)
            and (not self.phases or cell.phase in (*self.phases, ""))
            and (not self.batches or cell.batch in self.batches)
            and (not self.devices or cell.device in self.devices)
        )

    def check(self) -> None:
        """Raises BenchError for a phase, device or network that there is not."""
        names = [name for name in self.models if ":" not in name]
        for what, words, choices in (
            ("phase", self.phases, cases.PHASES),
            ("device", self.devices, DEVICES),
            ("network", names, models.discover()),
        ):
            for word in words:
                if word not in choices:
                    raise unknown(what, word, choices)

    def missing(self, cells: Iterable[Cell]) -> list[str]:
        """What it names and no cell has, in words."""
        seen = list(cells)
        named: dict[str, tuple[Any, ...]] = {
            "device": self.devices, "model": self.models, "phase": self.phases,
            "batch": self.batches,
        }  # fmt: skip
        said = []
        for what, wanted in named.items():
            known = {getattr(cell, what) for cell in seen}
            lacking = [str(name) for name in wanted if name not in known and "" not in known]
            said += [f"no comparison on {what} {', '.join(lacking)}"] if lacking else []
        return said


def contenders(word: str) -> list[Contender]:
    """Those that a word means; raises BenchError."""
    name, *rest = word.split()
    tuned = "untuned" not in rest
    modes = [part for part in rest if part != "untuned"]
    known = discovered()
    if name == "*":
        return [Contender(f.name, f.modes[0], tuned) for f in known.values()]
    if name not in known:
        raise unknown("framework", name, [*known, "*"])
    own = known[name].modes
    if modes == ["*"]:
        return [Contender(name, mode, tuned) for mode in own]
    if len(modes) > 1:
        raise BenchError(f"{word!r} names more than one mode: write each as a word of its own")
    mode = modes[0] if modes else own[0]
    if mode not in own:
        raise unknown(f"mode of {name}", mode, [*own, "*"])
    return [Contender(name, mode, tuned)]


@cache
def discovered() -> Mapping[str, Framework]:
    """Every framework: reading all metadata takes longer than judging."""
    return frameworks.discover()


def everyone(words: Iterable[str], but: Sequence[Contender] = ()) -> list[Contender]:
    """The contenders that several words mean, each once, without some."""
    found = dict.fromkeys(c for word in words for c in contenders(word))
    return [contender for contender in found if contender not in but]


class Evidence:
    """The tables of runs; what was measured is taken from them once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.known: dict[str, Measured] = {}

    def measured(self, metric: str, scope: Scope) -> Measured:
        """What was measured of each contender in the cells of the scope, by round."""
        if metric not in self.known:
            self.known[metric] = measured(self.tables, metric)
        return {
            contender: {cell: rounds for cell, rounds in cells.items() if scope.holds(cell)}
            for contender, cells in self.known[metric].items()
        }


def measured(tables: Tables, metric: str) -> Measured:
    """Everything of one metric; rounds are those of all runs, numbered through."""
    table, column, _ = METRICS[metric]
    frame = getattr(tables, table)
    if table == "processes":
        frame = placed(frame, tables)
    frame = frame[pd.to_numeric(frame[column], errors="coerce") > 0] if len(frame) else frame
    if frame.empty:
        return {}
    frame = frame.assign(at=frame.groupby(["run", "round"]).ngroup())
    found: Measured = {}
    for key, values in frame.groupby([*CONTENDER, *CELL, "at"])[column]:
        named: Any = key
        framework, mode, tuned, model, batch, phase, device, precision, threads, at = named
        cell = Cell(model, int(batch), phase, device, precision, int(threads))
        cells = found.setdefault(Contender(framework, mode, bool(tuned)), {})
        cells.setdefault(cell, {})[int(at)] = values.tolist()
    return found


def placed(processes: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Processes with the device, precision and threads of what they measured, and no phase."""
    if processes.empty:
        return processes
    where = [*PLACE, "device", "precision", "threads"]
    parts = [frame[where] for frame in (tables.blocks, tables.memory) if len(frame)]
    if not parts:
        return processes.iloc[:0]
    known = pd.concat(parts).drop_duplicates()
    return processes.merge(known, on=PLACE).assign(phase="")


def words_of(contender: Contender, cell: Cell) -> dict[str, Any]:
    """A comparison's place as plain data."""
    row: Mapping[str, Any] = {k: getattr(cell, k) for k in CELL if getattr(cell, k) != ""}
    return {"contender": str(contender), **row}
