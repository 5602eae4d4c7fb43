"""Measures a run: weighs memory, then repeats heats until it knows enough or the budget is spent.

One framework's failure is a result and never stops another's row. Every block is journalled when it
is done, and what the journal holds is not done again: a run that was killed is completed by running
it once more.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

import psutil

from bench import gate, memory, parity, probes, schedule
from bench.cases import Cell, Contender, Plan
from bench.client import Failure, Worker, processors
from bench.entrants import Entrants
from bench.errors import Unavailable
from bench.footprint import footprint
from bench.graph import Graph
from bench.guard import Guard
from bench.guard.pace import Pace
from bench.heat import HeatRunner
from bench.parity import Verdict
from bench.progress import Progress, key
from bench.schedule import MEMORY
from bench.store import Run

Network = tuple[str, int]  # a network's name and the batch
Told = Generator[tuple[str, str], None, None]  # what was done, and what it came to
WEIGHING = 1 / 4  # of a time limit: what is not weighed by then waits until the races are over


class Race:
    """A run being measured: `recall` its journal, `refuse` what failed the gate, then the `stages`
    do all that is left."""

    def __init__(
        self,
        run: Run,
        plan: Plan,
        graphs: Mapping[str, Graph],
        entrants: Entrants,
    ) -> None:
        self.run, self.plan, self.graphs = run, plan, graphs
        self.entrants = entrants
        self.progress = Progress(plan)
        cpus = processors(plan.threads)
        self.guard = Guard.here(plan.device, cpus)
        self.pace = Pace(cpus, still=plan.device == "cpu")
        self.verdicts: list[Verdict] = []
        self.failed: dict[tuple[Contender, Cell], str] = {}
        self.probed: dict[Contender, dict[str, Any]] = {}  # what `probes` found
        self.weighed: dict[tuple[Contender, Network], dict[str, float]] = {}  # peaks by phase
        self.files: dict[Network, dict[str, str]] = {}
        self.networks = [(model, batch) for model in plan.models for batch in plan.batches]

    # -- what is known ----------------------------------------------------------------------------

    def recall(self, entries: Iterable[dict[str, Any]]) -> None:
        """Learn from the journal what was measured and what cannot be."""
        for entry in entries:
            if entry.get("threads", self.plan.threads) == self.plan.threads:
                self.learn(entry)

    def learn(self, entry: dict[str, Any]) -> None:
        kind = entry["kind"]
        self.progress.learn(entry)
        if kind == "memory":
            who, network = key(Contender, entry), (entry["model"], entry["batch"])
            self.weighed.setdefault((who, network), {})[entry["phase"]] = entry["peak"] or 0
        elif kind == "process" and "mantissa" in entry:
            self.probed[key(Contender, entry)] = entry
        elif kind == "verdict":
            self.verdicts.append(Verdict(**{k: v for k, v in entry.items() if k != "kind"}))
        elif kind == "outcome":
            self.failed[key(Contender, entry), key(Cell, entry)] = entry["status"]

    def append(self, kind: str, **entry: Any) -> None:
        """Journal a line, and know it."""
        self.run.append(kind, **entry)
        self.learn({"kind": kind, **entry})

    def refuse(self, verdicts: Iterable[Verdict]) -> None:
        """No parity, no number: journal the verdicts; what did not pass is not measured, and the
        reason stands in its place."""
        for verdict in verdicts:
            if verdict not in self.verdicts:
                self.append("verdict", **asdict(verdict))
            if verdict.ok:
                continue
            contender = key(Contender, asdict(verdict))
            for batch in self.plan.batches:
                for cell in self.plan.cells(verdict.model, batch):
                    if (cell.phase == "inference") == (verdict.phase == "inference"):
                        self.outcome(contender, cell, MEMORY, verdict.status, verdict.reason)

    def cells(self, contender: Contender, network: Network) -> list[Cell]:
        """Those of a network that the contender has not failed."""
        found = self.plan.cells(*network)
        return [cell for cell in found if (contender, cell) not in self.failed]

    def unweighed(self) -> list[tuple[Network, Contender]]:
        """Whose memory is not known yet, in an order drawn for this run: one network after the
        other, so that those of a run that is cut off can be compared."""
        source = schedule.order(self.plan, "memory")
        orders = [
            (network, source.sample(self.plan.contenders, len(self.plan.contenders)))
            for network in source.sample(self.networks, len(self.networks))
        ]
        return [(n, c) for n, contenders in orders for c in contenders if self.unknown(c, n)]

    def unknown(self, contender: Contender, network: Network) -> list[Cell]:
        known = self.weighed.get((contender, network), {})
        return [cell for cell in self.cells(contender, network) if cell.phase not in known]

    def unprobed(self) -> bool:
        """Whether somebody is left of whom it is not known what he does beside what was asked."""
        return any(contender not in self.probed for _, contender in self.unweighed())

    def size(self, contender: Contender, network: Network) -> float:
        """Bytes that a process takes at its peak; where that was not weighed, by the networks that
        were, and how much more this one needs at least."""
        known = {n: max(peaks.values()) for (c, n), peaks in self.weighed.items() if c == contender}
        if network in known:
            return known[network]
        need = self.least(network)
        return max((p * max(1.0, need / self.least(n)) for n, p in known.items()), default=0.0)

    def least(self, network: Network) -> int:
        """Bytes that training a network needs at least."""
        model, batch = network
        return footprint(self.graphs[model], batch, "train", self.plan.precision).least

    def done(self) -> bool:
        """Whether nothing is left."""
        return not (self.unsettled() or self.unweighed())

    def steps(self) -> int:
        """How much there is to measure if no network needs more processes than planned."""
        plan = self.plan
        turns = sum(max(0, plan.processes - self.progress.complete(n)) for n in self.networks)
        each = len(plan.contenders) * (1 + len(plan.phases))
        return turns * (each + len(plan.phases))

    # -- what is done -----------------------------------------------------------------------------

    def weigh_all(self, folder: Path) -> Told:
        """The memory of everyone, as far as it is not known."""
        for contender in self.probed:
            self.charge(contender)
        for network, contender in self.unweighed():
            files = self.prepare(network, folder)
            yield f"{network[0]} {contender}", self.weigh(network, contender, files)

    def unsettled(self) -> list[Network]:
        return [network for network in self.networks if not self.progress.settled(network)]

    def repeat_all(self, repetition: int, folder: Path) -> Told:
        """One more process of every contender on each network that needs it."""
        left = self.unsettled()
        for network in schedule.networks(self.plan, repetition):
            if network in left:
                yield from self.repeat(network, folder)

    def repeat(self, network: Network, folder: Path) -> Told:
        """One more process of every contender on a network."""
        contenders = [c for c in self.plan.contenders if self.cells(c, network)]
        files = self.prepare(network, folder)
        process = self.progress.next_process(network)
        room = schedule.ROOM * psutil.virtual_memory().available
        sizes = {c: self.size(c, network) for c in contenders}
        for heat in schedule.heats(
            self.plan, process, network, contenders, sizes.__getitem__, room
        ):
            yield from HeatRunner(self, heat, files).go()
        where = {"model": network[0], "batch": network[1], "threads": self.plan.threads}
        self.append("repetition", process=process, **where)

    def stop(self) -> None:
        """Journal why there are no more processes of each network."""
        for network in self.networks:
            model, batch = network
            said = self.progress.reason(network)
            if said != self.progress.stopped.get(network):
                self.append("stop", model=model, batch=batch, threads=self.plan.threads, **said)

    def start(self, contender: Contender) -> Worker:
        """A worker of the contender; raises Failure."""
        entrant, plan = self.entrants[contender], self.plan
        if isinstance(entrant, Unavailable):
            raise Failure("unavailable", str(entrant))
        logs = self.run.folder / "logs"
        return gate.start(entrant, plan.device, plan.precision, plan.threads, logs)

    def weigh(self, network: Network, contender: Contender, files: Mapping[str, str]) -> str:
        """Memory of each phase, in a process of its own: one that fails leaves the others alone."""
        graph, said = self.graphs[network[0]], []
        for cell in self.unknown(contender, network):
            try:
                after = None if contender in self.probed else probes.examine
                found = memory.weigh(lambda: self.start(contender), graph, cell, files, after)
            except Failure as failure:
                said.append(self.fail(contender, cell, MEMORY, failure))
                continue
            about = {"process": MEMORY, "model": cell.model, "batch": cell.batch}
            about |= found.about | asdict(contender) | {"threads": cell.threads}
            self.append("process", **about, phase=cell.phase)
            line = asdict(contender) | asdict(cell) | found.memory
            self.append("memory", **line)
            said.append(f"{cell.phase} {memory.in_short(line)}")
            self.charge(contender)
        return ", ".join(said) or "failed before"

    def charge(self, contender: Contender) -> None:
        """Who was found to do something else than asked is measured nowhere."""
        found, plan = self.probed.get(contender, {}), self.plan
        if reason := probes.charge(found, plan.precision, plan.device):
            for cell in [cell for network in self.networks for cell in plan.cells(*network)]:
                self.outcome(contender, cell, MEMORY, "wrong", reason)

    def prepare(self, network: Network, folder: Path) -> dict[str, str]:
        """The files of a network and batch, written once for all contenders."""
        if network not in self.files:
            model, batch = network
            place = folder / f"{self.plan.threads}-{len(self.files)}"
            place.mkdir()
            self.files[network] = parity.save_usual(place, self.graphs[model], batch)
        return self.files[network]

    def fail(self, contender: Contender, cell: Cell, process: int, failure: Failure) -> str:
        """Journal a failure; in words."""
        self.outcome(contender, cell, process, failure.status, failure.reason)
        return f"{cell.phase} {failure}"

    def outcome(
        self, contender: Contender, cell: Cell, process: int, status: str, reason: str
    ) -> None:
        if (contender, cell) in self.failed:
            return
        entry = {"process": process, "status": status, "reason": reason}
        self.append("outcome", **asdict(contender), **asdict(cell), **entry)


@dataclass(frozen=True)
class Stage:
    """A part of a run that goes at a pace of its own: its name, how many steps, and the doing;
    after each it says what was done and what it came to."""

    title: str
    total: int
    told: Told


def stages(
    races: Sequence[Race], limit: float = inf, clock: Callable[[], float] = time.monotonic
) -> Iterator[Stage]:
    """What is left of a run's races, of which there is one for each number of threads. After
    `limit` seconds nothing new is begun; where there is one, weighing what is not needed before the
    races waits for their end when it has taken its share."""
    begin = clock()

    def on() -> bool:
        return clock() - begin < limit

    def first() -> bool:
        share = clock() - begin < WEIGHING * limit
        return on() and (share or any(race.unprobed() for race in races))

    def weighing(wanted: Callable[[], bool]) -> Stage:
        total = sum(len(race.unweighed()) for race in races)
        return Stage("memory", total, as_long(wanted, weigh(races, folder)))

    with tempfile.TemporaryDirectory(prefix="convmark-") as name:  # holds the networks' files
        folder = Path(name)
        yield weighing(first)
        yield Stage("measuring", sum(r.steps() for r in races), as_long(on, repeat(races, folder)))
        for race in races:
            race.stop()
        yield weighing(on)


def as_long(wanted: Callable[[], bool], told: Told) -> Told:
    """What is done as long as it is `wanted`; nothing is begun after that."""
    with closing(told):
        while wanted() and (said := next(told, None)):
            yield said


def weigh(races: Sequence[Race], folder: Path) -> Told:
    """The memory of all of them."""
    for race in races:
        yield from race.weigh_all(folder)


def repeat(races: Sequence[Race], folder: Path) -> Told:
    """Races take turns: a repetition each, so that what changes on the machine over hours meets all
    of them."""
    repetition = 0
    while left := [race for race in races if race.unsettled()]:
        for race in left:
            yield from race.repeat_all(repetition, folder)
        repetition += 1
