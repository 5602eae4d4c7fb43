"""What a reader must know of a contender's times: pure functions of its samples.

Nothing is dropped for it, and no verdict is withheld: a mark stands beside the number. A suspicion
needs a difference that matters and a test that would raise it by chance once in a thousand cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median as middle
from typing import Any

import numpy as np
from diptest import diptest
from scipy.cluster.vq import kmeans2
from scipy.stats import combine_pvalues, kendalltau, theilslopes

from bench import stats
from bench.stats import Block, Blocks

Levels = Mapping[Block, float]


@dataclass(frozen=True)
class Kinds:
    """The centres of two kinds of samples or blocks, in seconds."""

    what: str
    low: float
    high: float

    @property
    def apart(self) -> float:
        """How many times the quicker the slower is."""
        return self.high / self.low

    def __str__(self) -> str:
        return f"two kinds of {self.what}, {self.low * 1e3:.3g} and {self.high * 1e3:.3g} ms"


CHANCE = 0.001  # of a suspicion of nothing
DRIFT = 0.1  # from the first to the last round of a process
APART = 1.15  # how many times the quicker of two modes the slower is
MORE = 2.0  # times as far apart as the machine's own
FEWEST = 8  # rounds, or samples, of a process, below which nothing is said
SHARE = 0.1  # of the samples that the rarer mode has at least
PART = 9  # samples of a block that are looked at
FASTER = 4  # times the speed of a matrix product: more than Winograd's algorithm saves
LEFT = 0.5  # of a step, that goes on after it
TICK = 1e-4  # seconds: less is the noise of a reading
PASSES = {"inference": 1, "forward": 1, "train": 3, "step": 3}  # of multiply-accumulates


def drift(own: Blocks, rivals: Sequence[Levels] = ()) -> str:
    """Whether steps become slower or faster from round to round of a process, by themselves and
    beside `rivals` (see `levelled`) in the same rounds: the machine may drift, and so may they."""
    alone = change(relative(own, ()))
    beside = change(relative(own, rivals)) if rivals else alone
    if alone * beside <= 0:
        return ""
    return f"drifts by {alone:+.0%} within a process"


def change(processes: Mapping[int, Mapping[int, float]]) -> float:
    """From the first round of a process to the last, relative: by the median over processes of the
    Theil-Sen slope; 0 where it is small or may be chance, by Kendall's test in each process, joined
    by Fisher's method."""
    chances, changes = [], []
    for rounds in processes.values():
        numbers, values = list(rounds), [log(v) for v in rounds.values()]
        if len(rounds) < FEWEST or len(set(values)) == 1:
            continue
        chances.append(float(kendalltau(numbers, values).pvalue))
        slope = float(theilslopes(values, numbers).slope)
        changes.append(exp(slope * (max(numbers) - min(numbers))) - 1)
    if not chances or combine_pvalues(chances).pvalue > CHANCE or abs(middle(changes)) < DRIFT:
        return 0.0
    return middle(changes)


def relative(own: Blocks, rivals: Sequence[Levels]) -> dict[int, dict[int, float]]:
    """The centre of each block over what the round did to the rivals, by process and round: the
    median of how far each of them is from its own middle in that process."""
    found: dict[int, dict[int, float]] = {}
    for (process, number), samples in sorted(own.items()):
        did = [other[process, number] for other in rivals if (process, number) in other]
        base = middle(did) if did else 1.0
        found.setdefault(process, {})[number] = stats.centre(samples) / base
    return found


def levelled(blocks: Blocks) -> Levels:
    """The centre of each block over the median of those of its process."""
    centres = {block: stats.centre(samples) for block, samples in blocks.items()}
    levels = {process: middle(each) for process, each in stats.grouped(centres).items()}
    return {block: centre / levels[block[0]] for block, centre in centres.items()}


def modes(own: Blocks) -> Kinds | None:
    """Whether a process has two speeds: within its blocks, or from block to block."""
    blocks = stats.grouped(own)
    parts = {p: [s for block in each for s in part(block)] for p, each in blocks.items()}
    centres = {p: [stats.centre(block) for block in each] for p, each in blocks.items()}
    return kinds(parts, "samples") or kinds(centres, "blocks")


def part(block: Sequence[float]) -> Sequence[float]:
    """PART of its samples at most: blocks last alike, and count alike."""
    return block[:: -(-len(block) // PART)]


def theirs(found: Mapping[Any, Kinds | None]) -> dict[Any, Kinds]:
    """The kinds of these contenders without the machine's: where most of several have two, it is
    the machine that has two speeds, but of who has them much further apart than the others."""
    two = {key: kinds for key, kinds in found.items() if kinds}
    if len(found) <= 2 or 2 * len(two) <= len(found):
        return two
    apart = {key: kinds.apart for key, kinds in two.items()}
    return {
        key: kinds
        for key, kinds in two.items()
        if apart[key] > MORE * middle(value for other, value in apart.items() if other != key)
    }


def kinds(values: Mapping[int, list[float]], what: str) -> Kinds | None:
    """Whether the values of a process come in two kinds: by the dip test (Hartigan 1985) in each
    process, joined by Fisher's method, with both kinds often and apart."""
    tried = [np.log(found) for found in values.values() if len(found) >= FEWEST]
    chances = [max(float(diptest(logs)[1]), 1e-12) for logs in tried]
    if not chances or combine_pvalues(chances).pvalue > CHANCE:
        return None  # nearly always: to look for the two kinds takes ten times as long
    pairs = list(filter(None, map(split, tried)))
    if 2 * len(pairs) <= len(tried):
        return None
    low, high = (middle(p[i] for p in pairs) for i in (0, 1))
    return Kinds(what, low, high)


def split(logs: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float] | None:
    """The centres of two kinds of samples; None where the rarer is rare or they are close."""
    ends = np.quantile(logs, [0.05, 0.95])
    centres, labels = kmeans2(logs, ends, minit="matrix")
    low, high = sorted(centres)
    rarer = min(np.mean(labels == 0), np.mean(labels == 1))
    if rarer < SHARE or high - low < log(APART):
        return None
    return (exp(low), exp(high))


def unsynchronised(taken: float, at_once: float, rested: float) -> str:
    """Whether work goes on after the wait: seconds of a step with its wait, and of reading its
    result at once and after a rest. Copies and conversions are in both of the latter."""
    left = at_once - rested
    if left < max(LEFT * taken, TICK):
        return ""
    return (
        f"not synchronised: {left * 1e3:.3g} ms of work go on after the wait, "
        f"{taken * 1e3:.3g} ms are reported"
    )


def impossible(seconds: float, macs: int, batch: int, phase: str, peak: float | None) -> str:
    """Whether a step is faster than the machine can be: `macs` multiply-accumulates an image,
    `peak` floating-point operations in a second of a large matrix product, if it is known."""
    if not peak:
        return ""
    speed = 2 * macs * batch * PASSES[phase] / seconds
    if speed <= FASTER * peak:
        return ""
    return (
        f"faster than possible: {speed / 1e9:.0f} Gflop/s, a matrix product here {peak / 1e9:.0f}: "
        "results are kept, or work is left undone"
    )
