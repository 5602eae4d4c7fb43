"""Medians, intervals and ratios: pure functions on samples.

A process is the unit of replication: the bootstrap draws rounds first, then samples within each
(hierarchical bootstrap; Kalibera and Jones 2013 on why the levels matter), and its interval is
widened for few rounds: plain, it covered the truth in 68% of cases for two rounds and 86% for
three. With a single round it only tells of the spread inside one process; tables give the number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import distributions

Rounds = Mapping[int, Sequence[float]]  # samples in seconds by round
DRAWS = 2000
LEVEL = 0.95
SEED = 7


@dataclass(frozen=True)
class Estimate:
    """A value with its interval at the level LEVEL."""

    value: float
    low: float
    high: float


def median(rounds: Rounds) -> Estimate:
    """The median over rounds of each round's median, in the samples' unit."""
    return estimate(central(rounds), draws(rounds, np.random.default_rng(SEED)), len(rounds))


def ratio(rounds: Rounds, base: Rounds) -> Estimate:
    """How many times the base's median; rounds that both have are drawn together."""
    shared = sorted(set(rounds) & set(base))
    if shared:
        rounds, base = ({r: side[r] for r in shared} for side in (rounds, base))
    seeds = (SEED, SEED if shared else SEED + 3)  # no pairs: nothing is drawn together
    first, second = map(np.random.default_rng, seeds)
    above = draws(rounds, first, np.random.default_rng(SEED + 1))
    below = draws(base, second, np.random.default_rng(SEED + 2))
    count = min(len(rounds), len(base))
    return estimate(central(rounds) / central(base), above / below, count)


def central(rounds: Rounds) -> float:
    return float(np.median([np.median(samples) for samples in rounds.values()]))


def draws(
    rounds: Rounds, outer: np.random.Generator, inner: np.random.Generator | None = None
) -> NDArray[Any]:
    """DRAWS bootstrap medians; the same `outer` state draws the same rounds."""
    keys = sorted(rounds)
    chosen = outer.integers(len(keys), size=(DRAWS, len(keys)))
    inner = inner or outer
    medians = np.stack([resampled(np.asarray(rounds[k]), chosen.size, inner) for k in keys])
    picked = medians[chosen, np.arange(chosen.size).reshape(chosen.shape)]
    medians_of_draws: NDArray[Any] = np.median(picked, axis=1)
    return medians_of_draws


def resampled(samples: NDArray[Any], count: int, random: np.random.Generator) -> NDArray[Any]:
    """`count` medians of bootstrap resamples; the median's order statistic is drawn directly.

    The rank of a resample's median is that of the median of n uniform ranks, a Beta variable."""
    n = len(samples)
    shape = (n + 1) / 2
    ranks = np.minimum((random.beta(shape, shape, count) * n).astype(int), n - 1)
    ordered: NDArray[Any] = np.sort(samples)
    medians: NDArray[Any] = ordered[ranks]
    return medians


def widening(rounds: int) -> float:
    """By how much a bootstrap over so few rounds is too narrow: Student's quantile for the normal
    one, and n / (n - 1) for the variance. 9 for two rounds, 2.7 for three, 1.2 for ten; 1 for a
    single one, where nothing can be said of other processes."""
    if rounds < 2:
        return 1.0
    quantile = (1 + LEVEL) / 2
    student = distributions.t.ppf(quantile, rounds - 1) / distributions.norm.ppf(quantile)
    return float(student * sqrt(rounds / (rounds - 1)))


def estimate(value: float, drawn: NDArray[Any], rounds: int) -> Estimate:
    """The interval of the draws, widened on the scale of ratios: a time is never negative."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]) / value
    factor = widening(rounds)
    return Estimate(value, float(value * low**factor), float(value * high**factor))
