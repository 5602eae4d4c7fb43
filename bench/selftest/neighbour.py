"""A neighbour that makes noise: a process that keeps one processor busy in bursts.

Bursts and pauses last 0.02 to 1 s, drawn on a logarithmic scale: shorter and longer than a block.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SHORTEST, LONGEST = 0.02, 1.0  # seconds


@contextmanager
def neighbour(noisy: bool, seed: int = 0) -> Iterator[None]:
    """It lives as long as the context, if there is to be one."""
    if not noisy:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "bench.selftest.neighbour", str(seed)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def duration(source: random.Random) -> float:
    return float(SHORTEST * (LONGEST / SHORTEST) ** source.random())


def disturb(seed: int) -> None:
    """For ever."""
    source = random.Random(seed)
    while True:
        end = time.perf_counter() + duration(source)
        while time.perf_counter() < end:
            pass
        time.sleep(duration(source))


if __name__ == "__main__":
    disturb(int(sys.argv[1]))
