"""From comparisons to a verdict. Nobody decides by hand: these few functions do, for every rule.

A comparison is known from its replicates: processes, seeds, or networks. It holds where it differs
from the limit of what the statement expects, on the expected side; it fails where it differs on the
other side; else it is open. The means over all comparisons of a statement's tests are one family,
those over comparisons with something in common another, and single comparisons the third: the
chance of a wrong word in a family is at most 1 - stats.LEVEL (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, inf, log
from typing import Any

import numpy as np

from bench import stats
from bench.claims.expect import Expectation
from bench.stats import Estimate

CONFIRMED, REFUTED, MIXED, UNDECIDED = "CONFIRMED", "REFUTED", "MIXED", "UNDECIDED"
VERDICTS = (CONFIRMED, REFUTED, MIXED, UNDECIDED)


@dataclass(frozen=True)
class Row:
    """One comparison: where it was made, what it came to in each replicate, and whether that is as
    the statement expects. Rows of one `unit` share their replicates; those of two are independent.
    """

    where: dict[str, Any]
    found: Estimate
    values: Mapping[Hashable, float] = field(default_factory=dict)
    unit: Hashable = ""
    holds: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What one test of a statement compared: the figure in words, the comparisons, what they lack,
    and what `replicate` it takes more of to tell more; nothing that is `counted` is uncertain.
    """

    metric: str
    expected: Expectation
    rows: tuple[Row, ...] = ()
    missing: tuple[str, ...] = ()
    replicate: str = ""
    counted: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a finding comes to among the others of its statement: `means` are over all comparisons
    and over those with a value of `where` in common."""

    finding: Finding
    verdict: str
    effect: Estimate | None
    rows: tuple[Row, ...] = ()
    means: tuple[Row, ...] = ()
    missing: tuple[str, ...] = ()


def measured(
    where: dict[str, Any], values: Mapping[Any, float], unit: Hashable = "", **detail: Any
) -> Row:
    """A comparison from its replicates."""
    return Row(where, of_replicates(values.values()), values, unit, detail=detail)


def of_replicates(values: Iterable[float]) -> Estimate:
    return stats.estimate({(number, 0): value for number, value in enumerate(values)})


def exact(value: float) -> Estimate:
    """A figure that is counted, not measured."""
    return Estimate(value, 0.0, inf)


def joint(rows: Sequence[Row]) -> Estimate:
    """The geometric mean of rows, by replicate and then over units: what a replicate does to all
    rows of its unit (as a slow process of the one whom all are compared with) is counted once."""
    units: dict[Hashable, list[Row]] = {}
    for row in rows:
        units.setdefault(row.unit, []).append(row)
    return stats.geometric([of_unit(same) for same in units.values()])


def of_unit(rows: Sequence[Row]) -> Estimate:
    """Of rows of one unit: from the replicates that take part in most rows, so that they speak of
    the same."""
    taking: dict[Hashable, list[float]] = {}
    for row in rows:
        for key, value in row.values.items():
            taking.setdefault(key, []).append(log(value))
    most = max(map(len, taking.values()))
    return of_replicates(exp(np.mean(logs)) for logs in taking.values() if len(logs) == most)


def overall(rows: Sequence[Row]) -> list[Row]:
    """The mean of all rows, if there are any."""
    return [Row({}, joint(rows))] if rows else []


def means(rows: Sequence[Row]) -> list[Row]:
    """The means of rows with the same value of a key that varies."""
    found = []
    for key in dict.fromkeys(key for row in rows for key in row.where):
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.where.get(key), []).append(row)
        if len(groups) > 1:
            found += [Row({key: value}, joint(group)) for value, group in groups.items()]
    return found


def corrected(families: Sequence[tuple[Expectation, Sequence[Row]]]) -> list[list[Row]]:
    """The rows of each test with their word, all of them one family."""
    flat = [(expected, row) for expected, rows in families for row in rows]
    known = [e.chance(row.found) for e, row in flat if row.found.freedom > 0]
    adjusted = iter(stats.holm(known))
    words = iter(
        e.inside(row.found.value)
        if row.found.freedom > 0 and next(adjusted) < 1 - stats.LEVEL
        else None
        for e, row in flat
    )
    return [[replace(row, holds=next(words)) for row in rows] for _, rows in families]


def conclude(findings: Sequence[Finding]) -> list[Outcome]:
    """The outcome of each test of one statement."""
    fresh = [f for f in findings if not f.counted]
    levels = [
        corrected([(f.expected, level(f.rows)) for f in fresh])
        for level in (overall, means, list[Row])
    ]
    fine = iter([weigh(f, *rows) for f, *rows in zip(fresh, *levels, strict=True)])
    return [count(f) if f.counted else next(fine) for f in findings]


def count(finding: Finding) -> Outcome:
    """From exact rows; the effect of several is the share of them that hold."""
    signs = [bool(row.holds) for row in finding.rows]
    verdict = MIXED if len(set(signs)) > 1 else CONFIRMED if all(signs) else REFUTED
    one = len(finding.rows) == 1
    effect = finding.rows[0].found if one else exact(sum(signs) / len(signs))
    return Outcome(finding, verdict, effect, finding.rows)


def weigh(
    finding: Finding, whole: Sequence[Row], parts: Sequence[Row], cells: Sequence[Row]
) -> Outcome:
    """MIXED where some comparisons hold and others fail. Else CONFIRMED or REFUTED as the mean over
    all of them says, if nothing that the statement speaks of is missing. Else UNDECIDED."""
    signs = {row.holds for row in (*whole, *parts, *cells)} - {None}
    effect, said = (whole[0].found, whole[0].holds) if whole else (None, None)
    verdict = UNDECIDED
    if len(signs) > 1:
        verdict = MIXED
    elif said is not None and not finding.missing:
        verdict = CONFIRMED if said else REFUTED
    lacks = list(finding.missing)
    if verdict == UNDECIDED and effect and said is None:
        lacks.append(finding.expected.wanting(effect, finding.replicate))
    return Outcome(finding, verdict, effect, tuple(cells), (*whole, *parts), tuple(lacks))


def combine(verdicts: Sequence[str]) -> str:
    """The verdict on a statement from those on its parts: theirs, where they agree; MIXED where one
    part is confirmed and another refuted; else what is not known leaves it UNDECIDED."""
    seen = set(verdicts)
    if len(seen) == 1:
        return seen.pop()
    if MIXED in seen or {CONFIRMED, REFUTED} <= seen:
        return MIXED
    return UNDECIDED
