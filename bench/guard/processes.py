"""The processor time of every process, exact to nanoseconds.

/proc/PID/stat rounds to 10 ms; the processes' own clocks (clock_getcpuclockid(3)) do not."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable

Spent = dict[int, float]  # processor seconds so far, all threads of a process together
SCHEDULER = 2  # CPUCLOCK_SCHED of Linux: the time that the scheduler gave


def spent(group: int) -> tuple[Spent, Spent]:
    """Of the processes of a process group and of this process; and of all others that we see."""
    own: Spent = {}
    others: Spent = {}
    for pid in living():
        try:
            ours = os.getpgid(pid) == group or pid == os.getpid()
            (own if ours else others)[pid] = time.clock_gettime((~pid << 3) | SCHEDULER)
        except OSError:
            continue  # it has ended meanwhile
    return own, others


def living() -> list[int]:
    """Every process; none where there is no /proc."""
    return numbers("/proc")


def numbers(folder: str) -> list[int]:
    """The names in a folder that are numbers; none where there is no such folder."""
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def strayed(pids: Iterable[int], allowed: Collection[int]) -> Spent:
    """Processor seconds of each thread of these processes that may run elsewhere than on the
    processors allowed. The first was bound to them, and the others inherited that."""
    found: Spent = {}
    for thread in (thread for pid in pids for thread in numbers(f"/proc/{pid}/task")):
        try:
            if not os.sched_getaffinity(thread) <= set(allowed):
                found[thread] = scheduled(thread)
        except OSError:
            continue
    return found


def scheduled(thread: int) -> float:
    """Seconds of a thread, from /proc/TID/schedstat: its clock is open to its own process only."""
    with open(f"/proc/{thread}/schedstat") as file:  # noqa: PTH123
        return int(file.read().split()[0]) / 1e9


def between(before: Spent, after: Spent) -> float:
    """Seconds from one look to the next; what has begun since counts whole."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
