"""The table at the end of a run: a pure function of its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench import stats, suspicion
from bench.guard import pace
from bench.store import CELL, CONTENDER, Run, Tables

CASE = [*CELL, *CONTENDER]
ANY_BATCH = [name for name in CASE if name != "batch"]
BLOCK = ["process", "round"]
SELDOM = 0.1  # of the blocks: not worth a word
COLUMNS = [
    *CASE, "status", "median", "low", "high", "images_per_second", "ratio", "ratio_low",
    "ratio_high", "verdict", "peak_memory", "above_baseline", "times_least", "growth_per_step",
    "marks", "largest_batch", "first_call", "samples", "outliers", "blocks", "disturbed",
    "processes", "reason",
]  # fmt: skip


def planned(run: Run) -> list[dict[str, Any]]:
    """Every case that a run was to measure, in its own order, with the columns of CASE."""
    plan = run.header()["plan"]
    rows = [
        {"model": model, "batch": batch, "phase": phase, "threads": threads, **contender}
        for model in plan["models"]
        for batch in plan["batches"]
        for phase in plan["phases"]
        for threads in (plan["threads"], *plan.get("more_threads", ()))
        for contender in plan["contenders"]
    ]
    shared = {k: plan[k] for k in ("device", "precision")} | {"tuned": True}
    return [{k: (shared | row)[k] for k in CASE} for row in rows]


def blocks(samples: pd.DataFrame) -> stats.Blocks:
    """One contender's samples in one cell, by process and round."""
    return next(iter(grouped(samples, []).values()), stats.Watched({}, ()))


def grouped(samples: pd.DataFrame, by: Sequence[str]) -> dict[Any, stats.Watched]:
    """The blocks of each combination of the values of `by`, as a tuple, sorted; without rows that
    lack one of them. Samples of a block stand together, so that only where a value changes is
    looked at: to group a million rows takes ten times as long."""
    key = [*by, *BLOCK]
    whole = samples.dropna(subset=list(by))
    starts = np.flatnonzero(changes(whole, [*key, "marked"]))
    seconds = np.split(whole["seconds"].to_numpy(), starts[1:])
    found: dict[Any, dict[stats.Block, list[float]]] = {}
    marked: dict[Any, set[stats.Block]] = {}
    heads = whole[[*key, "marked"]].iloc[starts].itertuples(index=False, name=None)
    for (*case, process, round_, disturbed), values in zip(heads, seconds, strict=False):
        place, block = tuple(case), (process, round_)
        found.setdefault(place, {}).setdefault(block, []).extend(values.tolist())
        if disturbed:
            marked.setdefault(place, set()).add(block)
    return {case: stats.Watched(found[case], marked.get(case, ())) for case in sorted(found)}


