"""Steps in a series: where its level changed for good, and how sure that is.

`ruptures` finds the best places for one cut and for two (two, or a slowdown that was mended later
would hide itself). Student's t says whether each is more than chance: the best of many places is
always striking, so its p-value is multiplied by the number of possible places and of the series that
are looked at together. Odd nights deceive t in a long history (three of them in 90 runs with
Student's noise of 3 degrees: 41% false alarms), so ranks must say the same, as far as so few runs can.
`bench history --selftest` measures the rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import comb, exp, sqrt
from typing import Any

import numpy as np
import ruptures
from numpy.typing import NDArray
from scipy.stats import distributions, mannwhitneyu

LEVEL = 0.025  # of a whole history; half of 5%, since one-sided noise was measured at 8% with 0.05
SHORTEST = 3  # runs that a level lasts: one or two odd nights are no step
CUTS = (2, 1)  # tried at once, before the pieces are looked at in the same way
EXACT = 1e-9  # relative; no series of times is more regular than this


@dataclass(frozen=True)
class Step:
    """`index`: the first run of the new level. `factor`: new level over old. `p_value`: of a step
    like this in any of the series by chance."""

    index: int
    factor: float
    p_value: float


def find(seconds: Sequence[float], series: int = 1) -> list[Step]:
    """The steps of one of `series` series of positive times, a time per run, oldest first."""
    return within(np.log(np.asarray(seconds, dtype=float)), series)


def within(levels: NDArray[Any], series: int) -> list[Step]:
    """The steps of a piece: of the most cuts that are all significant, and those between them."""
    for cuts in CUTS:
        if len(levels) < (cuts + 1) * SHORTEST:
            continue
        bounds = [0, *best(levels, cuts)]
        found = tested(levels, bounds, series * len(CUTS) * places(len(levels), cuts))
        if all(step.p_value <= LEVEL for step in found):
            inner = [
                replace(step, index=step.index + start)
                for start, end in pairwise(bounds)
                for step in within(levels[start:end], series)
            ]
            return sorted([*found, *inner], key=lambda step: step.index)
    return []


def best(levels: NDArray[Any], cuts: int) -> list[int]:
    """The ends of the pieces whose squares about their means are least."""
    search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(levels)
    return list(search.predict(n_bkps=cuts))


def places(count: int, cuts: int) -> int:
    """In how many ways so many values can be cut into pieces of at least SHORTEST."""
    return comb(count - (cuts + 1) * (SHORTEST - 1) - 1, cuts)


def tested(levels: NDArray[Any], bounds: Sequence[int], chances: int) -> list[Step]:
    """Each cut with its p-value times `chances`, the variance pooled over all pieces."""
    pieces = [levels[start:end] for start, end in pairwise(bounds)]
    freedom = len(levels) - len(pieces)
    spread = sqrt(sum(len(piece) * np.var(piece) for piece in pieces) / freedom)
    found = []
    for (before, after), index in zip(pairwise(pieces), bounds[1:], strict=False):
        change = float(np.mean(after) - np.mean(before))
        error = max(spread, EXACT) * sqrt(1 / len(before) + 1 / len(after))
        p_value = chances * 2 * float(distributions.t.sf(abs(change) / error, freedom))
        if p_value <= LEVEL:  # ranks are slow
            p_value = max(p_value, chances * ranks(before, after))
        found.append(Step(index, exp(change), min(1.0, p_value)))
    return found


def ranks(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Mann and Whitney's p-value; 0 where no value of one piece lies among the other's."""
    apart = max(before) < min(after) or max(after) < min(before)
    return 0.0 if apart else float(mannwhitneyu(before, after).pvalue)
