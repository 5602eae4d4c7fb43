"""How quiet this machine is, and what to do about what is not.

Watches for some seconds while nothing of ours runs: what is seen then would disturb a measurement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from bench import client, machine, nvml
from bench.guard import SHARE, TICK, Look, counters, energy, pace, processes, troubles
from bench.guard.counters import CPUS, number, text

QUIET, NOISY, NOTE, UNKNOWN = "quiet", "noisy", "note", "unknown"
IDLE = 0.95  # of all processors, in a machine that is quiet
STEAL = 0.01  # of the time: more is a neighbour on the same host
SHOWN = 5  # processes
PAUSE = 0.1  # seconds between two looks at the pace of the processors


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `noisy` disturbs measurements now, a `note` may change them,
    and `unknown` is what this machine does not tell."""

    name: str
    level: str
    said: str
    advice: str = ""


@dataclass(frozen=True)
class Watched:
    """The machine before and after some seconds. `swapped` is pages, in and out; `paces` is what a
    fixed piece of work took on each processor in between, again and again."""

    root: Path
    cpus: list[int]
    before: Look
    after: Look
    swapped: int
    paces: list[list[float]]

    @property
    def seconds(self) -> float:
        return self.after.time - self.before.time


def examine(seconds: float, root: Path = Path("/")) -> list[Finding]:
    """Watch for so long, then say what was found."""
    cpus = client.processors(machine.processors())
    before, pages = look(root, cpus), swaps(root)
    paces = list(walked(cpus, seconds))
    return findings(Watched(root, cpus, before, look(root, cpus), swaps(root) - pages, paces))


