"""What a step costs beside time, and what there is to pay before the first one: a pure function of
a run's tables.

Energy is that of whole processor packages (RAPL) or of the whole GPU (NVML) while a block was
watched, idle power and neighbours included: comparable between contenders of one run on a quiet
machine, and an upper bound for any of them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench import store, summary
from bench.store import Run, Tables

COLUMNS = [
    *summary.CASE, "import_seconds", "build_seconds", "first_call", "seconds", "cpu_per_step",
    "joules_per_step", "mantissa", "reads_host",
]  # fmt: skip


def cost(run: Run, tables: Tables) -> pd.DataFrame:
    """One row for each planned case that was measured: seconds to import the framework, to build
    the network and of the first call (tracing and compiling included), then per step seconds,
    processor seconds of all threads, and joules; medians over processes and blocks. `mantissa`: the
    fewest bits of it that arrived (`bench/probes.py`); `reads_host`: whether a step reads the
    host's arrays. Empty where nothing was found out."""
    times, table = summary.measured(tables), summary.Index
    processes = table(tables.processes, [*store.CONTENDER, "model", "batch", "threads"])
    warmups, blocks = (table(t, summary.CASE) for t in (tables.warmups, tables.blocks))
    contenders = table(tables.processes, store.CONTENDER)
    rows = [
        case
        | started(processes.of(case), warmups.of(case))
        | per_step(blocks.of(case))
        | probed(contenders.of(case))
        for case in summary.planned(run)
        if tuple(case.values()) in times
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def started(processes: pd.DataFrame, warmups: pd.DataFrame) -> dict[str, Any]:
    """What there is to pay once, in each process."""
    found = {k: median(processes, k) for k in ("import_seconds", "build_seconds")}
    return found | {"first_call": median(warmups, "first_call")}


def per_step(blocks: pd.DataFrame) -> dict[str, Any]:
    """What there is to pay for each step. The power is that of the time watched, which holds the
    settling sample and a garbage collection besides."""
    steps = blocks["repeats"] * blocks["samples"]
    found = {
        "seconds": float((blocks["wall"] / steps).median()),
        "cpu_per_step": median(blocks, "cpu_per_step"),
    }
    if {"joules", "window"} <= set(blocks):
        power = blocks["joules"] / blocks["window"]
        found["joules_per_step"] = float((power * blocks["wall"] / steps).median())
    return found


def probed(processes: pd.DataFrame) -> dict[str, Any]:
    """What was found out about the contender, in the process that was asked."""
    if "mantissa" not in processes:
        return {}
    asked = processes.dropna(subset="mantissa")
    if asked.empty:
        return {}
    last = asked.iloc[-1]
    return {"mantissa": min(last["mantissa"].values()), "reads_host": last["reads_host"]}


def median(frame: pd.DataFrame, column: str) -> float | None:
    return float(frame[column].median()) if len(frame) and column in frame else None


def reason(run: Run, frame: pd.DataFrame) -> str:
    """Why there are no joules, in words; empty where there are."""
    if frame["joules_per_step"].notna().any():
        return ""
    header = run.header()
    if header["plan"]["device"] == "cuda":
        return "the driver (NVML) counts none for this GPU, or there was no driver"
    return str(header.get("machine", {}).get("energy") or "the run says nothing of energy")
