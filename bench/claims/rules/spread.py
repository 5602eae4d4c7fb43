"""`spread`: is a contender's time steadier than its rivals'? The keys are those of `ratio`.

The spread of a process is how far its samples lie from the median of all processes, on average and
as a factor; so it holds what changes from process to process (the figure of Brown and Forsythe's
test of 1974, for factors).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench import stats
from bench.claims.rule import choice
from bench.claims.versus import Paired, Versus, by_process
from bench.stats import Blocks

LEAST = 1e-4  # below the clock's resolution nothing is steadier than anything


@dataclass(frozen=True, kw_only=True)
class Spread(Paired, kind="spread"):
    """The subject's spread divided by each rival's, in each cell."""

    metric: str = choice("seconds", default="seconds")

    @property
    def words(self) -> str:
        return "spread of the time of a step, times the rival's"

    def values(self, here: Blocks, there: Blocks) -> Versus:
        """By process."""
        one, other = spreads(here), spreads(there)
        return {p: one[p] / other[p] for p in one if p in other}


def spreads(blocks: Blocks) -> Versus:
    """Of each process."""
    middle = np.log(stats.median(blocks).value)
    found = {}
    for process, own in by_process(blocks).items():
        samples = np.concatenate([np.asarray(block) for block in own.values()])
        found[process] = max(LEAST, float(np.mean(abs(np.log(samples) - middle))))
    return found
