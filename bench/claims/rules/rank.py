"""`rank`: does less of a counted figure mean less time, from network to network?

    rule = "rank"
    subject = ["*"]                   each contender by itself
    figure = "macs"                   or params
    networks = 8                      in a situation at least
    expect, bound, margin             where the share is put
    models, phases, batches, devices  as in `ratio`
    processes = 2                     of each network at least

The figure is the share of pairs of networks in which the one with less is the faster one, which is
(1 + Kendall's tau) / 2: 0.5 for no connection, 1 for the same order. The networks are those that
were measured, and the interval says nothing of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from scipy.stats import kendalltau

from bench import stats
from bench.cases import Contender
from bench.claims import figures
from bench.claims.measured import Evidence, Measured
from bench.claims.population import everyone
from bench.claims.rows import Row, measured
from bench.claims.rule import Needs, Scoped, choice
from bench.claims.verdicts import Finding
from bench.claims.versus import PROCESSES, by_process
from bench.claims.words import Message
from bench.stats import Blocks

LEAST = 1e-3  # for none: shares are compared as factors
ASKED = "at least {networks} networks with {processes} processes in one phase and batch: {names}"
Situation = tuple[str, Contender, str, int, str, str]  # run, contender, phase, batch, device, ...


@dataclass(frozen=True, kw_only=True)
class Rank(Scoped, kind="rank"):
    """A share for each contender, phase, batch and device."""

    subject: tuple[str, ...]
    figure: str = choice("macs", "params", default="macs")
    networks: int = 8
    processes: int = 2

    def check(self) -> None:
        """Names exist."""
        super().check()
        everyone(self.subject)

    def needs(self) -> Needs:
        return Needs(tuple(everyone(self.subject)), self.models, self.phases, self.batches)

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each situation with enough networks."""
        who = everyone(self.subject)
        found = situations(evidence.measured("seconds", self.scope), who)
        enough = {key: cells for key, cells in found.items() if len(cells) >= self.networks}
        rows = [row for key, cells in enough.items() for row in self.rows(key, cells)]
        says = self.says(f"share of pairs of networks in which fewer {self.figure} are faster")
        missing = (*self.lacking(who, rows, evidence), *self.unseen(rows))
        return Finding(says, self.expected, tuple(rows), missing, PROCESSES)

    def lacking(self, who: list[Contender], rows: list[Row], evidence: Evidence) -> list[str]:
        seen = {row.where["contender"] for row in rows}
        names = tuple(c for c in who if str(c) not in seen and c not in evidence.failed)
        asked = Message(ASKED, networks=self.networks, processes=self.processes, names=names)
        return [asked] if names else []

    def rows(self, key: Situation, cells: Mapping[str, Blocks]) -> list[Row]:
        """The row of a situation, or none; with the networks that need less and take longer than
        their neighbour."""
        run, contender, phase, batch, device, precision = key
        times = {
            model: {p: stats.median(own).value for p, own in by_process(blocks).items()}
            for model, blocks in cells.items()
        }
        costs = {model: figures.of(self.figure, model) for model in times}
        common = sorted(set.intersection(*(set(own) for own in times.values())))
        if len(common) < self.processes:
            return []
        values = {p: share(list(costs.values()), [times[m][p] for m in costs]) for p in common}
        middle = {model: stats.median(blocks).value for model, blocks in cells.items()}
        order = sorted(costs, key=lambda model: costs[model])
        turned = [f"{a} > {b}" for a, b in pairwise(order) if middle[a] > middle[b]]
        where = {"contender": str(contender), "phase": phase, "batch": batch, "device": device,
                 "precision": precision}  # fmt: skip
        return [measured(where, values, run, networks=order, turned=turned)]


def situations(found: Measured, who: list[Contender]) -> dict[Situation, dict[str, Blocks]]:
    """What was measured of each network, by everything but the network."""
    groups: dict[Situation, dict[str, Blocks]] = {}
    for contender in who:
        for (run, cell), blocks in found.get(contender, {}).items():
            key = (run, contender, cell.phase, cell.batch, cell.device, cell.precision)
            groups.setdefault(key, {})[cell.model] = blocks
    return groups


def share(costs: list[Any], times: list[float]) -> float:
    """Of pairs, those in the same order."""
    return max(LEAST, (1 + float(kendalltau(costs, times).statistic)) / 2)
