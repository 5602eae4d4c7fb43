"""`spread`: is a contender's time steadier than its rivals'? The keys are those of `ratio`.

The spread of a contender in a cell is the interquartile range of all its samples over their median:
half of its runs lie within it. It includes what changes from process to process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import iqr

from bench import stats
from bench.claims import compare
from bench.claims.population import Evidence
from bench.claims.rules.ratio import Compared, Pair
from bench.claims.verdicts import Finding, found
from bench.stats import Estimate, Rounds

LEAST = 1e-4  # of the median: below the clock's resolution nothing is steadier than anything
DRAWS, PICKED = 500, 100  # bootstrap draws, and samples of each process in one


@dataclass(frozen=True, kw_only=True)
class Spread(Compared, kind="spread"):
    """The subject's relative spread divided by each rival's."""

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each rival and cell; over all of them the geometric mean."""
        values = evidence.measured("seconds", self.scope)
        pairs = list(self.pairs(values))
        single = [against(pair[3], pair[4]) for pair in pairs]
        rows = [self.row(p, e, len(pairs), spreads(p)) for p, e in zip(pairs, single, strict=True)]
        effect = compare.geometric(single) if single else None
        words = self.what or "spread of the time of a step, times the rival's"
        return found(words, rows, self.expected, effect, self.missing(values, pairs))


def spreads(pair: Pair) -> dict[str, float]:
    """Both sides' spreads."""
    return {"spread": relative(pooled(pair[3])), "rival_spread": relative(pooled(pair[4]))}


def pooled(rounds: Rounds) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(samples, np.float64) for samples in rounds.values()])


def relative(samples: NDArray[np.float64]) -> float:
    """Interquartile range over median."""
    return max(float(iqr(samples) / np.median(samples)), LEAST)


def against(here: Rounds, there: Rounds) -> Estimate:
    """The ratio of two spreads."""
    value = relative(pooled(here)) / relative(pooled(there))
    draws = drawn(here, stats.SEED) / drawn(there, stats.SEED + 1)
    return stats.estimate(value, draws, min(len(here), len(there)))


def drawn(rounds: Rounds, seed: int) -> NDArray[np.float64]:
    """The spread in each bootstrap draw of processes, then of samples within each."""
    random, keys = np.random.default_rng(seed), sorted(rounds)
    count = min(PICKED, *map(len, rounds.values()))
    pools = np.stack([random.choice(rounds[k], (DRAWS, len(keys) * count)) for k in keys])
    chosen = random.integers(len(keys), size=(DRAWS, len(keys)))
    picked = np.take_along_axis(pools, np.repeat(chosen, count, axis=1)[None], axis=0)[0]
    spreads: NDArray[np.float64] = iqr(picked, axis=1) / np.median(picked, axis=1)
    return np.maximum(spreads, LEAST)
