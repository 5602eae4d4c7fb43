"""`counted`: a figure of networks' graphs, exact. No run is needed.

rule = "counted"
models = ["vgg16"]       networks, with * for many
nodes = "conv*"          of which nodes: a pattern of names, all by default
op = "conv"              and of which operator
figure = "kernel"        see bench/claims/figures.py
equals = [3]             what it is; or `expect` and `bound`
base = "alexnet"         the figure is divided by that of this network ...
base_nodes, base_op      ... or of these nodes of it (or of the network itself)
same = true              or is the same as theirs, for figures that are lists
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.claims import figures
from bench.claims.expect import EXPECTATIONS, Expectation
from bench.claims.measured import Evidence
from bench.claims.rows import Row, exact
from bench.claims.rule import SAYS, Rule, choice
from bench.claims.verdicts import Finding
from bench.claims.words import Message
from bench.errors import BenchError


@dataclass(frozen=True, kw_only=True)
class Counted(Rule, kind="counted"):
    """A figure of each network, or its ratio to another's, against what is expected."""

    models: tuple[str, ...]
    figure: str = choice(*figures.FIGURES)
    nodes: str = "*"
    op: str = "*"
    equals: tuple[object, ...] = ()
    expect: str = choice(*EXPECTATIONS, default="equal")
    bound: float = 1.0
    margin: float = 0.0
    base: str = ""
    base_nodes: str = ""
    base_op: str = ""
    same: bool = False

    def check(self) -> None:
        """Networks and nodes exist; a list is not divided."""
        for name in self.names:
            value = figures.of(self.figure, name, self.nodes, self.op)
            if isinstance(value, tuple) and not (self.equals or self.same):
                raise BenchError(f"{self.figure} of {name} is a list: say what it `equals`")
        if self.relative:
            figures.chosen(*self.below(self.names[0]))
        if self.equals and self.relative:
            raise BenchError("equals and base: a list is not divided, leave one away")

    @property
    def names(self) -> list[str]:
        return figures.networks(self.models)

    @property
    def relative(self) -> bool:
        return bool(self.base or self.base_nodes or self.base_op)

    def below(self, name: str) -> tuple[str, str, str]:
        """What a network's figure is compared with."""
        return self.base or name, self.base_nodes or self.nodes, self.base_op or self.op

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each network."""
        rows = tuple(self.row(name) for name in self.names)
        says = Message(SAYS, what=self.what or self.figure, expected=self.declares)
        return Finding(says, self.expected, rows, counted=True)

    def row(self, name: str) -> Row:
        value = figures.of(self.figure, name, self.nodes, self.op)
        where = {"model": name} | {
            k: v for k, v in (("nodes", self.nodes), ("op", self.op)) if v != "*"
        }
        if self.equals or self.same:
            found, declared = figures.listed(value), self.declared(name)
            same = found == declared
            number = found[0] if len(found) == 1 and isinstance(found[0], int) else same
            detail = {"found": found, "declared": declared}
            return Row(where, exact(float(number)), holds=same, detail=detail)
        detail = {"found": value}
        if self.relative:
            detail["base"] = figures.of(self.figure, *self.below(name))
            value = value / detail["base"]
        value = float(value)
        return Row(where, exact(value), holds=self.expected.inside(value), detail=detail)

    def declared(self, name: str) -> list[Any]:
        """The list that is expected."""
        if self.same:
            return figures.listed(figures.of(self.figure, *self.below(name)))
        return list(self.equals)

    @property
    def expected(self) -> Expectation:
        return Expectation(self.expect, self.bound, self.margin)

    @property
    def declares(self) -> str:
        """What is expected, in words."""
        if self.same:
            return "the same"
        return ", ".join(map(str, self.equals)) if self.equals else self.expected.words
