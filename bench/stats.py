"""Medians, ratios, their intervals and verdicts: pure functions on samples.

Samples come in blocks, by process and round. A block is summed up by its median, a process by the
median over its blocks, on the scale of logarithms: times and ratios are positive and err by
factors. For a ratio the blocks of one round are paired first, so that what the machine did to both
in that round falls out.

A process is the unit of replication (Kalibera and Jones 2013): memory layout and compilation differ
from one process to the next, and no number of samples in one of them tells by how much. An interval
is Student's, of the processes' values. Their spread holds that of rounds and samples already; to
draw those again, as a bootstrap of all levels does, counts them twice (Davison and Hinkley 1997,
section 3.8), and a bootstrap of three values covers the truth in 86% of cases instead of 95%.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp, inf, log, sqrt
from statistics import median as median_of
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Block = tuple[int, int]  # process, and round within it
Blocks = Mapping[Block, Sequence[float]]  # samples in seconds
Value = TypeVar("Value")
Key = TypeVar("Key", bound=Hashable)
LEVEL = 0.95
MARGIN = 0.03  # a difference below it is none in practice
MEDIAN = np.pi / 2  # the variance of a median, in those of a mean
NORMAL = 1.349  # the interquartile range of a normal variable, in standard deviations


class Watched(dict[Block, Sequence[float]]):
    """Blocks of which some are `marked`: something disturbed the machine in them."""

    def __init__(self, blocks: Blocks, marked: Collection[Block]) -> None:
        super().__init__(blocks)
        self.marked = frozenset(marked)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval at the level LEVEL; `error` is the standard error of its logarithm,
    with so many degrees of freedom: none, and no interval, where a single process was measured."""

    value: float
    error: float
    freedom: float

    @property
    def low(self) -> float:
        return self.interval()[0]

    @property
    def high(self) -> float:
        return self.interval()[1]

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Of any level; without bounds where nothing is known of other processes."""
        if self.freedom <= 0:
            return (0.0, inf)
        half = float(student.ppf((1 + level) / 2, self.freedom)) * self.error
        return (self.value * exp(-half), self.value * exp(half))

    @property
    def width(self) -> float:
        """Half of the interval, relative to the value: 0.03 is "within 3%"."""
        return self.high / self.value - 1 if self.freedom > 0 else inf

    def beyond(self, factor: float) -> float:
        """How likely is a value this far above `factor`, or further, if that were the truth?"""
        distance = log(self.value / factor)
        if self.freedom <= 0 or (self.error == 0 and distance == 0):
            return 1.0
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        return float(student.sf(distance / self.error, self.freedom))


ONE = Estimate(1.0, 0.0, inf)  # the ratio of a thing to itself


def centre(samples: Sequence[float]) -> float:
    """What a block comes to."""
    return median_of(samples)  # NumPy's takes five times as long for so few


def outliers(blocks: Blocks) -> int:
    """How many samples are far out in their process: more than three interquartile ranges beyond
    the quartiles of the logarithms (Tukey 1977). They are counted, never dropped."""
    return sum(far_out(np.log(np.concatenate(each))) for each in grouped(blocks).values())


def far_out(logs: NDArray[Any]) -> int:
    low, high = np.quantile(logs, [0.25, 0.75])
    fence = 3 * (high - low)
    return int(((logs < low - fence) | (logs > high + fence)).sum())


def grouped(values: Mapping[Block, Value]) -> dict[int, list[Value]]:
    """What the blocks of each process have, in their order."""
    found: dict[int, list[Value]] = {}
    for (process, _), value in values.items():
        found.setdefault(process, []).append(value)
    return found


def by_process(values: Mapping[Block, float]) -> NDArray[Any]:
    """The median over rounds of the logarithms, for each process."""
    return np.array([np.median(np.log(each)) for each in grouped(values).values()])


def estimate(values: Mapping[Block, float]) -> Estimate:
    """The geometric mean over processes of the medians over rounds."""
    logs = by_process(values)
    return Estimate(exp(logs.mean()), spread(logs), len(logs) - 1)


def spread(logs: NDArray[Any]) -> float:
    """The standard error of the mean; 0 where there is one value."""
    return float(logs.std(ddof=1) / sqrt(len(logs))) if len(logs) > 1 else 0.0


def marks(blocks: Blocks) -> frozenset[Block]:
    return blocks.marked if isinstance(blocks, Watched) else frozenset()


def undisturbed(blocks: Blocks) -> Blocks:
    """The blocks in which nothing disturbed the machine."""
    marked = marks(blocks)
    return {block: samples for block, samples in blocks.items() if block not in marked}


def unmarked(values: Mapping[Block, Value], marked: Collection[Block]) -> dict[Block, Value]:
    """Without the marked blocks of each process that has others: what disturbed them is no property
    of the contender. A process that was disturbed throughout keeps all, for it is a replicate."""
    quiet = {block[0] for block in values if block not in marked}
    return {b: v for b, v in values.items() if b not in marked or b[0] not in quiet}


def median(blocks: Blocks) -> Estimate:
    """The time of a step, in the samples' unit."""
    kept = unmarked(blocks, marks(blocks))
    return estimate({block: centre(samples) for block, samples in kept.items()})


def ratio(blocks: Blocks, base: Blocks) -> Estimate:
    """How many times the base's. Blocks of one round of one process number are paired; where the
    two share none, as in different runs, each has its own error."""
    shared = blocks.keys() & base.keys()
    if shared:
        pairs = {b: centre(blocks[b]) / centre(base[b]) for b in sorted(shared)}
        return estimate(unmarked(pairs, marks(blocks) | marks(base)))
    return quotient(median(blocks), median(base))


