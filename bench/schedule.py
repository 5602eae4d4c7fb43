"""Who measures when, how long, and when it is enough. No clock is read and nothing started here.

A *heat* is a network and batch with contenders that fit into memory together: one process each,
warmed up, all but one stopped. For each phase its contenders alternate in short blocks, in *rounds*
of an order drawn anew, so that no contender always meets the machine in the same state and ratios
can be paired by round. Heats are repeated with new processes: the unit of replication.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from bench.cases import Contender, Plan
from bench.stats import Components

MEMORY = -1  # the process in which memory is weighed
WARMUP = 1 / 3  # of a share at most; first calls (compilation) are not counted against it
# Seconds that a sample lasts at least: far above the clock's resolution, on a GPU also above the
# cost of waiting. Not longer: the longer a sample, the more of them hold a slice of time that the
# system gave to somebody else, and the median moves. And the same for all: with samples of 5 ms a
# process was called four times as slow as its copy with samples of 0.3 ms.
SHORTEST = {"cpu": 0.001, "cuda": 0.01}
# Calls in which is looked whether work goes on after the wait, the most where steps are short.
CALLS = {"least": 3, "most": 7, "seconds": 1.0}
ACCUSATIONS = 3  # one after the other, before that is believed
BLOCK = 0.1  # seconds of a block, or one step where that is longer: docs/measuring.md
MOST = 1000  # samples in a block
ROUNDS = (3, 60)  # of a process, at least and at most, where the budget allows
AGAIN = 1 / 3  # of the rounds of a process are repeated at most, where something disturbed them
ENOUGH = 3  # processes before an interval is believed narrow
ROOM = 0.7  # of the free memory that the workers of a heat may fill


@dataclass(frozen=True)
class Heat:
    """Contenders that race on a network at the same time, as their processes of this number."""

    process: int
    model: str
    batch: int
    contenders: tuple[Contender, ...]


def networks(plan: Plan, process: int) -> list[tuple[str, int]]:
    """The networks and batches, in the order of this repetition; the same for the same seed."""
    found = [(model, batch) for model in plan.models for batch in plan.batches]
    order(plan, process).shuffle(found)
    return found


def order(plan: Plan, *what: object) -> random.Random:
    """The source of an order; of its own for each occasion."""
    return random.Random(" ".join(map(str, (plan.seed, *what))))


def heats(
    plan: Plan,
    process: int,
    network: tuple[str, int],
    contenders: Sequence[Contender],
    size: Callable[[Contender], float],
    room: float,
) -> list[Heat]:
    """The contenders in an order drawn anew, as many in a heat as fit into `room` bytes."""
    left = list(contenders)
    order(plan, process, *network).shuffle(left)
    groups: list[list[Contender]] = []
    filled = 0.0
    for contender in left:
        if not groups or filled + size(contender) > room:
            groups.append([])
            filled = 0.0
        groups[-1].append(contender)
        filled += size(contender)
    return [Heat(process, *network, tuple(group)) for group in groups]


def rounds(
    counts: Mapping[Contender, int], source: random.Random
) -> Iterator[tuple[int, list[Contender]]]:
    """Each round's number and contenders, in an order drawn anew. Who can afford fewer blocks than
    the others takes part in rounds that are spread over the race."""
    total = max(counts.values(), default=0)
    for number in range(total):
        taking = [c for c, n in counts.items() if takes_part(number, n, total)]
        source.shuffle(taking)
        yield number, taking


def again(disturbed: Iterable[int], total: int, source: random.Random) -> list[int]:
    """Which disturbed rounds of so many are repeated, so that pairs that were not disturbed make up
    for them: drawn anew, for none is better than another."""
    found = sorted(disturbed)
    source.shuffle(found)
    return found[: ceil(AGAIN * total)]


def takes_part(number: int, count: int, total: int) -> bool:
    return count > 0 and (number * count) % total < count


def affordable(share: float, step: float) -> int:
    """How many blocks a share of the time holds, where a step lasts so long: at least one."""
    return max(1, min(ROUNDS[1], int(share / max(BLOCK, step))))


def samples(length: float) -> int:
    """At most how many samples of this length a block has: one where two would not fit."""
    return 1 if 2 * length > BLOCK else MOST


def wanted(noise: Components | None, start: float, block: float) -> int:
    """The rounds of a process that make the most precise mean for the time spent: the square root
    of (cost of a process / cost of a round) x (variance of rounds / of processes), as Kalibera and
    Jones 2013 have it, equation 6; the most where nothing is known or processes do not differ."""
    if noise is None or noise.process == 0:
        return ROUNDS[1]
    best = sqrt(start / block * noise.round / noise.process)
    return max(ROUNDS[0], min(ROUNDS[1], ceil(best)))
