"""The table at the end of a run: a pure function of its samples."""

from __future__ import annotations

from math import inf
from typing import Any

import pandas as pd

from bench import stats
from bench.store import CELL, CONTENDER, Run, Tables

CASE = [*CELL, *CONTENDER]
COLUMNS = [
    *CASE, "status", "median", "low", "high", "images_per_second", "ratio", "ratio_low",
    "ratio_high", "verdict", "peak_memory", "above_baseline", "times_least", "growth_per_step",
    "marks", "largest_batch", "first_call", "samples", "blocks", "processes", "reason",
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


def blocks(samples: pd.DataFrame) -> stats.Blocks:
    """One contender's samples in one cell, by process and round."""
    found: dict[stats.Block, list[float]] = {}
    columns = (samples[c].tolist() for c in ("process", "round", "seconds"))
    for process, round_, seconds in zip(*columns, strict=True):
        found.setdefault((process, round_), []).append(seconds)
    return found


def summarise(run: Run, tables: Tables) -> pd.DataFrame:
    """One row for each planned case: seconds per step with a 95% interval, throughput, the ratio
    to the fastest of its cell and what can be said of it; or its status and the reason. An interval
    is empty where a single process was measured. Memory: see `extra`."""
    measured = {key: blocks(group) for key, group in tables.samples.groupby(CASE)}
    ratios = to_fastest(measured)
    verdicts = dict(zip(ratios, stats.verdicts(list(ratios.values())), strict=True))
    rows: list[dict[str, Any]] = []
    for case in planned(run):
        key = tuple(case.values())
        row = case | {"status": "missing", "reason": "not measured yet"} | outcome(tables, case)
        if key in measured:
            later = f"later {row['status']}: {row['reason']}" if row["status"] != "missing" else ""
            row |= figures(case, measured[key], ratios.get(key, stats.ONE))
            row |= {"verdict": verdicts.get(key), "reason": later}
        rows.append(row | extra(tables, case))
    return pd.DataFrame(rows, columns=COLUMNS)


def to_fastest(measured: dict[Any, stats.Blocks]) -> dict[Any, stats.Estimate]:
    """The ratio of every other contender to the fastest of its cell."""
    times = {key: stats.median(samples).value for key, samples in measured.items()}
    best: dict[tuple[Any, ...], Any] = {}
    for key in sorted(times, key=lambda key: times[key]):
        best.setdefault(tuple(key[: len(CELL)]), key)
    bases = {key: best[tuple(key[: len(CELL)])] for key in measured}
    return {k: stats.ratio(measured[k], measured[b]) for k, b in bases.items() if k != b}


def figures(case: dict[str, Any], samples: stats.Blocks, ratio: stats.Estimate) -> dict[str, Any]:
    time = stats.median(samples)
    ends = (time.low, time.high, ratio.low, ratio.high)
    low, high, ratio_low, ratio_high = (end if 0 < end < inf else None for end in ends)
    return {
        "status": "ok",
        "median": time.value, "low": low, "high": high,
        "images_per_second": case["batch"] / time.value,
        "ratio": ratio.value, "ratio_low": ratio_low, "ratio_high": ratio_high,
        "samples": sum(map(len, samples.values())), "blocks": len(samples),
        "processes": len({process for process, _ in samples}),
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
    memory, warmups = matching(tables.memory, case), matching(tables.warmups, case)
    largest = matching(tables.largest, {k: v for k, v in case.items() if k != "batch"})
    found: dict[str, Any] = {"marks": ""}
    if len(largest):
        found["largest_batch"] = int(largest["batch"].iloc[-1])
    if len(memory):
        last = memory.iloc[-1]
        names = ("above_baseline", "times_least", "growth_per_step", "marks")
        found |= {"peak_memory": memory["used"].max()} | {name: last[name] for name in names}
    return found | ({"first_call": warmups["first_call"].median()} if len(warmups) else {})


def matching(frame: pd.DataFrame, case: dict[str, Any]) -> pd.DataFrame:
    """The rows of a frame that belong to a case."""
    if frame.empty:
        return frame
    return frame[(frame[list(case)] == pd.Series(case)).all(axis=1)]


WHY = {
    "precise": "that is precise enough",
    "budget": "the budget holds no more",
    "nothing to measure": "nothing could be measured",
}


def stops(tables: Tables) -> list[str]:
    """A line for each network: why no more processes of it were taken, as last decided."""
    said = []
    last = tables.stops.drop_duplicates(["run", "model", "batch"], keep="last")
    for row in last.to_dict("records"):
        known = "" if pd.isna(row["widest"]) else f", {precision(row['widest'])}"
        asked = f" ({row['within']:.1%} was asked)" if known else ""
        what = f"{row['model']}, batch {row['batch']}: {row['processes']} processes{known}{asked}"
        said.append(f"{what}; {WHY[row['reason']]}")
    return said


def precision(widest: float) -> str:
    return f"every ratio within {widest:.1%}" if widest <= 1 else "not every ratio within 100%"
