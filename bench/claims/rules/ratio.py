"""`ratio`: a contender against rivals in the same cells: time, memory, building, first call.

rule = "ratio"
subject = ["torch"]               who is spoken of, see bench/claims/population.py
rivals = ["tensorflow", "keras"]  whom it is compared with, "*" for all others
metric = "seconds"                or memory, build, import, first_call
expect, bound, margin             where the ratio subject / rival is put
models, phases, batches, devices  the cells, by default all that were measured
processes = 2                     on each side at least, else there is no comparison
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.cases import Cell, Contender
from bench.claims import compare
from bench.claims.population import METRICS, Evidence, Measured, Scope, everyone, words_of
from bench.claims.rule import Expecting, Needs, choice
from bench.claims.verdicts import Finding, Row, found
from bench.errors import BenchError
from bench.stats import Estimate, Rounds

Pair = tuple[Contender, Contender, Cell, Rounds, Rounds]


@dataclass(frozen=True, kw_only=True)
class Compared(Expecting):
    """What rules that compare contenders in cells have in common."""

    subject: tuple[str, ...]
    rivals: tuple[str, ...]
    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()
    processes: int = 2

    @property
    def scope(self) -> Scope:
        return Scope(self.models, self.phases, self.batches, self.devices)

    @property
    def sides(self) -> tuple[list[Contender], list[Contender]]:
        """Those who are spoken of, and those whom they are compared with."""
        subjects = everyone(self.subject)
        return subjects, everyone(self.rivals, but=subjects)

    def check(self) -> None:
        """Names exist, and somebody is left to compare with."""
        super().check()
        self.scope.check()
        if not all(self.sides):
            raise BenchError(f"rivals = {list(self.rivals)}: nobody but the subject is left")

    def needs(self) -> Needs:
        """Both sides in the cells it names."""
        both = tuple(dict.fromkeys([*self.sides[0], *self.sides[1]]))
        return Needs(both, self.models, self.phases, self.batches)

    def pairs(self, values: Measured) -> Iterator[Pair]:
        """Each contender with each rival, in each cell that both have."""
        subjects, rivals = self.sides
        for subject in subjects:
            for rival in rivals:
                here, there = values.get(subject, {}), values.get(rival, {})
                for cell in sorted(here.keys() & there.keys()):
                    if min(len(here[cell]), len(there[cell])) >= self.processes:
                        yield subject, rival, cell, here[cell], there[cell]

    def missing(self, values: Measured, pairs: list[Pair]) -> list[str]:
        """Who or which cells the statement names and no comparison has."""
        subjects, rivals = self.sides
        seen = {contender for pair in pairs for contender in pair[:2]}
        lacking = [str(c) for c in (*subjects, *rivals) if c not in seen]
        said = f"no comparison with {', '.join(lacking)}" if lacking else ""
        if said and self.processes > 1:
            said += f" in the same cell, with {self.processes} processes on each side"
        cells = self.scope.missing(pair[2] for pair in pairs) if pairs else []
        return [*filter(None, [said]), *cells]

    def row(
        self, pair: Pair, plain: Estimate, comparisons: int, detail: dict[str, Any] | None = None
    ) -> Row:
        """One comparison, its interval corrected for all."""
        subject, rival, cell, here, there = pair
        processes = min(len(here), len(there))
        ratio = compare.corrected(plain, processes, comparisons)
        where = words_of(subject, cell) | {"rival": str(rival)}
        return Row(where, ratio, self.expected.holds(ratio),
                   (detail or {}) | {"processes": processes})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ratio(Compared, kind="ratio"):
    """The subject's figure divided by each rival's; over all of them the geometric mean."""

    metric: str = choice(*METRICS, default="seconds")

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each rival and cell."""
        values = evidence.measured(self.metric, self.scope)
        pairs = list(self.pairs(values))
        single = [compare.ratio(here, there) for *_, here, there in pairs]
        rows = [self.row(p, e, len(pairs)) for p, e in zip(pairs, single, strict=True)]
        effect = compare.geometric(single) if single else None
        words = self.what or f"{METRICS[self.metric][2]}, times the rival's"
        if any(min(len(here), len(there)) < 2 for *_, here, there in pairs):
            words += " (of single processes, whose spread is not known)"
        return found(words, rows, self.expected, effect, self.missing(values, pairs))
