"""What happens on the machine while a block is measured.

    guard = Guard.here("cpu", processors(threads))
    with guard.watch([worker.process.pid]) as seen:
        measured = worker.call("measure", ...)
    run.append("block", ..., seen=seen.to_json())

Two looks at counters that the system keeps anyway, before and after, together less than a
millisecond; nothing runs beside the measurement. The journal keeps what was seen; whether a block
was disturbed is decided from that when reading (`disturbance`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.guard import counters, energy, gpu, processes
from bench.guard.counters import Times
from bench.guard.energy import Rapl
from bench.guard.gpu import Gpu
from bench.guard.processes import Spent

Number = TypeVar("Number", int, float)

# A block is disturbed where others had more than this share of one processor for its time, beyond
# what the counters' resolution makes of nothing. Measured: docs/measuring-machine.md.
SHARE = 0.05
RESOLUTION = 0.03  # seconds: the columns of /proc/stat are cut to 10 ms each


@dataclass
class Seen:
    """What was seen of a block; None where this machine does not tell."""

    seconds: float = 0.0
    foreign: float | None = None  # processor seconds of processes that are not ours
    steal: float | None = None  # seconds that the hypervisor took from our processors
    waited: float | None = None  # seconds in which something, ours too, waited for a processor
    frequency: list[float] = field(default_factory=list)  # MHz of our processors, start and end
    throttled: int | None = None  # how often our processors were slowed down for heat
    joules: float | None = None  # of the whole processor or GPU, whoever made it work
    energy: str = ""  # what counted the joules, or why nothing did
    loose: int | None = None  # threads that may run on more processors than they were given
    gpu_clock: list[float] = field(default_factory=list)  # MHz, start and end
    gpu_brakes: list[str] = field(default_factory=list)
    gpu_others: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain data, what a block's `seen` holds."""
        return asdict(self)


@dataclass(frozen=True)
class Look:
    """The counters at one moment."""

    time: float
    times: Times | None
    spent: Spent
    pressure: float | None
    frequency: float | None
    throttles: int | None
    microjoules: list[int]
    gpu: gpu.Look


@dataclass(frozen=True)
class Guard:
    """Watches these processors, and on `cuda` the first GPU."""

    processors: Sequence[int]
    rapl: Rapl
    device: Gpu | None = None
    root: Path = Path("/")
    spent: Callable[[Collection[int]], Spent] = processes.spent

    @classmethod
    def here(cls, device: str, cpus: Sequence[int]) -> Guard:
        """For a run on `cpu` or `cuda` whose workers are bound to `cpus`."""
        root = Path("/")
        return cls(cpus, energy.rapl(root), gpu.first() if device == "cuda" else None)

    @contextmanager
    def watch(self, groups: Collection[int]) -> Iterator[Seen]:
        """`Seen` is filled when the block ends. `groups` are the process groups that belong to the
        measurement; this process belongs to it too, a rival that was not stopped does not."""
        seen = Seen()
        before = self.look(groups)
        try:
            yield seen
        finally:
            after = self.look(groups)
            self.compare(seen, before, after)
            seen.loose = processes.loose(groups, self.processors)

    def look(self, groups: Collection[int]) -> Look:
        """What the counters say now."""
        return Look(
            time.monotonic(), counters.times(self.root), self.spent(groups),
            counters.pressure(self.root), counters.frequency(self.root, self.processors),
            counters.throttles(self.root, self.processors), self.rapl.read(),
            self.device.look() if self.device else gpu.Look(),
        )  # fmt: skip

    def compare(self, seen: Seen, before: Look, after: Look) -> None:
        """Fill `seen` with what lies between two looks."""
        seen.seconds = after.time - before.time
        if before.times and after.times:
            own = processes.between(before.spent, after.spent)
            seen.foreign = max(0.0, after.times.busy - before.times.busy - own)
            seen.steal = max(0.0, after.times.steal - before.times.steal)
        seen.waited = difference(before.pressure, after.pressure)
        seen.throttled = difference(before.throttles, after.throttles)
        seen.frequency = known(before.frequency, after.frequency)
        seen.gpu_clock = known(before.gpu.clock, after.gpu.clock)
        seen.gpu_brakes = sorted({*before.gpu.brakes, *after.gpu.brakes})
        seen.gpu_others = sorted({*before.gpu.others, *after.gpu.others})
        if self.device:
            seen.joules = difference(before.gpu.joules, after.gpu.joules)
            seen.energy = self.device.reason or "NVML"
        else:
            seen.joules = self.rapl.joules(before.microjoules, after.microjoules)
            seen.energy = self.rapl.reason or "RAPL"


def difference(before: Number | None, after: Number | None) -> Number | None:
    return None if before is None or after is None else after - before


def known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def disturbance(seen: Mapping[str, Any] | None) -> str:
    """What disturbed a block, from what its line in the journal has as `seen`; empty for nothing,
    and where nothing was seen."""
    if not seen:
        return ""
    limit = SHARE * seen["seconds"] + RESOLUTION
    found = [
        f"{words} {seen[key] / seen['seconds']:.2f} of a processor"
        for key, words in (("foreign", "other processes used"), ("steal", "the hypervisor took"))
        if (seen[key] or 0.0) > limit
    ]
    if seen["throttled"]:
        found.append(f"slowed down {seen['throttled']} times for heat")
    found += [f"GPU clock held down: {reason}" for reason in seen["gpu_brakes"]]
    found += [f"on the GPU: {name}" for name in seen["gpu_others"]]
    return "; ".join(found)


def joules_per_step(block: Mapping[str, Any]) -> float | None:
    """The mean power while the block was watched, times the time of a step: what was watched also
    holds the search for repeats and a garbage collection."""
    seen = block.get("seen") or {}
    if seen.get("joules") is None:
        return None
    steps = block["repeats"] * len(block["samples"])
    return float(seen["joules"] / seen["seconds"] * block["wall"] / steps)
