"""What rules have in common that compare one contender with another, in the same cells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from bench import stats
from bench.cases import Contender
from bench.claims.measured import Evidence, Measured, Place, words_of
from bench.claims.population import contenders, everyone
from bench.claims.rows import Row, measured
from bench.claims.rule import Needs, Scoped
from bench.claims.verdicts import Finding
from bench.claims.words import Message
from bench.errors import BenchError
from bench.stats import Block, Blocks

Versus = dict[int, float]  # a figure by process
Pair = tuple[Contender, Contender]
PROCESSES = "processes (--processes), or a quieter machine"
NETWORKS = "networks (--model), or runs"


@dataclass(frozen=True, kw_only=True)
class Opposed(Scoped):
    """Who is compared with whom: `subject` with all `rivals`, or `pairs`."""

    subject: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    processes: int = 2

    @property
    def sides(self) -> list[Pair]:
        """Each pair of contenders."""
        if self.pairs:
            return [parted(pair) for pair in self.pairs]
        subjects = everyone(self.subject)
        return [(s, r) for s in subjects for r in everyone(self.rivals, but=subjects)]

    def check(self) -> None:
        """Names exist, and somebody is left to compare with."""
        super().check()
        if bool(self.pairs) == bool(self.subject and self.rivals):
            raise BenchError("subject and rivals, or pairs: exactly one of the two must be given")
        if not self.sides:
            raise BenchError(f"rivals = {list(self.rivals)}: nobody but the subject is left")
        if self.processes < 1:
            raise BenchError(f"processes = {self.processes}: at least 1")

    def needs(self) -> Needs:
        """Both sides in the cells it names."""
        both = tuple(dict.fromkeys(contender for pair in self.sides for contender in pair))
        return Needs(both, self.models, self.phases, self.batches)

    def lacking(self, rows: list[Row], evidence: Evidence) -> list[str]:
        """Which pairs and cells the statement names and no comparison has; where it speaks of
        everybody, without those who were tried and failed."""
        seen = {(row.where.get("contender"), row.where.get("rival")) for row in rows}
        left = [pair for pair in self.sides if (str(pair[0]), str(pair[1])) not in seen]
        if "*" in self.rivals:
            left = [pair for pair in left if pair[1] not in evidence.failed]
        each = ", with {processes} processes each" if self.processes > 1 else ""
        names = tuple(Message("{one} and {other}", one=one, other=other) for one, other in left)
        both = Message(
            f"both in the same cells{each}: {{names}}", names=names, processes=self.processes
        )
        return [both] * bool(left) + self.unseen(rows)


@dataclass(frozen=True, kw_only=True)
class Paired(Opposed):
    """A row for each pair in each cell."""

    metric: str

    @property
    @abstractmethod
    def words(self) -> str:
        """What is compared."""

    @abstractmethod
    def values(self, here: Blocks, there: Blocks) -> Versus:
        """How the two compare, by process."""

    @property
    def weighed(self) -> bool:
        """Whether a cell has one value alone, so that networks are the replicates."""
        return False

    def judge(self, evidence: Evidence) -> Finding:
        """The comparisons."""
        found = evidence.measured(self.metric, self.scope)
        runs = {run for places in found.values() for run, _ in places}
        rows = [
            self.row(pair, place, values, words_of(place, runs))
            for pair, place, values in self.compared(found)
        ]
        replicate = NETWORKS if self.weighed else PROCESSES
        missing = tuple(self.lacking(rows, evidence))
        return Finding(self.says(self.words), self.expected, tuple(rows), missing, replicate)

    def compared(self, found: Measured) -> Iterator[tuple[Pair, Place, Versus]]:
        """Each pair in each place that both have."""
        for pair in self.sides:
            here, there = (found.get(side, {}) for side in pair)
            for place in sorted(here.keys() & there.keys()):
                values = self.values(here[place], there[place])
                if len(values) >= (1 if self.weighed else self.processes):
                    yield pair, place, values

    def row(self, pair: Pair, place: Place, values: Versus, where: dict[str, object]) -> Row:
        run, cell = place
        named = {"contender": str(pair[0]), "rival": str(pair[1])} | where
        if self.weighed:
            return measured(named, {(run, cell.model, cell.batch): values[0]})
        return measured(named, values, (run, cell.model, cell.batch), processes=len(values))


def by_process(blocks: Blocks) -> dict[int, dict[Block, list[float]]]:
    """The blocks of each process, without those that were disturbed where others are left."""
    found: dict[int, dict[Block, list[float]]] = {}
    for (process, round_), samples in stats.unmarked(blocks, stats.marks(blocks)).items():
        found.setdefault(process, {})[process, round_] = list(samples)
    return found


def parted(pair: str) -> Pair:
    """Two contenders from `with / without`; raises BenchError."""
    words = [part.strip() for part in pair.split("/")]
    found = [contenders(word) for word in words if word]
    if len(found) != 2 or any(len(side) != 1 for side in found):
        raise BenchError(f"pairs: {pair!r} is no pair of contenders such as 'keras jax / jax nnx'")
    return found[0][0], found[1][0]
