"""Steps in series of times: where a level changed for good, and how sure that is.

`ruptures` finds the best places for one cut and for two (two, or a slowdown that was mended later
would hide itself) in the *ranks* of a series, so that odd nights weigh no more than others. The
best of many places is always striking, so the same search is done in shuffled ranks: the p-value is
the share of them in which it gains as much. This is exact whatever the noise is like, as long as
nights without a step could have come in any order; it cannot be where each resembles the last.

Many series are looked at together: Benjamini and Hochberg's procedure sets one threshold for all,
so that a history without a step shows one with a probability of LEVEL, and steps that many series
make at once are believed sooner. `python scripts/alarms.py` measures both: docs/history.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bench.errors import BenchError

try:
    import ruptures
except ImportError:
    raise BenchError(
        "steps are found by ruptures, which is not installed: there is none for Python 3.14 yet; "
        "use Python 3.11 to 3.13, or pip install ruptures"
    ) from None

LEVEL = 0.05  # of a false alarm in a whole history
SHORTEST = 3  # runs that a level lasts: one or two odd nights are no step
CUTS = (1, 2)
FIRST, MORE = 500, 4  # shuffles, and how many times as many where these do not tell
PORTION = 500  # are drawn at once
ENOUGH = 20  # shuffles that gain as much: no more are needed to know that it is no step
FINE = 20  # shuffles that gain as much, at the least threshold: it is known to 1 / sqrt(20)
EXACT = 1e-9  # gains that differ by less are equal

Ranks = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """`index`: the first run of the new level. `factor`: its median over that of the level before.
    `p_value`: of a cut like this, anywhere in the series, by chance."""

    index: int
    factor: float
    p_value: float


def find(histories: Sequence[Sequence[float]]) -> list[list[Step]]:
    """The steps of each series of times, a time per run, oldest first; the series are judged
    together, and each needs 2 * SHORTEST runs."""
    long = [times for times in histories if len(times) >= 2 * SHORTEST]
    most = shuffles(len(long))
    chances = [min(chance(ranked(times), most).values()) for times in long]
    threshold = benjamini_hochberg(chances)
    return [steps(times, threshold, most) for times in histories]


def shuffles(series: int) -> int:
    """How many show a p-value as small as a single step among so many series needs."""
    return max(FIRST, ceil(FINE * len(CUTS) * max(1, series) / LEVEL))


def benjamini_hochberg(chances: Sequence[float]) -> float:
    """The greatest p-value that is believed at LEVEL; 0 where none is."""
    total = len(chances)
    ordered = enumerate(sorted(chances), start=1)
    return max((LEVEL * n / total for n, p in ordered if p <= LEVEL * n / total), default=0.0)


def steps(times: Sequence[float], threshold: float, most: int) -> list[Step]:
    """The steps of one series; levels are the medians between two of them."""
    found = within(times, threshold, most)
    if not found:
        return []
    bounds = placed(times, [0, *(index for index, _ in found), len(times)])
    levels = [float(np.median(times[start:end])) for start, end in pairwise(bounds)]
    return [
        Step(index, after / before, p_value)
        for index, (_, p_value), (before, after) in zip(
            bounds[1:-1], found, pairwise(levels), strict=True
        )
    ]


def placed(times: Sequence[float], bounds: Sequence[int]) -> list[int]:
    """The bounds, each moved to where the distances to the medians beside it are least: ranks say
    that there is a step, but little of how far the values are apart, and so of where it is."""
    moved = [0]
    for end in bounds[2:]:
        piece = np.log(times[moved[-1] : end])
        search = ruptures.Dynp(model="l1", min_size=SHORTEST, jump=1).fit(piece)
        moved.append(moved[-1] + int(search.predict(n_bkps=1)[0]))
    return [*moved, len(times)]


def within(times: Sequence[float], threshold: float, most: int) -> list[tuple[int, float]]:
    """The first run and p-value of each step in a piece: of the most cuts that are all believed,
    and of those in the pieces that these leave, which share the threshold."""
    ranks = ranked(times)
    chances = chance(ranks, most)
    for cuts in sorted(chances, reverse=True):
        bounds = [0, *best(ranks, cuts)]
        found = [max(chances[cuts], p) for p in alone(times, bounds, most)]
        if max(found) <= threshold:
            inner = [
                (start + index, p)
                for start, end in pairwise(bounds)
                for index, p in within(times[start:end], threshold / (cuts + 1), most)
            ]
            return sorted([*zip(bounds[1:-1], found, strict=True), *inner])
    return []


def alone(times: Sequence[float], bounds: Sequence[int], most: int) -> list[float]:
    """The p-value of a cut in the two pieces beside each of several, without what lies beyond: one
    cut of a pair must not be believed for the sake of the other."""
    if len(bounds) == 3:
        return [0.0]
    pieces = [ranked(times[start:end]) for start, end in zip(bounds, bounds[2:], strict=False)]
    return [luck(len(piece), 1).p_value(gains(piece[None], 1)[0], most) for piece in pieces]


def ranked(times: Sequence[float]) -> Ranks:
    return np.asarray(rankdata(times), dtype=float)


def best(ranks: Ranks, cuts: int) -> list[int]:
    """The ends of the pieces whose squares about their means are least."""
    search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(ranks)
    return list(search.predict(n_bkps=cuts))


def gains(ranks: Ranks, cuts: int) -> Ranks:
    """By how much the best cuts of each row lessen the squares about its mean: what the search of
    `best` comes to, in many rows at once."""
    count = ranks.shape[1]
    sums = np.cumsum(ranks - ranks.mean(axis=1, keepdims=True), axis=1)
    if cuts == 1:
        at = np.arange(SHORTEST, count - SHORTEST + 1)
        return np.asarray(np.max(sums[:, at - 1] ** 2 * (1 / at + 1 / (count - at)), axis=1))
    found = np.zeros(len(ranks))
    for second in range(2 * SHORTEST, count - SHORTEST + 1):
        first = np.arange(SHORTEST, second - SHORTEST + 1)
        before, both = sums[:, first - 1], sums[:, second - 1]
        pair = before**2 / first + (both[:, None] - before) ** 2 / (second - first)
        found = np.maximum(found, pair.max(axis=1) + both**2 / (count - second))
    return found


def chance(ranks: Ranks, most: int) -> dict[int, float]:
    """The p-value of the best so many cuts, times the numbers of cuts that are tried."""
    possible = [cuts for cuts in CUTS if len(ranks) >= (cuts + 1) * SHORTEST]
    return {
        cuts: len(possible) * luck(len(ranks), cuts).p_value(gains(ranks[None], cuts)[0], most)
        for cuts in possible
    }


@cache
def luck(count: int, cuts: int) -> Luck:
    return Luck(count, cuts)


class Luck:
    """What the search gains in so many ranks without order. They are drawn when they are needed,
    from a seed: the answer does not depend on what was asked before."""

    def __init__(self, count: int, cuts: int) -> None:
        self.ranks, self.cuts = np.arange(1.0, count + 1), cuts
        self.random = np.random.default_rng([count, cuts])
        self.gains = np.empty(0)

    def p_value(self, gained: float, most: int) -> float:
        """From at most so many shuffles, and fewer where it is plain that it is no step (Besag and
        Clifford 1991)."""
        size = min(FIRST, most)
        while True:
            reached = int((self.drawn(size) >= gained * (1 - EXACT)).sum())
            if reached >= ENOUGH or size == most:
                return (1 + reached) / (1 + size)
            size = min(MORE * size, most)

    def drawn(self, size: int) -> Ranks:
        while len(self.gains) < size:
            rows = np.tile(self.ranks, (PORTION, 1))
            more = gains(self.random.permuted(rows, axis=1), self.cuts)
            self.gains = np.append(self.gains, more)
        return self.gains[:size]
