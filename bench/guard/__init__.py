"""What happens on the machine while a block is measured.

    guard = Guard.here("cpu", processors(threads))
    with guard.watch(worker.process.pid) as seen:
        measured = worker.call("measure", ...)
    race.append("block", ..., **measured, **seen)

Two looks at counters that the system keeps anyway, before and after; nothing runs beside the
measurement. The journal keeps what was seen; whether a block was disturbed is decided from that
when reading (`disturbance`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench import nvml
from bench.guard import counters, energy, processes
from bench.guard.counters import Times
from bench.guard.energy import Rapl
from bench.guard.processes import Spent

Number = TypeVar("Number", int, float)

SHARE = 0.05  # of one processor: who had more than this beside a block disturbed it
RESOLUTION = 0.05  # seconds: five columns of /proc/stat are cut to 10 ms each
TICK = 0.01  # seconds: so exact is one of them, such as steal


@dataclass(frozen=True)
class Look:
    """The counters at one moment; None where this machine has none."""

    time: float
    times: Times | None
    own: Spent
    others: Spent
    strayed: Spent
    waited: float | None
    hot: int | None
    throttled: int | None
    mhz: float | None
    microjoules: list[int]
    joules: float | None  # the GPU's
    gpu: frozenset[str]  # what is wrong with it


@dataclass(frozen=True)
class Guard:
    """Watches these processors and, where workers use one, the GPU."""

    processors: Sequence[int]
    rapl: Rapl
    gpu: nvml.Gpu | None = None
    root: Path = Path("/")

    @classmethod
    def here(cls, device: str, cpus: Sequence[int]) -> Guard:
        """For a run on `cpu` or `cuda` whose workers are bound to `cpus`."""
        if device == "cuda":
            return cls(cpus, Rapl(()), nvml.first())
        return cls(cpus, energy.rapl(Path("/")))

    @contextmanager
    def watch(self, group: int) -> Iterator[dict[str, Any]]:
        """What was seen, see `compare`: filled in when the block has ended. The process group
        belongs to the measurement, and so does this process; rivals that run do not."""
        seen: dict[str, Any] = {}
        before = self.look(group)
        yield seen
        seen |= self.compare(before, self.look(group))

    def look(self, group: int) -> Look:
        """What the counters say now."""
        root = self.root
        own, others = processes.spent(group)
        strayed = processes.strayed(own.keys() - {os.getpid()}, self.processors)
        return Look(
            time.monotonic(), counters.times(root), own, others, strayed, counters.pressure(root),
            counters.hot(root, self.processors), counters.throttled(root),
            counters.frequency(root, self.processors), self.rapl.read(),
            self.gpu.joules() if self.gpu else None, troubles(self.gpu),
        )  # fmt: skip

    def compare(self, before: Look, after: Look) -> dict[str, Any]:
        """What lies between two looks, as far as this machine tells.

        window: seconds. used: processors that the worker kept busy, on average. strayed: processor
        seconds of its threads that have left the processors they were bound to. foreign: processor
        seconds of everybody else. steal: those that the hypervisor took. waited: seconds in which
        something, ours too, could have run and had no processor. hot, throttled: how often our
        processors were slowed down for heat, and our control group stopped for its quota. mhz: the
        mean of both ends. joules: of whole processor packages, or of the GPU. gpu: what was wrong
        with it."""
        window, own = after.time - before.time, processes.between(before.own, after.own)
        worker = {pid: seconds for pid, seconds in after.own.items() if pid != os.getpid()}
        seen: dict[str, Any] = {
            "window": window,
            "used": processes.between(before.own, worker) / window if worker else None,
            "strayed": processes.between(before.strayed, after.strayed) or None,
            "foreign": self.foreign(before, after, own),
            "steal": after.times.steal - before.times.steal
            if before.times and after.times
            else None,
            "waited": rise(before.waited, after.waited),
            "hot": rise(before.hot, after.hot),
            "throttled": rise(before.throttled, after.throttled),
            "mhz": mean(before.mhz, after.mhz),
            "joules": self.joules(before, after),
            "gpu": sorted(before.gpu | after.gpu) or None,
        }
        return {name: value for name, value in seen.items() if value is not None}

    def foreign(self, before: Look, after: Look, own: float) -> float | None:
        """Of processes that we see exactly; of those that began and ended in between, and of those
        outside a container, as much as the coarser counters tell for certain."""
        if not before.times or not after.times:
            return None
        unseen = after.times.busy - before.times.busy - own - RESOLUTION
        return max(processes.between(before.others, after.others), unseen)

    def joules(self, before: Look, after: Look) -> float | None:
        if self.gpu:
            return rise(before.joules, after.joules)
        return self.rapl.joules(before.microjoules, after.microjoules)


def troubles(gpu: nvml.Gpu | None) -> frozenset[str]:
    """What holds a GPU up, and who else uses it."""
    if gpu is None:
        return frozenset()
    held = [f"the GPU's clock is held down: {reason}" for reason in gpu.brakes()]
    return frozenset(held + [f"on the GPU: {name}" for name in gpu.others()])


def rise(before: Number | None, after: Number | None) -> Number | None:
    return None if before is None or after is None else after - before


def mean(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else (before + after) / 2


def disturbance(block: Mapping[str, Any]) -> str:
    """What disturbed a block of the journal, in words; empty for nothing, and where nobody
    watched."""
    window, found = block.get("window", 0.0), []
    for name, exact, words in (
        ("foreign", 0.0, "other processes used"),
        ("steal", TICK, "the hypervisor took"),
    ):
        if block.get(name, 0.0) - exact > SHARE * window:
            found.append(f"{words} {block[name] / window:.2f} processors")
    for name, words in (("hot", "slowed down for heat"), ("throttled", "stopped for its quota")):
        if block.get(name):
            found.append(f"{words} {block[name]} times")
    return "; ".join([*found, *block.get("gpu", ())])
