"""`never`: what cannot be measured yet. Always UNDECIDED; `missing` says what it would take.

rule = "never"
missing = "data-parallel training on several devices, which convmark does not run"
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.claims.expect import Expectation
from bench.claims.measured import Evidence
from bench.claims.rule import Rule
from bench.claims.verdicts import Finding


@dataclass(frozen=True, kw_only=True)
class Never(Rule, kind="never"):
    """Nothing is compared, so nothing is said."""

    missing: str

    def judge(self, evidence: Evidence) -> Finding:
        """Without comparisons, with the reason."""
        return Finding(self.what or "not measured", Expectation("equal"), (), (self.missing,))
