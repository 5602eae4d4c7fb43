"""How often equals are called different, and which slowdown is found in what time.

Copies of one framework, and copies with a known handicap, race for many processes. Then trials are
drawn from these: a few of the processes, a few rounds of each, and the same verdict as in a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import log

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench import stats
from bench.selftest.contenders import share_of
from bench.stats import Blocks, Estimate

PROCESSES, ROUNDS = (3, 5, 8), (3, 10)  # of a trial
DRAWS = 400  # trials of each pair


def trials(
    blocks: Blocks, base: Blocks, processes: int, rounds: int, random: np.random.Generator
) -> Iterator[Estimate]:
    """Ratios, each from processes drawn without replacement, with their first rounds."""
    known = sorted({p for p, _ in blocks} & {p for p, _ in base})
    for _ in range(DRAWS):
        chosen = set(random.choice(known, size=processes, replace=False).tolist())
        one, two = (
            {b: s for b, s in side.items() if b[0] in chosen and b[1] < rounds}
            for side in (blocks, base)
        )
        yield stats.ratio(one, two)


def pairs(pool: Mapping[str, Blocks]) -> dict[float, list[tuple[str, str]]]:
    """By share: the handicapped one and each equal one, or two equal ones."""
    equals = [mode for mode in pool if share_of(mode) == 0]
    found: dict[float, list[tuple[str, str]]] = {0.0: list(combinations(equals, 2))}
    for mode in pool:
        if share_of(mode):
            found[share_of(mode)] = [(mode, equal) for equal in equals]
    return found


def report(pool: Mapping[str, Blocks], seed: int = 0) -> pd.DataFrame:
    """For each share and size of a trial: how often the word was FASTER, SLOWER, SAME, UNDECIDED,
    how often the interval held the truth, the median width of the interval."""
    random, rows = np.random.default_rng(seed), []
    most = len({p for blocks in pool.values() for p, _ in blocks})
    for share, couples in pairs(pool).items():
        for processes in (n for n in PROCESSES if n <= most // 2):
            for rounds in ROUNDS:
                found = [
                    estimate
                    for one, two in couples
                    for estimate in trials(pool[one], pool[two], processes, rounds, random)
                ]
                rows.append({"share": share, "processes": processes, "rounds": rounds}
                            | row(found, share))  # fmt: skip
    return pd.DataFrame(rows)


def row(found: list[Estimate], share: float) -> dict[str, float]:
    words = [stats.verdicts([estimate])[0] for estimate in found]
    covered = [e.low <= 1 + share <= e.high for e in found]
    bias = np.median([log(e.value / (1 + share)) for e in found])
    return {
        **{word: words.count(word) / len(words) for word in ("FASTER", "SLOWER", "SAME")},
        "covered": float(np.mean(covered)), "bias": float(bias),
        "width": float(np.median([e.width for e in found])),
    }  # fmt: skip


def false_alarms(pool: Mapping[str, Blocks], processes: int = 3) -> dict[str, float]:
    """Of equals that share nothing: disjoint pairs of copies in disjoint groups of processes, with
    all their rounds; how many were called different, and the exact 95% interval of that share."""
    equals = [mode for mode in pool if share_of(mode) == 0]
    called = []
    for one, two in zip(equals[::2], equals[1::2], strict=False):
        known = sorted({p for p, _ in pool[one]} & {p for p, _ in pool[two]})
        for start in range(0, len(known) - processes + 1, processes):
            chosen = set(known[start : start + processes])
            sides = ({b: s for b, s in pool[m].items() if b[0] in chosen} for m in (one, two))
            called.append(stats.verdicts([stats.ratio(*sides)])[0])
    wrong = sum(word in (stats.FASTER, stats.SLOWER) for word in called)
    interval = binomtest(wrong, len(called)).proportion_ci(0.95) if called else (0.0, 1.0)
    return {"trials": len(called), "alarms": wrong, "low": interval[0], "high": interval[1]}
