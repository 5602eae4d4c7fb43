"""`fit`: the same work with a wrapping and without it, over batch and depth: what does it cost?

rule = "fit"
pairs = ["keras torch / torch eager", ...]  with the wrapping / without
figure = "slope"                            or intercept
expect, bound, margin                       where it is put
models, phases, batches, devices, processes as in `ratio`

The times of all cells of a pair are laid on a straight line, time with = intercept + slope * time
without, in least squares of relative errors, for each process by itself. The slope is what the cost
grows with the work; the intercept is what each step costs however little it computes, given as
1 + intercept / the shortest step, so that 1.03 is 3% of that step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import stats
from bench.claims.measured import Evidence, Measured, Place, words_of
from bench.claims.rows import Row, measured
from bench.claims.rule import Needs, choice
from bench.claims.verdicts import Finding
from bench.claims.versus import PROCESSES, Opposed, Pair, by_process
from bench.claims.words import Message
from bench.errors import BenchError

BATCHES = (1, 4)  # that a run for it measures where it names none
LEAST = 3  # cells that a line needs to be more than drawn through its points
CELLS = "{missing}; at least {least} cells (networks, batches) of one phase"
Line = list[Place]


@dataclass(frozen=True, kw_only=True)
class Fit(Opposed, kind="fit"):
    """The slope or the intercept of each pair, in each phase and on each device."""

    figure: str = choice("slope", "intercept")

    def check(self) -> None:
        """As for others; at least two processes tell how far lines differ."""
        super().check()
        if self.processes < 2:
            raise BenchError(f"processes = {self.processes}: at least 2 for a line of each")

    def needs(self) -> Needs:
        need = super().needs()
        return Needs(need.contenders, need.models, need.phases, need.batches or BATCHES)

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each line."""
        found = evidence.measured("seconds", self.scope)
        rows = [self.row(pair, line, found) for pair in self.sides for line in lines(found, pair)]
        good = [row for row in rows if row and len(row.values) >= self.processes]
        missing = self.lacking(good, evidence)
        if missing:
            missing[0] = Message(CELLS, missing=missing[0], least=LEAST)
        return Finding(
            self.says(self.figure), self.expected, tuple(good), tuple(missing), PROCESSES
        )

    def row(self, pair: Pair, line: Line, found: Measured) -> Row | None:
        """The figure of one line, by process; None where no process has it."""
        times = [[medians(found[side][place]) for place in line] for side in pair]
        common = set.intersection(*(set(own) for side in times for own in side))
        values, seconds = {}, []
        for process in sorted(common):
            wrapped, plain = (np.array([own[process] for own in side]) for side in times)
            slope, intercept = solved(wrapped, plain)
            figures = {"slope": slope, "intercept": 1 + intercept / float(plain.min())}
            if figures[self.figure] > 0:
                values[process] = figures[self.figure]
                seconds.append(intercept)
        if not values:
            return None
        run, cell = line[0]
        where = {"contender": str(pair[0]), "rival": str(pair[1]), "phase": cell.phase,
                 "device": cell.device, "threads": cell.threads}  # fmt: skip
        detail = {"cells": [words_of(place, ()) for place in line],
                  "intercept_seconds": float(np.median(seconds))}  # fmt: skip
        return measured(where, values, run, **detail)


def lines(found: Measured, pair: Pair) -> Iterator[Line]:
    """The places that both have, by run and all of the cell but the network and the batch."""
    here, there = (found.get(side, {}) for side in pair)
    groups: dict[Any, Line] = {}
    for run, cell in sorted(here.keys() & there.keys()):
        key = (run, cell.phase, cell.device, cell.precision, cell.threads)
        groups.setdefault(key, []).append((run, cell))
    yield from (line for line in groups.values() if len(line) >= LEAST)


def medians(blocks: stats.Blocks) -> dict[int, float]:
    """The time of a step in each process."""
    return {process: stats.median(own).value for process, own in by_process(blocks).items()}


def solved(wrapped: Any, plain: Any) -> tuple[float, float]:
    """Slope and intercept of least squares of (wrapped - line) / plain."""
    design = np.stack([np.ones_like(plain), 1 / plain], axis=1)
    slope, intercept = np.linalg.lstsq(design, wrapped / plain, rcond=None)[0]
    return float(slope), float(intercept)
