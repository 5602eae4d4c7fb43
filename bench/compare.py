"""Two runs of one machine, case by case: what became slower.

Rounds of different runs share no condition, so nothing is paired: the ratio is Welch's, a process
one observation. SLOWER and FASTER say that it lies beyond the margin, SAME that it lies within,
with Holm's correction over the table. Two runs cannot tell how much runs differ for no reason
(another day, another neighbour): the margin is for that, and `bench history` knows better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from bench import provenance, stats, store, summary
from bench.errors import NothingMeasured
from bench.store import Run, Tables
from bench.summary import CASE

LOST, NEW, CHANGED = "LOST", "NEW", "CHANGED"  # a number that is no more, was not, is of another
REGRESSIONS = (stats.SLOWER, LOST)
CHANGES = (*REGRESSIONS, stats.FASTER, NEW, CHANGED)
MARGIN = 0.05  # a ratio nearer to 1 is no difference
ORDER = (stats.SLOWER, LOST, CHANGED, stats.FASTER, NEW, stats.UNDECIDED, stats.SAME)
COLUMNS = [
    *CASE, "base", "new", "ratio", "ratio_low", "ratio_high", "p_value", "verdict", "reason",
    "changed",
]  # fmt: skip
Key = tuple[Any, ...]  # of a case: the values of CASE
Blocks = Mapping[Key, stats.Blocks]


def compare(base: Run, new: Run, margin: float = MARGIN) -> pd.DataFrame:
    """One row for each case with a number in one of the runs, what matters first: seconds before
    and after, new / base with its interval, the adjusted p-value of a difference beyond the margin,
    the verdict, and what changed between the runs, as `name before -> after`.

    Raises NothingMeasured where the runs have no case in common."""
    tables = [store.load(run.folder) for run in (base, new)]
    before, after = (summary.measured(t) for t in tables)
    if not before.keys() & after.keys():
        raise NothingMeasured(
            f"{base.folder} and {new.folder} have no measured case in common: {plans(base, new)}"
        )
    other = changed_networks(base, new)
    rows = judged(before, after, other, margin)
    rows += [gone(key, tables[1]) for key in before if key not in after]
    rows += [named(key) | {"verdict": NEW} for key in after if key not in before]
    known = [provenance.facts(run, t) for run, t in zip((base, new), tables, strict=True)]
    for row in rows:
        facts = [of_run.get(provenance.name(row), {}) for of_run in known]
        row["changed"] = provenance.differences(*facts)
    return sorted_(pd.DataFrame([row for row in rows if row["verdict"]], columns=COLUMNS))


def sorted_(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows by verdict, regressions first, then by how far the ratio is from 1."""
    rank = frame["verdict"].map({word: rank for rank, word in enumerate(ORDER)})
    size = abs(np.log(frame["ratio"].astype(float)))
    order = frame.assign(rank=rank, size=size).sort_values(
        ["rank", "size"], ascending=[True, False], kind="stable", ignore_index=True
    )
    return order[COLUMNS]


def conflicts(base: Run, new: Run) -> list[str]:
    """Why two runs' times cannot be compared, a line each; none where they can."""
    return provenance.differences(*(provenance.machine(run.header()) for run in (base, new)))


def warnings(base: Run, new: Run) -> list[str]:
    """What changed on a machine and may explain all differences together."""
    return provenance.differences(*(provenance.host(run.header()) for run in (base, new)))


def named(key: Key) -> dict[str, Any]:
    return dict(zip(CASE, key, strict=True)) | {"reason": ""}


def plans(*runs: Run) -> str:
    """In what two runs' plans differ."""
    about = ("models", "batches", "phases", "device", "precision", "threads")
    found = [run.header()["plan"] for run in runs]
    return "; ".join(provenance.differences(*({k: str(p.get(k)) for k in about} for p in found)))


def changed_networks(base: Run, new: Run) -> Callable[[Key], str]:
    """Says of a case whether its network is another in the new run, and which; empty if not."""
    headers = [run.header() for run in (base, new)]

    def said(key: Key) -> str:
        model = named(key)["model"]
        old, now = (provenance.digest(header, model)[:12] for header in headers)
        return f"another network: {old} -> {now}" if old and now and old != now else ""

    return said


def judged(
    before: Blocks, after: Blocks, other: Callable[[Key], str], margin: float
) -> list[dict[str, Any]]:
    """The rows of the cases that both runs measured."""
    both = [key for key in before if key in after]
    keys = [key for key in both if not other(key)]
    times = [(stats.median(before[key]), stats.median(after[key])) for key in keys]
    ratios = [stats.quotient(new, base) for base, new in times]
    chances = stats.differing(ratios, 1 + margin)
    words = stats.verdicts(ratios, margin, beyond=margin)
    rows = [
        named(key) | figures(base, new, ratio) | {"p_value": chance, "verdict": word}
        for key, (base, new), ratio, chance, word in zip(
            keys, times, ratios, chances, words, strict=True
        )
    ]
    return rows + [named(k) | {"verdict": CHANGED, "reason": other(k)} for k in both if other(k)]


def figures(base: stats.Estimate, new: stats.Estimate, ratio: stats.Estimate) -> dict[str, Any]:
    """Seconds and the ratio; its interval is empty where a run has a single process."""
    low, high = (end if 0 < end < inf else None for end in (ratio.low, ratio.high))
    values = {"base": base.value, "new": new.value, "ratio": ratio.value}
    return values | {"ratio_low": low, "ratio_high": high}


def gone(key: Key, tables: Tables) -> dict[str, Any]:
    """A row for a case that fails now; without verdict where the new run was not to measure it."""
    why = summary.outcome(summary.Lines(tables), dict(zip(CASE, key, strict=True)))
    reason = f"{why['status']}: {why['reason']}" if why else ""
    return named(key) | {"verdict": LOST if why else "", "reason": reason}


def overall(frame: pd.DataFrame) -> float | None:
    """The geometric mean of the ratios: far from 1, the machine has changed, not a framework."""
    ratios = [stats.Estimate(ratio, 0, 0) for ratio in frame["ratio"].dropna()]
    return stats.geometric(ratios).value if ratios else None


def count(verdicts: Iterable[str], words: Sequence[str] = REGRESSIONS) -> int:
    """How many of the verdicts are one of these words."""
    return sum(verdict in words for verdict in verdicts)
