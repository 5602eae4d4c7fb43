"""How often equals are called different, and which slowdown is found in what time.

Copies of one framework, and copies with a known handicap, race for many processes. Then trials are
drawn from these: a few of the processes, a few rounds of each, and the same verdict as in a table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from math import inf, log

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
    known = common(blocks, base)
    for _ in range(DRAWS):
        chosen = random.choice(known, size=processes, replace=False).tolist()
        yield stats.ratio(part(blocks, chosen, rounds), part(base, chosen, rounds))


def common(*sides: Blocks) -> list[int]:
    """The processes of which all have blocks."""
    return sorted(set.intersection(*({process for process, _ in blocks} for blocks in sides)))


def part(blocks: Blocks, processes: Collection[int], rounds: float = inf) -> Blocks:
    """The first rounds of some processes."""
    return {b: s for b, s in blocks.items() if b[0] in processes and b[1] < rounds}


def sizes(pool: Mapping[str, Blocks]) -> list[int]:
    """How many processes a trial may have so that several trials are not nearly the same."""
    most = len({p for blocks in pool.values() for p, _ in blocks})
    return [n for n in PROCESSES if n <= most // 2]


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
    for share, couples in sorted(pairs(pool).items()):
        for processes in sizes(pool):
            for rounds in ROUNDS:
                found = [
                    estimate
                    for one, two in couples
                    for estimate in trials(pool[one], pool[two], processes, rounds, random)
                ]
                rows.append({"share": share, "processes": processes, "rounds": rounds}
                            | row(found, share))  # fmt: skip
    return pd.DataFrame(rows)


def tables(pool: Mapping[str, Blocks], seed: int = 0) -> dict[int, float]:
    """Of tables with all equals as contenders, by the number of processes: the share in which
    anybody was called slower than the fastest."""
    random = np.random.default_rng(seed)
    return {n: float(np.mean([wrong(pool, n, random) for _ in range(DRAWS)])) for n in sizes(pool)}


def wrong(pool: Mapping[str, Blocks], processes: int, random: np.random.Generator) -> bool:
    """Whether such a table, of processes drawn without replacement, has a wrong word."""
    equals = [blocks for mode, blocks in pool.items() if share_of(mode) == 0]
    chosen = random.choice(common(*equals), size=processes, replace=False).tolist()
    cell = {number: part(blocks, chosen) for number, blocks in enumerate(equals)}
    return any(word == stats.SLOWER for _, word in stats.to_fastest([cell]).values())


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
        known = common(pool[one], pool[two])
        for start in range(0, len(known) - processes + 1, processes):
            chosen = known[start : start + processes]
            sides = (part(pool[mode], chosen) for mode in (one, two))
            called.append(stats.verdicts([stats.ratio(*sides)])[0])
    wrong = sum(word in (stats.FASTER, stats.SLOWER) for word in called)
    interval = binomtest(wrong, len(called)).proportion_ci(0.95) if called else (0.0, 1.0)
    return {"trials": len(called), "alarms": wrong, "low": interval[0], "high": interval[1]}
