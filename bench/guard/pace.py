"""How fast the processors are right now: the time of a fixed piece of work on each.

A neighbour on the other half of a core, or a clock that sinks, slows everything down and shows in
no counter of a virtual machine. The work is done between blocks, while every worker stands still:
what it tells is a property of the machine, and cannot favour a contender. It is told, and decides
nothing: see docs/machine.md.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np

SIDE, PRODUCTS = 48, 20  # of matrices, one after the other: 0.1 ms, in one thread
TRIES = 3  # of which the fastest counts: an interrupt is no pace
KEPT = 200  # readings of a processor
POSSIBLE = hasattr(os, "sched_setaffinity")  # Linux alone lets a thread choose its processor
SLOWED = 1.25  # times as slow as usual: something else slows the processor down


@cache
def matrix() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.full((SIDE, SIDE), 1 / SIDE, np.float32)


def work() -> float:
    """Seconds that the work takes, on the processor where this thread is."""
    found, one = [], matrix()
    for _ in range(TRIES):
        start = time.perf_counter()
        for _ in range(PRODUCTS):
            one @ one
        found.append(time.perf_counter() - start)
    return min(found)


def timed(cpus: Sequence[int]) -> list[float]:
    """Seconds of the work on each of these processors, one after the other."""
    allowed, found = os.sched_getaffinity(0), []
    try:
        for cpu in cpus:
            os.sched_setaffinity(0, {cpu})
            found.append(work())
    finally:
        os.sched_setaffinity(0, allowed)
    return found


class Pace:
    """Of these processors; remembers what the work takes there. Of none where they cannot be
    chosen, or where workers never stand `still`."""

    def __init__(
        self, cpus: Sequence[int], still: bool = True, read: Callable[..., list[float]] = timed
    ) -> None:
        self.cpus = list(cpus) if still and POSSIBLE else []
        self.reads = read
        self.known: list[deque[float]] = [deque(maxlen=KEPT) for _ in self.cpus]

    def read(self) -> list[float]:
        """How slow each processor is: times its usual, which is the lower quartile of what it
        took so far."""
        found = self.reads(self.cpus) if self.cpus else []
        for known, seconds in zip(self.known, found, strict=True):
            known.append(seconds)
        return [s / float(np.quantile(k, 0.25)) for k, s in zip(self.known, found, strict=True)]

    @contextmanager
    def watch(self) -> Iterator[dict[str, float]]:
        """`slowed`: the slowest of the processors before and after, in times of its usual; filled
        in when what is inside has ended."""
        seen: dict[str, float] = {}
        before = self.read()
        yield seen
        if found := [*before, *self.read()]:
            seen["slowed"] = max(found)
