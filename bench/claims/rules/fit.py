"""`fit`: the same work with a wrapping and without it, over batch and depth: what does it cost?

    rule = "fit"
    pairs = ["keras torch / torch eager", ...]   with the wrapping / without
    limit = 0.03                                 a cost that makes no difference
    models, phases, batches, devices, processes  as in `ratio`

The times of all cells of a pair are laid on a straight line, time with = intercept + slope * time
without, in least squares of relative errors. The intercept is what each step costs however little
it computes; the slope is what the cost grows with the work. The statement expects a cost: a slope
above 1 + limit, an intercept above `limit` of the shortest step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import stats
from bench.cases import Cell, Contender
from bench.claims import compare
from bench.claims.population import Evidence, Measured, Scope, contenders
from bench.claims.rule import Needs, Rule
from bench.claims.verdicts import Expectation, Finding, Row, found
from bench.errors import BenchError
from bench.stats import Rounds

BATCHES = (1, 4)  # that a run for it measures where it names none
LEAST = 3  # cells that a line needs to be more than drawn through its points


@dataclass(frozen=True, kw_only=True)
class Fit(Rule, kind="fit"):
    """Intercept and slope of each pair, in each phase and on each device."""

    pairs: tuple[str, ...]
    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()
    limit: float = 0.03
    processes: int = 2

    @property
    def scope(self) -> Scope:
        return Scope(self.models, self.phases, self.batches, self.devices)

    @property
    def sides(self) -> list[tuple[Contender, Contender]]:
        return [sides(pair) for pair in self.pairs]

    def check(self) -> None:
        """Each pair names two contenders; names exist."""
        self.scope.check()
        if not self.sides:
            raise BenchError("pairs is empty: name one, such as 'keras torch / torch eager'")

    def needs(self) -> Needs:
        both = tuple(dict.fromkeys(side for pair in self.sides for side in pair))
        return Needs(both, self.models, self.phases, self.batches or BATCHES)

    def judge(self, evidence: Evidence) -> Finding:
        """Two rows for each line; over all cells the geometric mean of the ratios."""
        values = evidence.measured("seconds", self.scope)
        lines = {(pair, key): cells for pair in self.sides
                 for key, cells in grouped(values, pair, self.processes).items()}  # fmt: skip
        drawn = {key: cells for key, cells in lines.items() if len(cells) >= LEAST}
        count = 2 * len(drawn)
        rows = [
            row for key, cells in drawn.items() for row in self.rows(*key, values, cells, count)
        ]
        single = [
            compare.ratio(values[pair[0]][cell], values[pair[1]][cell])
            for (pair, _), cells in drawn.items()
            for cell in cells
        ]
        words = self.what or "time with the wrapping, times that without"
        expected = Expectation("more", 1.0, self.limit)
        effect = compare.geometric(single) if single else None
        return found(words, rows, expected, effect, self.missing(drawn, lines))

    def missing(self, drawn: Any, lines: Any) -> list[str]:
        done = {pair for pair, _ in drawn}
        said = [
            f"{a} and {b} in at least {LEAST} cells (networks and batches) of one phase, "
            f"with {self.processes} processes each"
            for a, b in self.sides
            if (a, b) not in done
        ]
        cells = [cell for found in lines.values() for cell in found]
        return [*said, *(self.scope.missing(cells) if cells else [])]

    def rows(
        self, pair: tuple[Contender, Contender], key: tuple[str, str], values: Measured,
        cells: Sequence[Cell], count: int,
    ) -> list[Row]:  # fmt: skip
        """Slope and intercept of one line."""
        wrapped, plain = ([values[side][cell] for cell in cells] for side in pair)
        slope, intercept = line(wrapped, plain)
        shortest = min(map(stats.central, plain))
        where = {"contender": str(pair[0]), "rival": str(pair[1]), "phase": key[0],
                 "device": key[1], "cells": len(cells)}  # fmt: skip
        processes = min(map(len, [*wrapped, *plain]))
        slope, intercept = (linear(e, processes, count) for e in (slope, intercept))
        enough = Expectation("more", self.limit * shortest)
        return [
            Row(where | {"figure": "slope"}, slope,
                Expectation("more", 1.0, self.limit).holds(slope)),
            Row(where | {"figure": "intercept"}, intercept, enough.holds(intercept),
                {"unit": "seconds", "shortest_step": shortest}),
        ]  # fmt: skip


def sides(pair: str) -> tuple[Contender, Contender]:
    """Two contenders from `with / without`; raises BenchError."""
    words = [part.strip() for part in pair.split("/")]
    if len(words) != 2 or not all(words):
        raise BenchError(f"pairs: {pair!r} is no pair such as 'keras torch / torch eager'")
    found = [contenders(word) for word in words]
    if any(len(each) != 1 for each in found):
        raise BenchError(f"pairs: {pair!r} names more than one contender on a side")
    return found[0][0], found[1][0]


def grouped(
    values: Measured, pair: tuple[Contender, Contender], processes: int
) -> dict[tuple[str, str], list[Cell]]:
    """The cells that both have, by phase and device."""
    here, there = (values.get(side, {}) for side in pair)
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in sorted(here.keys() & there.keys()):
        if min(len(here[cell]), len(there[cell])) >= processes:
            found.setdefault((cell.phase, cell.device), []).append(cell)
    return found


def line(
    wrapped: Sequence[Rounds], plain: Sequence[Rounds]
) -> tuple[stats.Estimate, stats.Estimate]:
    """Slope, and intercept in seconds, with intervals."""
    centres = [[np.array([stats.central(rounds)]) for rounds in side] for side in (wrapped, plain)]
    slope, intercept = (float(values[0]) for values in solved(*centres))
    draws, processes = compare.drawn(
        [*wrapped, *plain], lambda d: np.stack(solved(d[: len(wrapped)], d[len(wrapped) :]))
    )
    return (
        compare.interval(slope, draws[0], processes),
        compare.interval(intercept, draws[1], processes),
    )


def solved(
    wrapped: Sequence[NDArray[np.float64]], plain: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes and intercepts of least squares of (wrapped - line) / plain, in each draw."""
    x, y = 1 / np.stack(plain), np.stack(wrapped) / np.stack(plain)  # y = slope + intercept * x
    centred = x - x.mean(axis=0)
    intercept = (centred * y).sum(axis=0) / (centred**2).sum(axis=0)
    return y.mean(axis=0) - intercept * x.mean(axis=0), intercept


def linear(found: stats.Estimate, processes: int, comparisons: int) -> stats.Estimate:
    """An interval widened for several comparisons, on the scale of the figure itself."""
    factor = compare.quantile(comparisons, processes) / compare.quantile(1, processes)
    return stats.Estimate(
        found.value,
        found.value + (found.low - found.value) * factor,
        found.value + (found.high - found.value) * factor,
    )
