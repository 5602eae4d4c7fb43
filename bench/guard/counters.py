"""Counters that Linux keeps anyway, read from /proc and /sys below `root`; nothing where they are
not to be had. A read takes some 20 microseconds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # in /proc/stat, a second
WORK = ("user", "nice", "system", "irq", "softirq")
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")  # proc(5)
CPUS = "sys/devices/system/cpu"


@dataclass(frozen=True)
class Times:
    """Seconds since the start of the system, over all processors: at work, and taken away by the
    hypervisor for others ("steal")."""

    busy: float
    steal: float


def times(root: Path) -> Times | None:
    """The first line of /proc/stat, exact to a tick of 10 ms."""
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
    found = [number(root / CPUS / f"cpu{n}/cpufreq/scaling_cur_freq") for n in cpus]
    known = [kilohertz for kilohertz in found if kilohertz is not None]
    return sum(known) / len(known) / 1e3 if known else None


def throttles(root: Path, cpus: Iterable[int]) -> int | None:
    """How often these processors were slowed down because they were hot (Intel's count)."""
    found = [number(root / CPUS / f"cpu{n}/thermal_throttle/core_throttle_count") for n in cpus]
    known = [count for count in found if count is not None]
    return sum(known) if known else None


def text(path: Path) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """A file that holds one whole number; None where it cannot be read."""
    found = text(path).strip()
    return int(found) if found.lstrip("-").isdecimal() else None
