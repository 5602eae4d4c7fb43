"""The table at the end of a run: a pure function of its samples."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench import stats
from bench.store import CELL, CONTENDER, Run, Tables

CASE = [*CELL, *CONTENDER]
COLUMNS = [
    *CASE, "status", "median", "low", "high", "images_per_second", "ratio", "ratio_low",
    "ratio_high", "peak_memory", "above_baseline", "times_least", "growth_per_step", "marks",
    "largest_batch", "first_call", "samples", "processes", "reason",
]  # fmt: skip


def planned(run: Run) -> list[dict[str, Any]]:
    """Every case that a run was to measure, in its own order, with the columns of CASE."""
    plan = run.header()["plan"]
    rows = [
        {"model": model, "batch": batch, "phase": phase, **contender}
        for model in plan["models"]
        for batch in plan["batches"]
        for phase in plan["phases"]
        for contender in plan["contenders"]
    ]
    shared = {k: plan[k] for k in ("device", "precision", "threads")} | {"tuned": True}
    return [{k: (shared | row)[k] for k in CASE} for row in rows]


def rounds(samples: pd.DataFrame) -> stats.Rounds:
    """One contender's samples in one cell, by round."""
    groups = samples.groupby("round")["seconds"]
    return {int(str(round_)): group.tolist() for round_, group in groups}


def summarise(run: Run, tables: Tables) -> pd.DataFrame:
    """One row for each planned case: seconds per step with a 95% interval, throughput, the ratio
    to the fastest of its cell; or its status and the reason. Memory: see `extra`."""
    measured = {key: rounds(group) for key, group in tables.samples.groupby(CASE)}
    fastest = best(measured)
    rows = []
    for case in planned(run):
        key = tuple(case.values())
        row = case | {"status": "missing", "reason": "not measured yet"} | outcome(tables, case)
        if key in measured:
            later = f"later {row['status']}: {row['reason']}" if row["status"] != "missing" else ""
            row |= figures(case, measured[key], fastest[key[: len(CELL)]]) | {"reason": later}
        rows.append(row | extra(tables, case))
    return pd.DataFrame(rows, columns=COLUMNS)


def best(measured: dict[Any, stats.Rounds]) -> dict[tuple[Any, ...], stats.Rounds]:
    """The samples of the fastest contender of each cell."""
    found: dict[tuple[Any, ...], stats.Rounds] = {}
    for key, samples in measured.items():
        cell = tuple(key[: len(CELL)])
        if cell not in found or stats.central(samples) < stats.central(found[cell]):
            found[cell] = samples
    return found


def figures(case: dict[str, Any], samples: stats.Rounds, fastest: stats.Rounds) -> dict[str, Any]:
    time = stats.median(samples)
    ratio = stats.Estimate(1, 1, 1) if samples is fastest else stats.ratio(samples, fastest)
    return {
        "status": "ok",
        "median": time.value, "low": time.low, "high": time.high,
        "images_per_second": case["batch"] / time.value,
        "ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high,
        "samples": sum(map(len, samples.values())), "processes": len(samples),
    }  # fmt: skip


def outcome(tables: Tables, case: dict[str, Any]) -> dict[str, Any]:
    """Why a case has no number, if the run found out."""
    rows = matching(tables.outcomes, case)
    return {k: rows.iloc[-1][k] for k in ("status", "reason")} if len(rows) else {}


def extra(tables: Tables, case: dict[str, Any]) -> dict[str, Any]:
    """The median of the first calls (tracing and compiling included), and bytes: peak memory of the
    process (on a GPU the allocator's), the network's part of it, how many times the least possible
    that is, what each step adds, marks such as `leaks`, and
    the largest batch that fits."""
    memory, blocks = matching(tables.memory, case), matching(tables.blocks, case)
    largest = matching(tables.largest, {k: v for k, v in case.items() if k != "batch"})
    found: dict[str, Any] = {"marks": ""}
    if len(largest):
        found["largest_batch"] = int(largest["batch"].iloc[-1])
    if len(memory):
        last = memory.iloc[-1]
        names = ("above_baseline", "times_least", "growth_per_step", "marks")
        found |= {"peak_memory": memory["used"].max()} | {name: last[name] for name in names}
    return found | ({"first_call": blocks["first_call"].median()} if len(blocks) else {})


def matching(frame: pd.DataFrame, case: dict[str, Any]) -> pd.DataFrame:
    """The rows of a frame that belong to a case."""
    if frame.empty:
        return frame
    return frame[(frame[list(case)] == pd.Series(case)).all(axis=1)]
