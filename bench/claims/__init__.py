"""The document's statements, judged from the tables of runs by the rules that they declare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from bench.claims import verdicts
from bench.claims.declare import DOCUMENT, Claim, load, select
from bench.claims.measured import Evidence
from bench.claims.rows import Row, exact
from bench.claims.verdicts import Outcome
from bench.claims.words import Message
from bench.stats import Estimate
from bench.store import Tables

__all__ = ["DOCUMENT", "Claim", "Judged", "judge", "load", "select"]
WORDS = {True: verdicts.CONFIRMED, False: verdicts.REFUTED, None: verdicts.UNDECIDED}


@dataclass(frozen=True)
class Judged:
    """A claim with what each of its tests came to."""

    claim: Claim
    outcomes: tuple[Outcome, ...]

    @property
    def verdict(self) -> str:
        return verdicts.combine([outcome.verdict for outcome in self.outcomes])

    @property
    def effect(self) -> tuple[str, Estimate | None]:
        """The figure that stands for the claim: where tests contradict each other, how many of them
        hold; else that of the first test with the claim's own verdict, or the first with one."""
        words = [outcome.verdict for outcome in self.outcomes]
        if self.verdict == verdicts.MIXED and verdicts.MIXED not in words:
            metric = Message("of {count} tests hold", count=len(words))
            return metric, exact(float(words.count(verdicts.CONFIRMED)))
        known = [o for o in self.outcomes if o.effect]
        same = [o for o in known if o.verdict == self.verdict]
        telling = (same or known or self.outcomes)[0]
        return telling.finding.metric, telling.effect

    @property
    def missing(self) -> list[str]:
        """What would decide it, each thing once."""
        return list(dict.fromkeys(text for o in self.outcomes for text in o.missing))

    def depends(self) -> list[dict[str, Any]]:
        """On what a MIXED verdict depends: which tests hold, or within a test which means, or which
        comparisons, say one thing and which the other."""
        if self.verdict != verdicts.MIXED:
            return []
        words = [o.verdict for o in self.outcomes]
        if verdicts.MIXED not in words:
            return [line(o, "test", o.finding.metric, o.effect, o.verdict) for o in self.outcomes]
        return [row for o in self.outcomes if o.verdict == verdicts.MIXED for row in split(o)]

    def to_json(self) -> dict[str, Any]:
        """Plain data, every comparison included."""
        claim, (metric, effect) = self.claim, self.effect
        value, low, high = ends(effect).values()
        pairs = list(zip(claim.tests, self.outcomes, strict=True))
        return {
            "id": claim.id,
            "statement": {"zh": claim.zh, "en": claim.en},
            "verdict": self.verdict,
            "effect": {"metric": metric, "value": value},
            "interval": None if low is None else [low, high],
            "depends": self.depends(),
            "evidence": [cell(t.kind, o, row) for t, o in pairs for row in o.rows],
            "missing": self.missing,
            "tests": [
                {"rule": t.kind, "metric": o.finding.metric, "verdict": o.verdict,
                 "missing": list(o.missing), **ends(o.effect),
                 "means": [row.where | ends(row.found) | {"holds": row.holds} for row in o.means]}
                for t, o in pairs
            ],
            "population": claim.population,
            "for": claim.supports,
            "against": claim.opposes,
            "note": claim.note,
            "chinese": dict(claim.chinese),
        }  # fmt: skip


def judge(claims: Iterable[Claim], tables: Tables) -> list[Judged]:
    """Each claim judged: a pure function of the tables."""
    evidence = Evidence(tables)
    return [
        Judged(claim, tuple(verdicts.conclude([test.judge(evidence) for test in claim.tests])))
        for claim in claims
    ]


def split(outcome: Outcome) -> list[dict[str, Any]]:
    """A MIXED test by the key whose means say both; where none does, its decided comparisons."""
    signs: dict[str, set[bool]] = {}
    for row in outcome.means:
        if row.holds is not None and row.where:
            signs.setdefault(next(iter(row.where)), set()).add(row.holds)
    on = next((key for key, seen in signs.items() if len(seen) == 2), None)
    if on:
        rows = [row for row in outcome.means if on in row.where]
        return [line(outcome, on, row.where[on], row.found, WORDS[row.holds]) for row in rows]
    rows = [row for row in (*outcome.means, *outcome.rows) if row.holds is not None]
    return [line(outcome, "comparison", where(r), r.found, WORDS[r.holds]) for r in rows]


def where(row: Row) -> str:
    return ", ".join(map(str, row.where.values())) or "all together"


def line(
    outcome: Outcome, on: str, value: Any, found: Estimate | None, verdict: str
) -> dict[str, Any]:
    """One of the things that a verdict depends on: what is said of it by itself."""
    figures = ends(found)
    return {"on": on, "value": value, "of": outcome.finding.metric, "verdict": verdict,
            "effect": figures["value"], "low": figures["low"], "high": figures["high"]}  # fmt: skip


def ends(found: Estimate | None) -> dict[str, float | None]:
    """A figure with its interval; no end where one replicate says nothing of others."""
    if found is None:
        return {"value": None, "low": None, "high": None}
    if found.freedom == inf:
        return {"value": found.value, "low": found.value, "high": found.value}
    known = found.freedom > 0
    return {"value": found.value, "low": found.low if known else None,
            "high": found.high if known else None}  # fmt: skip


def cell(kind: str, outcome: Outcome, row: Row) -> dict[str, Any]:
    """A comparison as plain data."""
    return {"rule": kind, "metric": outcome.finding.metric, **row.where, **ends(row.found),
            "holds": row.holds, **row.detail}  # fmt: skip