def walked(cpus: list[int], seconds: float) -> Iterator[list[float]]:
    """The pace of each processor, again and again for so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if pace.POSSIBLE:
            yield pace.timed(cpus)
        time.sleep(min(PAUSE, left))


def look(root: Path, cpus: list[int]) -> Look:
    """The counters now; every process but this one is foreign."""
    own, others = processes.spent(-1)
    return Look(
        time.monotonic(), counters.times(root), own, others, {}, counters.pressure(root),
        counters.hot(root, cpus), counters.throttled(root), None, [], None, troubles(nvml.first()),
    )  # fmt: skip


def findings(seen: Watched) -> list[Finding]:
    """Everything that was looked at."""
    return [finding for check in CHECKS for finding in check(seen)]


def noisy(found: list[Finding]) -> bool:
    return any(finding.level == NOISY for finding in found)


def idle(seen: Watched) -> Iterator[Finding]:
    before, after = seen.before.times, seen.after.times
    if before is None or after is None:
        yield Finding("idle", UNKNOWN, "the system has no /proc/stat")
        return
    processors = psutil.cpu_count() or 1
    share = 1 - (after.busy - before.busy) / (processors * seen.seconds)
    level = QUIET if share >= IDLE else NOISY
    yield Finding(
        "idle", level, f"{max(0.0, share):.0%} of {processors} processors, {seen.seconds:.1f} s",
        "" if level == QUIET else "end what is running, see the processes below, or wait",
    )  # fmt: skip


def foreign(seen: Watched) -> Iterator[Finding]:
    before, after = seen.before.others, seen.after.others
    spent = {pid: after[pid] - before.get(pid, 0.0) for pid in after}
    busy = [pid for pid in spent if spent[pid] > SHARE * seen.seconds]
    for pid in sorted(busy, key=lambda pid: -spent[pid])[:SHOWN]:
        said = f"{named(pid)} used {spent[pid] / seen.seconds:.2f} processors"
        yield Finding("process", NOISY, said, f"wait for it, or stop it: kill -STOP {pid}")
    if not busy:
        yield Finding("process", QUIET, f"none has more than {SHARE:.0%} of a processor")


def named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} ({pid})"
    except psutil.Error:
        return f"process {pid}, which has ended,"


def steal(seen: Watched) -> Iterator[Finding]:
    before, after = seen.before.times, seen.after.times
    if before and after:
        taken = after.steal - before.steal
        level = NOISY if taken > STEAL * len(seen.cpus) * seen.seconds + TICK else QUIET
        advice = "other machines use this host: measure at another time, or on a dedicated host"
        said = f"the hypervisor took {taken / seen.seconds:.2f} processors"
        yield Finding("steal", level, said, advice if level == NOISY else "")


def speed(seen: Watched) -> Iterator[Finding]:
    """Neighbours on the other half of a core, and clocks that sink, show in no counter."""
    if not seen.paces:
        yield Finding("speed", UNKNOWN, "the system does not let us choose a processor")
        return
    spans = [np.quantile(each, [0.1, 0.9]) for each in zip(*seen.paces, strict=True)]
    times, cpu = max((high / low, cpu) for (low, high), cpu in zip(spans, seen.cpus, strict=True))
    level = NOISY if times > pace.SLOWED else QUIET
    advice = "something shares its core, or its clock sinks: wait, or use a dedicated host"
    said = f"processor {cpu} is up to {times:.2f} times as slow as at its best"
    yield Finding("speed", level, said, advice if level == NOISY else "")


def governor(seen: Watched) -> Iterator[Finding]:
    found = text(seen.root / CPUS / "cpu0/cpufreq/scaling_governor").strip()
    if not found:
        yield Finding("governor", UNKNOWN, "the system does not show one: usual in a virtual one")
    elif found == "performance":
        yield Finding("governor", QUIET, found)
    else:
        advice = "sudo cpupower frequency-set --governor performance"
        yield Finding("governor", NOTE, f"{found}: the clock follows the load", advice)


def turbo(seen: Watched) -> Iterator[Finding]:
    for name, on, off in (("intel_pstate/no_turbo", 0, 1), ("cpufreq/boost", 1, 0)):
        value = number(seen.root / CPUS / name)
        if value == on:
            advice = f"echo {off} | sudo tee /{CPUS}/{name}, if numbers must be repeatable"
            yield Finding("turbo", NOTE, "on: the clock depends on heat and neighbours", advice)
            return
        if value == off:
            yield Finding("turbo", QUIET, "off")
            return
    yield Finding("turbo", UNKNOWN, "the system does not show it")


def smt(seen: Watched) -> Iterator[Finding]:
    active = number(seen.root / CPUS / "smt/active")
    if active is None:
        yield Finding("smt", UNKNOWN, "the system does not show it")
    elif active:
        advice = "--threads with the number of cores, or echo off | sudo tee /" + CPUS
        yield Finding("smt", NOTE, "on: two processors share a core", advice + "/smt/control")
    else:
        yield Finding("smt", QUIET, "off, or the processor has none")


def heat(seen: Watched) -> Iterator[Finding]:
    before, after = seen.before.hot, seen.after.hot
    if before is None or after is None:
        yield Finding("heat", UNKNOWN, "the system does not count thermal throttling")
    elif after > before:
        yield Finding("heat", NOISY, "the processors are slowed down now", "let them cool")
    elif after:
        yield Finding("heat", NOTE, f"slowed down {after} times since the start", "see to cooling")
    else:
        yield Finding("heat", QUIET, "never slowed down")


def swap(seen: Watched) -> Iterator[Finding]:
    used = psutil.swap_memory().used
    if seen.swapped:
        said = f"{seen.swapped} pages went in or out in {seen.seconds:.1f} s"
        yield Finding("swap", NOISY, said, "free memory: end what holds it")
    elif used:
        said = f"{used / 2**20:.0f} MiB in use, none moved"
        yield Finding("swap", NOTE, said, "sudo swapoff --all, if memory allows")
    else:
        yield Finding("swap", QUIET, "none in use")


def quota(seen: Watched) -> Iterator[Finding]:
    before, after = seen.before.throttled, seen.after.throttled
    allowed = counters.quota(seen.root)
    if before is not None and after is not None and after > before:
        advice = "raise the container's limit"
        yield Finding("quota", NOISY, f"stopped {after - before} times for its quota", advice)
    elif allowed is not None and allowed < len(seen.cpus):
        said = f"{allowed:g} processors of {len(seen.cpus)}: more threads are stopped in turns"
        yield Finding("quota", NOTE, said, f"--threads {max(1, int(allowed))}, or raise the limit")
    else:
        yield Finding("quota", QUIET, "none that would stop us")


def gpu(seen: Watched) -> Iterator[Finding]:
    if nvml.first() is None:
        yield Finding("gpu", UNKNOWN, "the driver (NVML) shows none")
        return
    found = sorted(seen.before.gpu | seen.after.gpu)
    for said in found:
        yield Finding("gpu", NOISY, said, "wait, or choose another with CUDA_VISIBLE_DEVICES")
    if not found:
        yield Finding("gpu", QUIET, "nobody else computes on it, its clock is not held down")


def joules(seen: Watched) -> Iterator[Finding]:
    reason = energy.rapl(seen.root).reason
    yield Finding("energy", UNKNOWN if reason else QUIET, reason or "RAPL counters can be read")


CHECKS: tuple[Callable[[Watched], Iterator[Finding]], ...] = (
    idle, foreign, steal, speed, governor, turbo, smt, heat, swap, quota, gpu, joules,
)  # fmt: skip


def swaps(root: Path) -> int:
    """Pages swapped in and out since the start of the system."""
    lines = [line.split() for line in text(root / "proc/vmstat").splitlines()]
    return sum(int(line[1]) for line in lines if line[0] in ("pswpin", "pswpout"))
