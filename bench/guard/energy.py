"""Joules: from the processor's own counters (RAPL) where the system lets us read them.

RAPL counts what the processor's packages take, whoever makes them work; the power capping framework
of Linux shows the counters in microjoules, and that they begin again at `max_energy_range_uj`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.guard.counters import number, text

ZONES = "sys/class/powercap"
MISSING = "the system shows no RAPL counters (/sys/class/powercap): usual in a virtual machine"
CLOSED = "RAPL counters can be read by root alone: chmod a+r /sys/class/powercap/*/energy_uj"


@dataclass(frozen=True)
class Zone:
    """A package of the processor, and the value at which its counter begins again."""

    path: Path
    range: int

    def read(self) -> int | None:
        """Microjoules since some start."""
        return number(self.path / "energy_uj")


@dataclass(frozen=True)
class Rapl:
    """The packages; where they cannot be read `reason` says why."""

    zones: tuple[Zone, ...]
    reason: str = ""

    def read(self) -> list[int]:
        """Each package's microjoules; none where one cannot be read."""
        found = [zone.read() for zone in self.zones]
        known = [value for value in found if value is not None]
        return known if len(known) == len(found) else []

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float | None:
        """From one look to the next, all packages together; a counter may have begun again once."""
        if not before or not after:
            return None
        looks = zip(self.zones, before, after, strict=True)
        return sum((b - a) % (zone.range + 1) for zone, a, b in looks) / 1e6


def rapl(root: Path) -> Rapl:
    """The packages that this machine shows. Their parts (core, dram) are in them or beside them and
    not on every processor, so they are left out."""
    folders = sorted((root / ZONES).glob("*-rapl:*"))
    packages = [f for f in folders if text(f / "name").startswith("package")]
    zones = tuple(Zone(f, number(f / "max_energy_range_uj") or 2**32 - 1) for f in packages)
    if not zones:
        return Rapl((), MISSING)
    return Rapl(zones) if Rapl(zones).read() else Rapl((), CLOSED)
