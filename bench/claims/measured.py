"""What the tables hold of a metric, by contender and place, in blocks as bench.stats takes them."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import pandas as pd

from bench import summary
from bench.cases import Cell, Contender
from bench.claims.population import Scope
from bench.stats import Blocks
from bench.store import CELL, CONTENDER, Tables

METRICS = {  # a table, its column, and what it is in words
    "seconds": ("samples", "seconds", "time of a step"),
    "memory": ("memory", "used", "peak memory"),
    "above_baseline": ("memory", "above_baseline", "peak memory above the framework's own"),
    "build": ("processes", "build_seconds", "time to build the graph"),
    "import": ("processes", "import_seconds", "time to import the framework"),
    "first_call": ("warmups", "first_call", "time of the first call, compiling included"),
}
WEIGHED = ("memory", "above_baseline")  # once in each cell: networks are the replicates
NETWORK = ["run", *CONTENDER, "model", "batch"]
KEY = ["run", *CONTENDER, *CELL]
Place = tuple[str, Cell]  # a run and a cell of it: only what ran on one machine is compared
Measured = dict[Contender, dict[Place, Blocks]]


class Evidence:
    """The tables of runs; what was measured is taken from them once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.known: dict[str, Measured] = {}

    def measured(self, metric: str, scope: Scope) -> Measured:
        """What was measured of each contender in the cells of the scope."""
        if metric not in self.known:
            self.known[metric] = measured(self.tables, metric)
        return {
            contender: {place: blocks for place, blocks in places.items() if scope.holds(place[1])}
            for contender, places in self.known[metric].items()
        }

    @cached_property
    def failed(self) -> Collection[Contender]:
        """Those of whom a run found out that they cannot be measured, in some cell."""
        outcomes = self.tables.outcomes
        rows = outcomes[CONTENDER].drop_duplicates() if len(outcomes) else outcomes
        return {Contender(*row) for row in rows.itertuples(index=False)} if len(rows) else ()


def measured(tables: Tables, metric: str) -> Measured:
    """Everything of one metric."""
    table, column, _ = METRICS[metric]
    frame = getattr(tables, table)
    frame = placed(frame, tables) if table == "processes" else frame
    if frame.empty or column not in frame:
        return {}
    frame = frame[pd.to_numeric(frame[column], errors="coerce") > 0]
    frame = frame.assign(seconds=frame[column])
    frame = frame if table == "samples" else frame.assign(round=0)
    for column, usual in (("process", 0), ("marked", False)):
        frame = frame if column in frame else frame.assign(**{column: usual})
    wrong = tables.outcomes[tables.outcomes["status"] == "wrong"][KEY]
    bad = set(wrong.itertuples(index=False, name=None))  # found out while they ran
    found: Measured = {}
    for key, blocks in summary.grouped(frame, KEY).items():
        if key in bad:
            continue
        run, framework, mode, tuned, *cell = key
        places = found.setdefault(Contender(framework, mode, bool(tuned)), {})
        places[run, Cell(*cell)] = blocks
    return found


def placed(processes: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Processes with the device, precision and threads of what they measured, and no phase."""
    if processes.empty or tables.blocks.empty:
        return processes.iloc[:0]
    where = [*NETWORK, "device", "precision", "threads"]
    known = tables.blocks[where].drop_duplicates()
    own = [name for name in ("device", "precision", "threads") if name in processes]
    return processes.merge(known, on=[*NETWORK, *own]).assign(phase="")


def words_of(place: Place, runs: Collection[str]) -> dict[str, Any]:
    """A place as plain data; the run where there are several."""
    run, cell = place
    known = {key: getattr(cell, key) for key in CELL if getattr(cell, key) != ""}
    return ({"run": run} if len(runs) > 1 else {}) | known
