"""Two runs of one machine, case by case: what became slower.

Rounds of different runs share no condition, so nothing is paired: the ratio is Welch's, a process
one observation. SLOWER and FASTER say that it lies beyond the margin, SAME that it lies within, with
Holm's correction over the table. Two runs cannot tell how much runs differ for no reason (another
day, another neighbour): the margin is for that, and `bench history` knows better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from scipy.stats import gmean
from bench import provenance, stats, store, summary
from bench.cases import Contender
from bench.errors import NothingMeasured
from bench.store import CELL, CONTENDER, Run, Tables

LOST, NEW = "LOST", "NEW"  # a number that is no more, or was not there
REGRESSIONS = (stats.SLOWER, LOST)
LEVEL = 0.05
MARGIN = 0.05  # a ratio nearer to 1 is no difference
CASE = [*CELL, *CONTENDER]
COLUMNS = [
    *CASE, "base", "new", "ratio", "ratio_low", "ratio_high", "p_value", "verdict", "reason",
    "changed",
]  # fmt: skip


def compare(base: Run, new: Run, margin: float = MARGIN) -> pd.DataFrame:
    """One row for each case with a number in both runs, or lost or new; seconds, and new / base.

    Raises NothingMeasured where the runs have no case in common."""
    tables = [store.load(run.folder) for run in (base, new)]
    before, after = (measured(t) for t in tables)
    known = [provenance.facts(run, t) for run, t in zip((base, new), tables, strict=True)]
    both = [key for key in before if key in after]
    if not both:
        raise NothingMeasured(f"{base.folder} and {new.folder} have no case in common")
    rows = [row(key, before[key], after[key]) for key in both]
    judge(rows, margin)
    rows += [lost for key in before if key not in after if (lost := gone(key, tables[1]))]
    rows += [named(key) | {"verdict": NEW} for key in after if key not in before]
    for entry in rows:
        who = str(Contender(*(entry[k] for k in CONTENDER)))
        entry["changed"] = provenance.differences(*(facts.get(who, {}) for facts in known))
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(tables: Tables) -> dict[tuple[Any, ...], stats.Blocks]:
    """Each measured case's samples, in blocks."""
    return {key: summary.blocks(group) for key, group in tables.samples.groupby(CASE, sort=False)}


def named(key: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(CASE, key, strict=True))


def row(key: Sequence[Any], base: stats.Blocks, new: stats.Blocks) -> dict[str, Any]:
    """The figures of a case that both runs measured; seconds."""
    before, after = stats.median(base), stats.median(new)
    ratio = stats.quotient(after, before)  # blocks of two runs are no pairs
    return named(key) | {
        "base": before.value, "new": after.value, "ratio": ratio.value, "ratio_low": ratio.low,
        "ratio_high": ratio.high, "reason": "", "estimate": ratio,
    }  # fmt: skip


def judge(rows: Sequence[dict[str, Any]], margin: float) -> None:
    """Give each row its verdict, and the corrected p-value of a difference beyond the margin."""
    ratios = [entry.pop("estimate") for entry in rows]
    edge = 1 + margin
    differs = stats.holm([2 * min(r.beyond(edge), stats.inverse(r).beyond(edge)) for r in ratios])
    agrees = stats.holm(
        [max(stats.within(r, margin), stats.within(stats.inverse(r), margin)) for r in ratios]
    )
    for entry, ratio, other, same in zip(rows, ratios, differs, agrees, strict=True):
        verdict = stats.word(ratio, other <= LEVEL, same <= LEVEL)
        entry |= {"verdict": verdict, "p_value": other}


def gone(key: Sequence[Any], tables: Tables) -> dict[str, Any] | None:
    """A row for a case that fails now; None where the new run does not say why it is not there."""
    case = named(key)
    why = summary.outcome(tables, case)
    if not why:
        return None
    return case | {"verdict": LOST, "reason": f"{why['status']}: {why['reason']}"}


def overall(frame: pd.DataFrame) -> float | None:
    """The geometric mean of the ratios: far from 1, the machine has changed, not a framework."""
    ratios = frame["ratio"].dropna()
    return float(gmean(ratios)) if len(ratios) else None


def regressions(verdicts: Iterable[str]) -> int:
    """How many of the verdicts are regressions."""
    return sum(verdict in REGRESSIONS for verdict in verdicts)
