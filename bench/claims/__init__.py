"""The document's statements, judged from the tables of runs by the rules that they declare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bench.claims import depends, verdicts
from bench.claims.declare import DOCUMENT, Claim, load, select
from bench.claims.population import Evidence
from bench.claims.verdicts import Finding, Row, exact
from bench.stats import Estimate
from bench.store import Tables

__all__ = ["DOCUMENT", "Claim", "Judged", "judge", "load", "select"]


@dataclass(frozen=True)
class Judged:
    """A claim with what each of its tests found."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        return verdicts.combine([finding.verdict for finding in self.findings])

    @property
    def effect(self) -> tuple[str, Estimate | None]:
        """What the size of the effect is, and its figure: that of the first test with the claim's
        own verdict, else of the first with a figure. Where a test has many rows and no figure over
        all of them, the share of its decided rows that hold."""
        same = [f for f in self.findings if f.verdict == self.verdict]
        finding = next((f for f in same or self.findings if f.effect or f.rows), self.findings[0])
        if finding.effect or not finding.rows:
            return finding.metric, finding.effect
        decided = [row.holds for row in finding.rows if row.holds is not None]
        value = exact(sum(decided) / len(decided)) if decided else None
        return f"share of comparisons that hold: {finding.metric}", value

    @property
    def missing(self) -> list[str]:
        """What would decide it, each thing once."""
        return list(dict.fromkeys(text for f in self.findings for text in f.missing))

    def to_json(self) -> dict[str, Any]:
        """Plain data, every cell included."""
        claim, (metric, effect) = self.claim, self.effect
        evidence = [
            cell(test.kind, finding, row)
            for test, finding in zip(claim.tests, self.findings, strict=True)
            for row in finding.rows
        ]
        return {
            "id": claim.id,
            "statement": {"zh": claim.zh, "en": claim.en},
            "verdict": self.verdict,
            "effect": {"metric": metric, "value": number(effect, "value")},
            "interval": [number(effect, "low"), number(effect, "high")] if effect else None,
            "depends": depends.table(evidence) if self.verdict == verdicts.MIXED else [],
            "evidence": evidence,
            "missing": self.missing,
            "tests": [
                {"rule": test.kind, "metric": f.metric, "verdict": f.verdict,
                 "effect": number(f.effect, "value"), "low": number(f.effect, "low"),
                 "high": number(f.effect, "high"), "missing": list(f.missing)}
                for test, f in zip(claim.tests, self.findings, strict=True)
            ],
            "population": claim.population,
            "for": claim.supports,
            "against": claim.opposes,
            "note": claim.note,
        }  # fmt: skip


def judge(claims: Iterable[Claim], tables: Tables) -> list[Judged]:
    """Each claim judged: a pure function of the tables."""
    evidence = Evidence(tables)
    return [Judged(c, tuple(test.judge(evidence) for test in c.tests)) for c in claims]


def number(effect: Estimate | None, part: str) -> float | None:
    value = getattr(effect, part) if effect else None
    return value if value is not None and isfinite(value) else None


def cell(kind: str, finding: Finding, row: Row) -> dict[str, Any]:
    """A row of evidence as plain data."""
    ends = {part: number(row.found, part) for part in ("value", "low", "high")}
    return {"rule": kind, "metric": finding.metric, **row.where, **ends, "holds": row.holds,
            **row.detail}  # fmt: skip
