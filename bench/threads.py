"""Threads: whether a contender kept to those that it was allowed, and what more of them bring.

Processor affinity enforces the number (`client.processors`), each framework's own settings besides.
An affinity can be reset, so what was enforced is verified: a process group cannot have more
processor time than wall time times its processors, and no thread of it may compute elsewhere; on a
busy machine, where nobody gets more than is due, the latter shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench import stats, summary
from bench.store import Tables

TOLERANCE = 0.05  # of the processors: clocks are read one after the other
SHORTEST = 0.02  # seconds; of a shorter block they tell nothing
SCALING = [
    *(column for column in summary.CASE if column != "threads"), "threads", "median", "low", "high",
    "speedup", "speedup_low", "speedup_high", "efficiency", "processors",
]  # fmt: skip


def parallelism(block: Any) -> float:
    """How many processors a block kept busy, on average: as the worker says of itself, or as the
    system says of its process group, children included, if that is more. A line or a row."""
    worker = block["cpu"] / block["wall"] if block["wall"] >= SHORTEST else 0.0
    group = block.get("used", 0.0) if block.get("window", 0.0) >= SHORTEST else 0.0
    return float(max(worker, group))


def excess(block: Mapping[str, Any]) -> str:
    """What a block used beyond its `threads`, in words; empty for nothing."""
    used, allowed = parallelism(block), block["threads"]
    limit = f"{allowed} {'was' if allowed == 1 else 'were'} allowed"
    if used > allowed * (1 + TOLERANCE):
        return f"uses {used:.1f} processors, {limit}"
    if block.get("strayed", 0.0) > TOLERANCE * used * block.get("window", 0.0):
        return f"uses processors that it was not given, {limit}"
    return ""


def scaling(tables: Tables) -> pd.DataFrame:
    """One row for each contender, cell and number of threads that was measured with several:
    seconds per step, `speedup` over the fewest threads with its 95% interval, `efficiency`, which
    is that by the factor of threads, and the processors that were kept busy.

    Numbers of threads are never in one process, so nothing is paired."""
    at = summary.CASE.index("threads")
    found: dict[tuple[Any, ...], dict[int, stats.Blocks]] = {}
    for key, blocks in summary.measured(tables).items():
        found.setdefault((*key[:at], *key[at + 1 :]), {})[key[at]] = blocks
    rows, blocks_of = [], summary.Index(tables.blocks, summary.CASE)
    for key, counts in found.items():
        for threads, blocks in sorted(counts.items()) if len(counts) > 1 else ():
            case = dict(zip(SCALING, key, strict=False)) | {"threads": threads}
            used = blocks_of.of(case).apply(parallelism, axis=1).median()
            rows.append(case | gain(counts, threads, blocks) | {"processors": used})
    return pd.DataFrame(rows, columns=SCALING)


def gain(counts: Mapping[int, stats.Blocks], threads: int, blocks: stats.Blocks) -> dict[str, Any]:
    """The time with so many threads, and against the fewest."""
    fewest, time = min(counts), stats.median(blocks)
    speed = stats.ONE
    if threads != fewest:
        speed = stats.quotient(stats.median(counts[fewest]), time)
    ends = (time.low, time.high, speed.low, speed.high)
    low, high, speed_low, speed_high = map(summary.bounded, ends)
    return {
        "median": time.value, "low": low, "high": high,
        "speedup": speed.value, "speedup_low": speed_low, "speedup_high": speed_high,
        "efficiency": speed.value * fewest / threads,
    }  # fmt: skip
