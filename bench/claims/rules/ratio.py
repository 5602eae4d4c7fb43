"""`ratio`: a contender against rivals in the same cells: time, memory, building, first call.

rule = "ratio"
subject = ["torch"]               who is spoken of, see bench/claims/population.py
rivals = ["tensorflow", "keras"]  whom it is compared with, "*" for all others
pairs = ["keras jax / jax nnx"]   or, in place of both, each with one rival of its own
metric = "seconds"                or memory, above_baseline, build, import, first_call
expect, bound, margin             where the ratio subject / rival is put
models, phases, batches, devices  the cells, by default all that were measured
networks = 1                      at least
processes = 2                     that both had, at least, else there is no comparison
"""

from __future__ import annotations

from dataclasses import dataclass

from bench import stats
from bench.claims.measured import METRICS, WEIGHED
from bench.claims.rule import choice
from bench.claims.versus import Paired, Versus, by_process
from bench.stats import Blocks


@dataclass(frozen=True, kw_only=True)
class Ratio(Paired, kind="ratio"):
    """The subject's figure divided by each rival's, in each cell."""

    metric: str = choice(*METRICS, default="seconds")

    @property
    def weighed(self) -> bool:
        return self.metric in WEIGHED

    @property
    def words(self) -> str:
        return f"{METRICS[self.metric][2]}, times the rival's"

    def values(self, here: Blocks, there: Blocks) -> Versus:
        """By process; the blocks of one round are paired."""
        one, other = by_process(here), by_process(there)
        return {p: stats.ratio(one[p], other[p]).value for p in one if p in other}
