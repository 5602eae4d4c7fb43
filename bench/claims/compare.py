"""The one place where claims use statistics: ratios with intervals, corrected, and their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import distributions

from bench import stats
from bench.stats import Estimate, Rounds


def ratio(rounds: Rounds, base: Rounds, comparisons: int = 1) -> Estimate:
    """How many times the base's; the interval holds for all of so many comparisons together."""
    return corrected(stats.ratio(rounds, base), min(len(rounds), len(base)), comparisons)


def corrected(found: Estimate, rounds: int, comparisons: int) -> Estimate:
    """The interval widened on the scale of ratios as Bonferroni asks for so many comparisons."""
    factor = quantile(comparisons, rounds) / quantile(1, rounds)
    low, high = (found.value * (end / found.value) ** factor for end in (found.low, found.high))
    return Estimate(found.value, float(low), float(high))


def quantile(comparisons: int, rounds: int) -> float:
    """Student's quantile of an interval at LEVEL for all comparisons together; with one round,
    whose spread says nothing of other processes, the normal one."""
    tail = 1 - (1 - stats.LEVEL) / comparisons / 2
    family = distributions.t(rounds - 1) if rounds > 1 else distributions.norm
    return float(family.ppf(tail))


def geometric(found: Sequence[Estimate]) -> Estimate:
    """The geometric mean of independent ratios."""
    centre = float(np.mean([log(f.value) for f in found]))
    below = sqrt(sum(log(f.value / f.low) ** 2 for f in found)) / len(found)
    above = sqrt(sum(log(f.high / f.value) ** 2 for f in found)) / len(found)
    return Estimate(exp(centre), exp(centre - below), exp(centre + above))


def drawn(
    sides: Sequence[Rounds], figure: Callable[[Sequence[NDArray[np.float64]]], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], int]:
    """A figure of several sides' medians in each bootstrap draw, and the fewest rounds. Sides with
    the same rounds have them drawn together."""
    medians = [
        stats.draws(side, np.random.default_rng(stats.SEED), np.random.default_rng(index))
        for index, side in enumerate(sides)
    ]
    return figure(medians), min(map(len, sides))


def interval(value: float, draws: NDArray[np.float64], rounds: int) -> Estimate:
    """The interval of draws of a figure that may be negative, widened for few rounds."""
    tail = (1 - stats.LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    factor = stats.widening(rounds)
    return Estimate(
        value, float(value + (low - value) * factor), float(value + (high - value) * factor)
    )