def changes(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each row differs from the one before; the first does."""
    found: NDArray[np.bool_] = np.arange(len(frame)) == 0
    for name in columns:
        values = frame[name].array
        found[1:] |= np.asarray(values[1:] != values[:-1], dtype=bool)
    return found


def summarise(run: Run, tables: Tables) -> pd.DataFrame:
    """One row for each planned case: seconds per step with a 95% interval, throughput, the ratio
    to the fastest of its cell and what can be said of it; or its status and the reason. An interval
    is empty where a single process was measured. Memory: see `extra`."""
    times = measured(tables)
    judged = stats.to_fastest(by_cell(times).values())
    lines, marks = Lines(tables), suspicions(run, times)
    rows: list[dict[str, Any]] = []
    for case in planned(run):
        key = tuple(case.values())
        row = case | {"status": "missing", "reason": "not measured yet"} | outcome(lines, case)
        if key in times:
            later = f"later {row['status']}: {row['reason']}" if row["status"] != "missing" else ""
            ratio, verdict = judged.get(key, (stats.ONE, None))
            row |= figures(case, times[key], ratio) | {"verdict": verdict, "reason": later}
        row |= extra(lines, case)
        row["marks"] = "; ".join(filter(None, [row["marks"], *marks.get(key, [])]))
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(tables: Tables) -> dict[Any, stats.Blocks]:
    """The samples of each case, but for those that were found to be wrong while they ran."""
    wrong = tables.outcomes[tables.outcomes["status"] == "wrong"][CASE]
    bad = set(wrong.itertuples(index=False, name=None))
    return {k: v for k, v in grouped(tables.samples, CASE).items() if k not in bad}


def by_cell(times: Mapping[Any, stats.Blocks]) -> dict[Any, dict[Any, stats.Blocks]]:
    """The cases of each cell."""
    cells: dict[Any, dict[Any, stats.Blocks]] = {}
    for key, samples in times.items():
        cells.setdefault(key[: len(CELL)], {})[key] = samples
    return cells


def bounded(end: float) -> float | None:
    """An end of an interval; None where there is none."""
    return end if 0 < end < inf else None


def suspicions(run: Run, times: Mapping[Any, stats.Blocks]) -> dict[Any, list[str]]:
    """What must be known of the times of each case."""
    calm = {key: stats.undisturbed(samples) for key, samples in times.items()}
    levels = {key: suspicion.levelled(samples) for key, samples in calm.items()}
    found: dict[Any, list[str]] = {}
    header = run.header()
    for keys in by_cell(times).values():
        kinds = suspicion.theirs({key: suspicion.modes(calm[key]) for key in keys})
        for key in keys:
            drift = suspicion.drift(calm[key], [levels[k] for k in keys if k != key])
            said = [
                drift,
                str(kinds.get(key, "")),
                speed(header, key, stats.median(times[key]).value),
            ]
            found[key] = list(filter(None, said))
    return found


def speed(header: Mapping[str, Any], key: Any, seconds: float) -> str:
    """Whether a case is faster than its machine."""
    case = dict(zip(CASE, key, strict=True))
    if case["device"] != "cpu" or case["model"] not in header.get("models", {}):
        return ""
    macs, peak = header["models"][case["model"]]["macs"], header["machine"].get("matrix_product")
    return suspicion.impossible(seconds, macs, case["batch"], case["phase"], peak)


def figures(case: dict[str, Any], samples: stats.Blocks, ratio: stats.Estimate) -> dict[str, Any]:
    time = stats.median(samples)
    ends = (time.low, time.high, ratio.low, ratio.high)
    low, high, ratio_low, ratio_high = map(bounded, ends)
    return {
        "status": "ok",
        "median": time.value, "low": low, "high": high,
        "images_per_second": case["batch"] / time.value,
        "ratio": ratio.value, "ratio_low": ratio_low, "ratio_high": ratio_high,
        "samples": sum(map(len, samples.values())), "outliers": stats.outliers(samples),
        "blocks": len(samples),
        "disturbed": len(stats.marks(samples)),
        "processes": len({process for process, _ in samples}),
    }  # fmt: skip


class Index:
    """The rows of a frame by some of its columns, grouped once: to search it for every case takes
    the product of their lengths. Columns that it lacks tell nothing apart."""

    def __init__(self, frame: pd.DataFrame, columns: Sequence[str]) -> None:
        self.columns = [name for name in columns if name in frame]
        self.groups = dict(iter(frame.groupby(self.columns, sort=False)))
        self.none = frame.iloc[:0]

    def of(self, case: Mapping[str, Any]) -> pd.DataFrame:
        """The rows that belong to a case, in the frame's order."""
        found: pd.DataFrame = self.groups.get(tuple(case[k] for k in self.columns), self.none)
        return found


class Lines:
    """The rows of each case in the small tables."""

    def __init__(self, tables: Tables) -> None:
        keys = dict.fromkeys(("outcomes", "memory", "warmups"), CASE) | {"largest": ANY_BATCH}
        self.tables = {name: Index(getattr(tables, name), key) for name, key in keys.items()}

    def of(self, table: str, case: dict[str, Any]) -> pd.DataFrame:
        """The rows that belong to a case, in the journal's order."""
        return self.tables[table].of(case)


def outcome(lines: Lines, case: dict[str, Any]) -> dict[str, Any]:
    """Why a case has no number, if the run found out."""
    rows = lines.of("outcomes", case)
    return {k: rows.iloc[-1][k] for k in ("status", "reason")} if len(rows) else {}


def extra(lines: Lines, case: dict[str, Any]) -> dict[str, Any]:
    """The median of the first calls (tracing and compiling included), and bytes: peak memory of the
    process (on a GPU the allocator's), the network's part of it, how many times the least possible
    that is, what each step adds, marks such as `leaks`, and
    the largest batch that fits."""
    memory, warmups, largest = (lines.of(t, case) for t in ("memory", "warmups", "largest"))
    found: dict[str, Any] = {"marks": ""}
    if len(largest):
        found["largest_batch"] = int(largest["batch"].iloc[-1])
    if len(memory):
        last = memory.iloc[-1]
        names = ("above_baseline", "times_least", "growth_per_step", "marks")
        found |= {"peak_memory": memory["used"].max()} | {name: last[name] for name in names}
    return found | ({"first_call": warmups["first_call"].median()} if len(warmups) else {})


WHY = {
    "precise": "that is precise enough",
    "budget": "the budget holds no more",
    "nothing to measure": "nothing could be measured",
    "unsettled": "the time limit came first",
}


def stops(tables: Tables) -> list[str]:
    """A line for each network: why no more processes of it were taken, as last decided."""
    said = []
    network = [c for c in ("run", "model", "batch", "threads") if c in tables.stops]
    last = tables.stops.drop_duplicates(network, keep="last")
    several = "threads" in last and last["threads"].nunique() > 1
    for row in last.to_dict("records"):
        known = "" if pd.isna(row["widest"]) else f", {precision(row['widest'])}"
        asked = f" ({row['within']:.1%} was asked)" if known else ""
        threads = f", {row['threads']} threads" if several else ""
        where = f"{row['model']}, batch {row['batch']}{threads}"
        taken = "1 process" if row["processes"] == 1 else f"{row['processes']} processes"
        said.append(f"{where}: {taken}{known}{asked}; {WHY[row['reason']]}")
    return said


def slowed(tables: Tables) -> list[str]:
    """A line where processors were often slowed down beside the blocks, see `bench.guard.pace`."""
    if "slowed" not in tables.blocks or tables.blocks["slowed"].isna().all():
        return []
    found = tables.blocks["slowed"].dropna()
    slow = found[found > pace.SLOWED]
    share = len(slow) / len(found)
    if share < SELDOM:
        return []
    return [
        f"a processor ran at {1 / slow.median():.0%} of its usual speed beside {share:.0%} of the "
        "blocks: something shares its core, or its clock sinks; `bench doctor` watches it"
    ]


def precision(widest: float) -> str:
    return f"every ratio within {widest:.1%}" if widest <= 1 else "not every ratio within 100%"
