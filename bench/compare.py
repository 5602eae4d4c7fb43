"""Two runs of one machine, case by case: what became slower.

The rounds of different runs share no condition, so nothing is paired. A process is one observation:
Welch's t-test on the logarithms of their medians says whether a ratio lies outside the margin or
inside it, with Holm's correction over the table. Two runs cannot tell how much runs differ for no
reason (another day, another neighbour): the margin is for that, and `bench history` knows better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind_from_stats

from bench import provenance, stats, store, summary
from bench.cases import Contender
from bench.errors import NothingMeasured
from bench.store import CELL, CONTENDER, Run, Tables

SLOWER, FASTER, SAME, UNDECIDED = "SLOWER", "FASTER", "SAME", "UNDECIDED"
LOST, NEW = "LOST", "NEW"  # a number that is no more, or was not there
REGRESSIONS = (SLOWER, LOST)
LEVEL = 0.05
MARGIN = 0.05  # a ratio nearer to 1 is no difference
EXACT = 1e-9  # relative: processes never agree better
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
    judge(rows, [p_values(after[key], before[key], margin) for key in both])
    rows += [lost for key in before if key not in after if (lost := gone(key, tables[1]))]
    rows += [named(key) | {"verdict": NEW} for key in after if key not in before]
    for entry in rows:
        who = str(Contender(*(entry[k] for k in CONTENDER)))
        entry["changed"] = provenance.differences(*(facts.get(who, {}) for facts in known))
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(tables: Tables) -> dict[tuple[Any, ...], stats.Rounds]:
    """Each measured case's samples, by round."""
    return {key: summary.rounds(group) for key, group in tables.samples.groupby(CASE, sort=False)}


def named(key: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(CASE, key, strict=True))


def row(key: Sequence[Any], base: stats.Rounds, new: stats.Rounds) -> dict[str, Any]:
    """The figures of a case that both runs measured."""
    ratio = unpaired(new, base)
    return named(key) | {
        "base": stats.central(base), "new": stats.central(new), "ratio": ratio.value,
        "ratio_low": ratio.low, "ratio_high": ratio.high, "reason": "",
    }  # fmt: skip


def unpaired(new: stats.Rounds, base: stats.Rounds) -> stats.Estimate:
    """The ratio of medians with its interval; rounds are numbered so that none is a pair."""
    apart = max(new) + 1 - min(base)
    return stats.ratio(new, {round_ + apart: samples for round_, samples in base.items()})


def p_values(new: stats.Rounds, base: stats.Rounds, margin: float) -> tuple[float, float]:
    """How likely so large a difference is if the ratio is within the margin, and so small a one if
    it is outside; 1 where a run had one process, which tells nothing of others."""
    if min(len(new), len(base)) < 2:
        return 1.0, 1.0
    mean, spread, count = moments(new)
    other, edge = moments(base), log(1 + margin)
    slower, faster = (
        float(ttest_ind_from_stats(
            mean + shift, spread, count, *other, equal_var=False, alternative=alternative,
        ).pvalue)
        for shift, alternative in ((-edge, "greater"), (edge, "less"))
    )  # fmt: skip
    return min(1.0, 2 * min(slower, faster)), max(1 - slower, 1 - faster)


def moments(rounds: stats.Rounds) -> tuple[float, float, int]:
    """Mean and standard deviation of the logarithms of the processes' medians, and their number."""
    logs = np.log([np.median(samples) for samples in rounds.values()])
    return float(np.mean(logs)), max(float(np.std(logs, ddof=1)), EXACT), len(logs)


def judge(rows: Sequence[dict[str, Any]], found: Sequence[tuple[float, float]]) -> None:
    """Give each row its verdict and the corrected p-value of the difference."""
    differs, agrees = (holm([pair[side] for pair in found]) for side in (0, 1))
    for entry, other, same in zip(rows, differs, agrees, strict=True):
        if other <= LEVEL:
            verdict = SLOWER if entry["ratio"] > 1 else FASTER
        else:
            verdict = SAME if same <= LEVEL else UNDECIDED
        entry |= {"verdict": verdict, "p_value": other}


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the chance of any false verdict in the table stays nominal."""
    corrected, worst = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        worst = max(worst, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = worst
    return corrected


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
    return exp(float(np.mean(np.log(ratios)))) if len(ratios) else None


def regressions(verdicts: Iterable[str]) -> int:
    """How many of the verdicts are regressions."""
    return sum(verdict in REGRESSIONS for verdict in verdicts)
