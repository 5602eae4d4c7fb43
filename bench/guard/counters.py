"""Counters that Linux keeps anyway, read from /proc and /sys below `root`; nothing where they are
not to be had. A read takes some 20 microseconds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # in /proc/stat, a second
WORK = ("user", "nice", "system", "irq", "softirq")
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")  # proc(5)
CPUS = "sys/devices/system/cpu"
CGROUPS = "sys/fs/cgroup"


@dataclass(frozen=True)
class Times:
    """Seconds since the start of the system, over all processors: at work, and taken away by the
    hypervisor for others ("steal")."""

    busy: float
    steal: float


def times(root: Path) -> Times | None:
    """The first line of /proc/stat, exact to a tick of 10 ms in each column."""
    fields = text(root / "proc/stat").partition("\n")[0].split()[1:]
    if len(fields) < len(COLUMNS):
        return None
    found = {name: int(value) / TICKS for name, value in zip(COLUMNS, fields, strict=False)}
    return Times(sum(found[name] for name in WORK), found["steal"])


def pressure(root: Path) -> float | None:
    """Seconds in which something could have run and had no processor; exact to a microsecond.

    From /proc/pressure/cpu (PSI, Linux 4.20; some distributions switch it off)."""
    some = text(root / "proc/pressure/cpu").partition("\n")[0]
    total = some.partition("total=")[2]
    return int(total) / 1e6 if total else None


def frequency(root: Path, cpus: Iterable[int]) -> float | None:
    """The mean frequency of these processors now, MHz; virtual machines do not tell."""
    found = [number(path) for path in each(root, tuple(cpus), "cpufreq/scaling_cur_freq")]
    known = [kilohertz for kilohertz in found if kilohertz is not None]
    return sum(known) / len(known) / 1e3 if known else None


def hot(root: Path, cpus: Iterable[int]) -> int | None:
    """How often these processors were slowed down because they were hot (Intel's count)."""
    name = "thermal_throttle/core_throttle_count"
    found = [number(path) for path in each(root, tuple(cpus), name)]
    known = [count for count in found if count is not None]
    return sum(known) if known else None


def throttled(root: Path) -> int | None:
    """How often our control group had used up its quota and had to wait (cgroups, cpu.stat)."""
    for folder in groups(root):
        for line in text(folder / "cpu.stat").splitlines():
            if line.startswith("nr_throttled "):
                return int(line.split()[1])
    return None


def quota(root: Path) -> float | None:
    """How many processors our control group may use; None where that is not limited."""
    for folder in groups(root):
        limit, _, period = text(folder / "cpu.max").partition(" ")  # version 2
        old = [number(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if limit.isdecimal():
            return int(limit) / int(period)
        if old[0] and old[1] and old[0] > 0:
            return old[0] / old[1]
    return None


@cache
def each(root: Path, cpus: tuple[int, ...], name: str) -> list[Path]:
    """The files of that name that these processors have: most machines lack some."""
    paths = [root / CPUS / f"cpu{n}" / name for n in cpus]
    return [path for path in paths if path.is_file()]


@cache
def groups(root: Path) -> list[Path]:
    """Where the limits of our control group may stand: its own folder, which a container sees as
    the uppermost, and that of version 1."""
    lines = text(root / "proc/self/cgroup").splitlines()
    own = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")
    top = root / CGROUPS
    folders = dict.fromkeys([top / own, top, top / "cpu"])
    return [folder for folder in folders if (folder / "cpu.stat").is_file()]


def text(path: Path) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        with open(path, errors="replace") as file:  # noqa: PTH123  a third of Path.read_text
            return file.read()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """A file that holds one whole number; None where it cannot be read."""
    found = text(path).strip()
    return int(found) if found.lstrip("-").isdecimal() else None
