"""`rank`: does less of a counted figure mean less time? Spearman's rank correlation over networks.

    rule = "rank"
    subject = ["*"]                   each framework by itself
    figure = "macs"                   or params
    networks = 8                      in a situation at least
    expect, bound, margin             where the correlation is put
    models, phases, batches, devices  as in `ratio`

The interval is that of the draws of networks and, within each, of processes: how far the
correlation depends on which networks one takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from bench import stats
from bench.cases import Cell, Contender
from bench.claims import compare, figures
from bench.claims.population import Evidence, Scope, everyone
from bench.claims.rule import Expecting, Needs, choice
from bench.claims.verdicts import Finding, Row, found, unanimous
from bench.stats import Estimate, Rounds

Situation = tuple[Contender, str, int, str, str]  # phase, batch, device, precision


@dataclass(frozen=True, kw_only=True)
class Rank(Expecting, kind="rank"):
    """A correlation for each contender, phase, batch and device."""

    subject: tuple[str, ...]
    figure: str = choice("macs", "params", default="macs")
    networks: int = 8
    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope:
        return Scope(self.models, self.phases, self.batches, self.devices)

    def check(self) -> None:
        """Names exist."""
        super().check()
        self.scope.check()
        everyone(self.subject)

    def needs(self) -> Needs:
        return Needs(tuple(everyone(self.subject)), self.models, self.phases, self.batches)

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each situation; the statement is of each framework, so there is no mean."""
        values, who = evidence.measured("seconds", self.scope), everyone(self.subject)
        situations: dict[Situation, dict[Cell, Rounds]] = {}
        for contender in who:
            for cell, rounds in values.get(contender, {}).items():
                key = (contender, cell.phase, cell.batch, cell.device, cell.precision)
                situations.setdefault(key, {})[cell] = rounds
        enough = {k: cells for k, cells in situations.items() if len(cells) >= self.networks}
        rows = [self.row(key, cells) for key, cells in enough.items()]
        metric = self.what or f"rank correlation of {self.figure} and the time of a step"
        effect = self.weakest(rows)
        return found(metric, rows, self.expected, effect, self.missing(who, enough))

    def weakest(self, rows: list[Row]) -> Estimate | None:
        """The lowest correlation, where all rows say the same: what holds for it holds for all."""
        if unanimous(row.holds for row in rows) is None:
            return None
        return min((row.found for row in rows), key=lambda e: e.low)

    def missing(self, who: list[Contender], enough: dict[Situation, Any]) -> list[str]:
        lacking = [str(c) for c in who if c not in {key[0] for key in enough}]
        where = f"at least {self.networks} networks in one phase and batch"
        return [f"{where} of {', '.join(lacking)}"] if lacking else []

    def row(self, key: Situation, cells: dict[Cell, Rounds]) -> Row:
        """The correlation, and the networks that need less and take longer than their neighbour."""
        costs = np.array([float(figures.of(self.figure, cell.model)) for cell in cells])
        times = [stats.central(rounds) for rounds in cells.values()]
        value = float(spearmanr(costs, times).statistic)
        estimate = bounded(value, correlations(costs, list(cells.values())))
        order = sorted(zip(costs, times, (c.model for c in cells), strict=True))
        turned = [f"{a[2]} > {b[2]}" for a, b in pairwise(order) if a[1] > b[1]]
        contender, phase, batch, device, precision = key
        where = {"contender": str(contender), "phase": phase, "batch": batch, "device": device,
                 "precision": precision, "networks": len(cells)}  # fmt: skip
        return Row(where, estimate, self.expected.holds(estimate), {"turned": turned})


def bounded(value: float, draws: NDArray[np.float64]) -> Estimate:
    """The percentile interval of the draws; a correlation cannot leave it by widening."""
    low, high = np.quantile(draws, [(1 - stats.LEVEL) / 2, (1 + stats.LEVEL) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))


def correlations(costs: NDArray[np.float64], times: list[Rounds]) -> NDArray[np.float64]:
    """Spearman's correlation in each draw of networks and of their processes."""
    medians, _ = compare.drawn(times, lambda drawn: np.stack(drawn))
    chosen = np.random.default_rng(stats.SEED).integers(len(costs), size=medians.shape)
    picked = np.take_along_axis(medians, chosen, axis=0)
    first, second = (rankdata(side, axis=0) for side in (costs[chosen], picked))
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    scale = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    kept = scale > 0  # a draw of one network alone has no order
    result: NDArray[np.float64] = (first * second).sum(axis=0)[kept] / scale[kept]
    return result
