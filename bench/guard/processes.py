"""The processor time of process groups, exact to nanoseconds, and the processors of their threads.

/proc/PID/stat rounds to 10 ms; the processes' own clocks (clock_getcpuclockid(3)) do not."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator

Spent = dict[int, float]  # processor seconds so far, by process
SCHEDULER = 2  # CPUCLOCK_SCHED of Linux: the time that the scheduler gave to all threads


def spent(groups: Collection[int]) -> Spent:
    """Of each process in these groups that lives, and of this process."""
    return {pid: seconds for pid in [os.getpid(), *members(groups)] if (seconds := clock(pid))}


def between(before: Spent, after: Spent) -> float:
    """Seconds from one look to the next; what has begun since counts whole."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def members(groups: Collection[int]) -> Iterator[int]:
    """The processes of these groups; a system call of a microsecond for each one that lives."""
    for pid in living():
        try:
            if os.getpgid(pid) in groups:
                yield pid
        except OSError:
            continue  # it has ended meanwhile


def living() -> list[int]:
    """Every process; none where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def clock(pid: int) -> float:
    """Processor seconds of a process, all its threads together; 0 where it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | SCHEDULER)
    except OSError:
        return 0.0


def loose(groups: Collection[int], allowed: Iterable[int]) -> int:
    """How many threads of these groups may run on other processors than those allowed.

    The group's leader is bound before it imports anything, and threads inherit: one that is not
    bound has freed itself."""
    limits = set(allowed)
    return sum(not affinity(thread) <= limits for thread in threads(groups))


def threads(groups: Collection[int]) -> Iterator[int]:
    for pid in members(groups):
        try:
            yield from map(int, os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
        except OSError:
            continue


def affinity(thread: int) -> set[int]:
    """The processors that a thread may use; none where it has ended."""
    try:
        return set(os.sched_getaffinity(thread))
    except OSError:
        return set()
