"""What a weighing comes to: pure functions on a line `memory` of the journal. Bytes.

What the network took is the rise of anonymous memory: VmHWM counts pages of files too, which come
when code runs for the first time, and go when the system wants them. Between two readings without
new ones, as in steps after the first, VmHWM less those pages is the peak of anonymous memory, to
the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scipy.stats import theilslopes

PAGE = 4096
POOL = 8 * 2**20  # bytes that an allocator may have kept from the baseline's network
RESOLUTION = 2**20  # bytes: what libraries allocate beside the network moves by tenths of it
LEAK = 4 * PAGE  # a step adds at least so many bytes, with 95% confidence: a leak
SHARE = 0.5  # of a GPU's memory, taken before there is a network: a preallocation
PEAKS = ("allocated_peak", "device_in_use")  # what allocators call it; the latter holds all else
READINGS = {
    *("settled", "built", "first", "ready", "last", "reset", "after", "each", "allocated"),
    "allocator",
    *("allocator_settled", "device_memory", "least"),
}
WEIGHED = (  # the columns that it adds whatever the line has
    *("used", "above_baseline", "first_above", "gpu_process", "least", "times_least"),
    *("steps", "growth_per_step", "growth_low", "marks"),
)


def weighed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table `memory`: the readings in short, and what follows from them.

    `used` is what the whole process took: on a GPU the allocator's peak, on the CPU its peak
    resident size. `above_baseline` is what the network took in the steps after the first,
    `first_above` in the first one, which compiles. None where it is not known."""
    allocator, least = entry["allocator"], entry.get("least", {})
    row = {k: v for k, v in entry.items() if k not in READINGS}
    row |= {f"allocator_{k}": v for k, v in allocator.items()}
    row |= {f"least_{k}": v for k, v in least.items() if k != "least"}
    later, slope, low = above(entry, "last", "ready"), *growth(entry)
    return row | {
        "used": entry["peak"] if entry["device"] == "cpu" else peak(allocator),
        "above_baseline": later, "first_above": above(entry, "first", "built"),
        "gpu_process": gpu_process(entry.get("device_memory", {})),
        "least": least.get("least"), "times_least": times(later, least.get("least")),
        "steps": len(entry.get("after", ())) * entry.get("each", 1),
        "growth_per_step": slope, "growth_low": low,
        "marks": "; ".join(marks(entry, later, low)),
    }  # fmt: skip


def times(size: float | None, least: float | None) -> float | None:
    """How many times the least possible; None where that is too little to be told."""
    return size / least if size is not None and least and least >= RESOLUTION else None


def above(entry: Mapping[str, Any], name: str, before: str) -> int | None:
    """What the network took at most up to the reading `name`, above the baseline. None where it
    is not known: for lines of older formats, whose baseline held the network's weights, and where
    Linux did not let the peak be reset and it was higher before."""
    if "settled" not in entry:
        return None
    if entry["device"] != "cpu":
        found, held = peak(entry["allocator"]), entry["allocator_settled"].get("device_in_use", 0)
        return None if found is None else int(found - held)
    found, baseline = anonymous_peak(entry, name, before), anonymous(entry["settled"])
    return None if found is None or baseline is None else found - baseline


def anonymous(reading: Mapping[str, int]) -> int | None:
    """Resident memory that is no file's."""
    known = "anonymous" in reading
    return reading["anonymous"] + reading["shared"] if known else None


def anonymous_peak(entry: Mapping[str, Any], name: str, before: str) -> int | None:
    """The same at its peak; exact where no page of a file came since, else too low by as many."""
    reading, earlier = entry[name], entry[before]
    if "file" not in reading or not (entry["reset"] or reading["peak"] > earlier["peak"]):
        return None
    return int(reading["peak"] - reading["file"])


def peak(allocator: Mapping[str, int]) -> int | None:
    """The peak that a device's allocator tells."""
    return next((allocator[name] for name in PEAKS if name in allocator), None)


def gpu_process(readings: Mapping[str, Any]) -> int | None:
    """What the process holds of the GPU after its last step, as the driver counts; where that does
    not know the process, by how much more of the GPU is used than before."""
    if not readings:
        return None
    own, rise = readings["last"]["process"], readings["last"]["used"] - readings["before"]["used"]
    return int(rise if own is None else own)


def series(entry: Mapping[str, Any]) -> list[float]:
    """Memory after each step: the process's on the CPU, on a GPU the allocator's peak, which rises
    with every step that leaks."""
    if entry["device"] == "cpu":
        return [size for size in entry.get("after", ()) if size is not None]
    found = [peak(allocator) for allocator in entry.get("allocated", ())]
    return [size for size in found if size is not None]


def growth(entry: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Bytes that a step adds, and the lower end of the 95% interval: the Theil-Sen slope, the
    median over all pairs of readings, which a pool that grows once or twice does not move; of the
    later half of them, for allocators grow until they have seen everything."""
    sizes, each = series(entry), entry.get("each", 1)
    later = sizes[len(sizes) // 2 :]
    if len(later) < 3:
        return None, None
    found = theilslopes(later, alpha=0.95)
    return float(found.slope) / each, float(found.low_slope) / each


def marks(entry: Mapping[str, Any], later: int | None, low: float | None) -> list[str]:
    """What a reader must know of a row: `leaks`, `preallocates`, `below the least`, `no peak`."""
    found = []
    if low is not None and low >= LEAK:
        found.append(f"leaks {size(growth(entry)[0] or 0)} a step")
    if preallocated(entry.get("device_memory", {})):
        found.append("preallocates: the GPU's memory is taken before there is a network")
    if later is not None and later < entry["least"]["least"] - POOL:
        found.append("below the least: not all was computed, or not all written to memory")
    if "settled" in entry and later is None:
        found.append("no peak: this system does not let VmHWM be reset")
    return found


def preallocated(readings: Mapping[str, Any]) -> bool:
    """Whether a large share of the GPU went with the trivial network."""
    if not readings:
        return False
    taken = readings["baseline"]["used"] - readings["before"]["used"]
    return bool(taken > SHARE * readings["last"]["total"])


def size(bytes_: float) -> str:
    """In KiB or MiB."""
    return f"{bytes_ / 2**20:.1f} MiB" if bytes_ >= 2**20 else f"{bytes_ / 2**10:.0f} KiB"
