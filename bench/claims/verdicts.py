"""From comparisons to a verdict. Nobody decides by hand: these few functions do, for every rule.

A comparison is known from its replicates: processes, seeds, or networks. It holds where it differs
from the limit of what the statement expects, on the expected side; it fails where it differs on the
other side; else it is open. The means over all comparisons of a statement's tests are one family,
those over comparisons with something in common another, and single comparisons the third: the
chance of a wrong word in a family is at most 1 - stats.LEVEL (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench import stats
from bench.claims.expect import Expectation
from bench.claims.rows import Row, exact, means, overall
from bench.stats import Estimate

CONFIRMED, REFUTED, MIXED, UNDECIDED = "CONFIRMED", "REFUTED", "MIXED", "UNDECIDED"
VERDICTS = (CONFIRMED, REFUTED, MIXED, UNDECIDED)


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