def centred(blocks: Blocks) -> Watched:
    """What each block comes to, as blocks of one sample."""
    return Watched({block: [centre(samples)] for block, samples in blocks.items()}, marks(blocks))


def quotient(one: Estimate, other: Estimate) -> Estimate:
    """The ratio of two that know nothing of each other (Welch)."""
    value = one.value / other.value
    return Estimate(value, *pooled([(one.error, one.freedom), (other.error, other.freedom)]))


def pooled(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The standard error of a sum of independent parts, and its degrees of freedom
    (Satterthwaite); none where a part has none."""
    variance = sum(error**2 for error, _ in parts)
    if any(freedom <= 0 for _, freedom in parts):
        return sqrt(variance), 0
    if variance == 0:
        return 0.0, sum(freedom for _, freedom in parts)
    return sqrt(variance), variance**2 / sum(error**4 / freedom for error, freedom in parts)


def geometric(estimates: Sequence[Estimate]) -> Estimate:
    """The geometric mean of independent estimates, such as ratios on several networks: these are
    fixed, and the interval says nothing of others."""
    error, freedom = pooled([(e.error, e.freedom) for e in estimates])
    mean = exp(np.mean([log(e.value) for e in estimates]))
    return Estimate(mean, error / len(estimates), freedom)


# -- verdicts -------------------------------------------------------------------------------------

FASTER, SLOWER, SAME, UNDECIDED = "FASTER", "SLOWER", "SAME", "UNDECIDED"


def verdicts(ratios: Sequence[Estimate], margin: float = MARGIN, beyond: float = 0.0) -> list[str]:
    """What can be said of each ratio of times, with at most 1 - LEVEL of a wrong word in the whole
    list (Holm 1979).

    SAME: within the margin, as two one-sided tests have it (Schuirmann 1987). FASTER, SLOWER: not
    equal, by more than `beyond` (0: by however little), and not known to be within the margin. Else
    UNDECIDED."""
    different = differing(ratios, 1 + beyond)
    same = holm([max(within(r, margin), within(inverse(r), margin)) for r in ratios])
    return [
        word(r, d < 1 - LEVEL, s < 1 - LEVEL)
        for r, d, s in zip(ratios, different, same, strict=True)
    ]


def to_fastest(cells: Iterable[Mapping[Key, Blocks]]) -> dict[Key, tuple[Estimate, str]]:
    """Everybody's ratio to the fastest of his cell, and what can be said of it; of the fastest
    himself nothing.

    Who is fastest is seen in the same samples, so the words are those of a table of all pairs:
    corrected for the ratios to the fastest alone, 12 of 100 tables of eleven equals had a wrong one
    instead of 5 (`tests/test_stats.py`)."""
    pairs = {key: ratio for blocks in cells for key, ratio in slower(blocks).items()}
    judged = zip(pairs.items(), verdicts(list(pairs.values())), strict=True)
    # Pairs stand from the slowest to the fastest: everybody's last one is with the fastest.
    return {one: (ratio, word) for ((one, _), ratio), word in judged}


def slower(blocks: Mapping[Key, Blocks]) -> dict[tuple[Key, Key], Estimate]:
    """The ratio of each to each that is faster, the slowest first."""
    known = {key: centred(each) for key, each in blocks.items()}
    order = sorted(known, key=lambda key: median(known[key]).value, reverse=True)
    return {(one, two): ratio(known[one], known[two]) for one, two in combinations(order, 2)}


def differing(ratios: Sequence[Estimate], edge: float = 1.0) -> list[float]:
    """How likely is each ratio this far above `edge` or below its inverse if it were there?
    Adjusted for their number."""
    return holm([2 * min(r.beyond(edge), inverse(r).beyond(edge)) for r in ratios])


def word(ratio: Estimate, different: bool, same: bool) -> str:
    if same:
        return SAME
    if not different:
        return UNDECIDED
    return SLOWER if ratio.value > 1 else FASTER


def within(ratio: Estimate, margin: float) -> float:
    """How likely is a ratio this far below 1 + margin if that were the truth?"""
    return inverse(ratio).beyond(1 / (1 + margin))


def inverse(ratio: Estimate) -> Estimate:
    return Estimate(1 / ratio.value, ratio.error, ratio.freedom)


def holm(chances: Sequence[float]) -> list[float]:
    """Adjusted p values: those of m tests together (Holm 1979)."""
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    found, highest = [0.0] * len(chances), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[index]))
        found[index] = highest
    return found


# -- where the noise comes from -------------------------------------------------------------------


@dataclass(frozen=True)
class Components:
    """Variances of the logarithm: of processes among each other, of rounds within a process."""

    process: float
    round: float


def components(values: Mapping[Block, float]) -> Components | None:
    """By analysis of variance of one layer in the other; None where no process has two rounds, or
    there are no two processes. Robust to single disturbed rounds as the median is: the spread of
    rounds is that of their interquartile range."""
    groups = [np.log(each) for each in grouped(values).values()]
    several = [logs for logs in groups if len(logs) > 1]
    if len(groups) < 2 or not several:
        return None
    round_ = float(np.mean([scale(logs) ** 2 for logs in several]))
    count = float(np.mean([len(logs) for logs in groups]))
    of_medians = float(by_process(values).var(ddof=1))
    return Components(max(0.0, of_medians - MEDIAN * round_ / count), round_)


def scale(logs: NDArray[Any]) -> float:
    low, high = np.quantile(logs, [0.25, 0.75])
    return float((high - low) / NORMAL) if len(logs) > 3 else float(logs.std(ddof=1))
