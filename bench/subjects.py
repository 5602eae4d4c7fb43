"""What a framework is taken through the gate with: networks, operators, training runs.

A subject is some networks that one worker checks one after the other, so that a framework is
imported once for all of them, and what the referee expects of each, computed once for all
frameworks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock

import psutil

from bench import chance, conformance, moving
from bench.chance import Chance
from bench.curves import BATCH as CURVE_BATCH
from bench.curves import Curve
from bench.graph import Graph
from bench.moving import Moving
from bench.parity import BATCH, PHASES, Checker, Referee, Verdict

OPERATORS = "operators"  # as a network's name: the conformance cases
MOST = 24  # networks in a subject: frameworks are imported for each subject once more
# of the free memory, for what is known of them: two subjects are at work where slow frameworks are
# not yet through the first, a referee computes another of its size, and workers need the rest
SHARE = 1 / 5
BYTES = 20  # of a parameter: its value, and its gradient in both ways of max pooling


class Subject:
    """Networks in evaluation and in training mode."""

    phases: tuple[str, ...] = PHASES
    together = ""  # the name under which all are reported as one

    def __init__(self, graphs: Sequence[Graph], batch: int = BATCH) -> None:
        self.graphs, self.batch = graphs, batch
        self.referees: dict[int, Referee] = {}
        self.lock = Lock()

    def examine(self, checker: Checker, index: int) -> list[Verdict]:
        """The verdicts on one network."""
        return checker.check(self.referee(index))

    def referee(self, index: int) -> Referee:
        """Who knows what is expected of a network: one for all frameworks."""
        with self.lock:
            if index not in self.referees:
                self.referees[index] = Referee(self.graphs[index], self.batch)
            return self.referees[index]

    def forget(self) -> None:
        """Nobody will ask any more: what referees found takes gigabytes."""
        self.referees.clear()

    def reports(self, rows: Sequence[list[Verdict]]) -> Iterator[tuple[str, list[Verdict]]]:
        """The verdicts on each network under its name."""
        if self.together:
            yield self.together, [verdict for row in rows for verdict in row]
        else:
            yield from zip((graph.name for graph in self.graphs), rows, strict=True)


class Operators(Subject):
    """The conformance cases, also in the phase `forward` and in whole training steps; operators of
    chance; and statistics that training moves."""

    phases = (*PHASES, "forward", "step")
    together = OPERATORS

    def __init__(self) -> None:
        chances = [chance.case(name) for name in chance.CASES]
        super().__init__([*conformance.cases(), *chances, moving.case()], conformance.BATCH)

    def examine(self, checker: Checker, index: int) -> list[Verdict]:
        """The verdicts on one case."""
        if self.graphs[index].name in chance.CASES:
            return chance.examine(checker, Chance(self.graphs[index]))
        if self.graphs[index].name == moving.NAME:
            return moving.examine(checker, Moving(self.graphs[index]))
        referee = self.referee(index)
        return [*checker.check(referee), *checker.conform(referee)]


class Training(Subject):
    """Networks that are trained on digits for some steps."""

    phases = ("curve",)

    def __init__(self, graphs: Sequence[Graph]) -> None:
        super().__init__(graphs, CURVE_BATCH)
        self.curves = [Curve(graph) for graph in graphs]

    def examine(self, checker: Checker, index: int) -> list[Verdict]:
        """The verdict on one curve; `unsupported` is who is said to treat equal maxima in another
        way, and trains exactly as the referee does in that way."""
        expected = self.curves[index]
        with self.lock:
            expected.bound  # noqa: B018  computed once
        verdict = checker.curve(expected)
        if verdict.status == "wrong" and checker.equal_maxima:
            again = checker.curve(Curve(self.graphs[index], every=True))
            if again.ok:
                return [replace(again, status="unsupported", reason=checker.equal_maxima)]
        return [verdict]


def room() -> float:
    """How many parameters a subject may have on this machine."""
    return SHARE * psutil.virtual_memory().available / BYTES


def portions(graphs: Sequence[Graph], most: float) -> Iterator[list[Graph]]:
    """The networks in order, as many at a time as a subject holds, with so many parameters at most;
    a larger one is alone."""
    part: list[Graph] = []
    for graph in graphs:
        if part and (len(part) == MOST or sum(g.params for g in [*part, graph]) > most):
            yield part
            part = []
        part.append(graph)
    if part:
        yield part
