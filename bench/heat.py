"""One heat: its contenders start and warm up one by one, then alternate in rounds in each phase."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psutil

from bench import schedule, stats, suspicion, threads
from bench.cases import Cell, Contender
from bench.client import Failure, Worker
from bench.lineup import Lineup
from bench.parity import LIMIT
from bench.schedule import Heat

if TYPE_CHECKING:
    from bench.race import Race


class HeatRunner:
    """Runs one heat for a race, whose journal it writes."""

    def __init__(self, race: Race, heat: Heat, files: Mapping[str, str]) -> None:
        self.race, self.heat, self.files = race, heat, files
        self.plan = race.plan
        self.network = (heat.model, heat.batch)
        self.affordable: dict[tuple[Contender, str], int] = {}  # blocks of a contender in a phase
        self.most: dict[tuple[Contender, str], int] = {}  # samples of such a block
        self.lineup: Lineup[Contender] = Lineup(stops=self.plan.device == "cpu")

    def go(self) -> Iterator[tuple[str, str]]:
        """Everything; says what was done and what it came to. Each phase is prepared when the last
        one is over: a framework's network is in one mode at a time, training or evaluation."""
        place = f"process {self.heat.process + 1} {self.heat.model}"
        with self.lineup:
            for contender in self.heat.contenders:
                yield f"{place} {contender}", self.enter(contender)
            for cell in self.plan.cells(*self.network):
                for contender in self.heat.contenders:
                    yield f"{place} {cell.phase} {contender}", self.prepare(contender, cell)
                yield f"{place} {cell.phase}", self.race_on(cell)

    def enter(self, contender: Contender) -> str:
        """Start a contender and have it build the network."""
        begin, files = time.monotonic(), self.files
        try:
            worker = self.race.start(contender)
            self.lineup.enter(contender, worker)
            with self.lineup.turn(contender):
                built = worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])
        except Failure as failure:
            return self.gone(contender, self.cells(contender), failure)
        about = {"process": self.heat.process, "model": self.heat.model, "batch": self.heat.batch}
        about |= {"threads": self.plan.threads} | worker.about | asdict(contender)
        self.race.append("process", **about, **built)
        return self.started(contender, time.monotonic() - begin)

    def started(self, contender: Contender, seconds: float) -> str:
        """Count what is not measuring."""
        self.race.progress.started(contender, self.network, self.heat.process, seconds)
        return f"{seconds:.1f} s"

    def prepare(self, contender: Contender, cell: Cell) -> str:
        """Warm up a phase of a contender that is there."""
        if contender not in self.lineup.workers or (contender, cell) in self.race.failed:
            return "failed before"
        try:
            with self.lineup.turn(contender) as worker:
                return self.warm_up(contender, worker, cell)
        except Failure as failure:
            return self.gone(contender, self.later(contender, cell), failure)

    def cells(self, contender: Contender) -> list[Cell]:
        return self.race.cells(contender, self.network)

    def gone(self, contender: Contender, cells: Iterable[Cell], failure: Failure) -> str:
        """A contender that died, or never lived, is out of these cells."""
        self.lineup.leave(contender)
        for cell in cells:
            self.race.fail(contender, cell, self.heat.process, failure)
        return str(failure)

    def warm_up(self, contender: Contender, worker: Worker, cell: Cell) -> str:
        """One phase; one that the framework refuses leaves the others their chance. Raises Failure
        where the worker is gone."""
        share, begin = self.plan.share, time.monotonic()
        try:
            warm = worker.call(
                "warmup", LIMIT + share, phase=cell.phase, inputs=self.files["inputs"],
                seconds=share * schedule.WARMUP, shortest=schedule.SHORTEST[self.plan.device],
            )  # fmt: skip
            said = self.left_over(worker, cell)
        except Failure as failure:
            if worker.process.poll() is not None:
                raise
            return self.race.fail(contender, cell, self.heat.process, failure)
        self.journal("warmup", contender, cell, **warm)
        self.started(contender, time.monotonic() - begin - warm["seconds"])
        if said:
            return self.race.fail(contender, cell, self.heat.process, Failure("wrong", said))
        left, sample = share - warm["seconds"], warm["typical"] * warm["repeats"]
        self.affordable[contender, cell.phase] = schedule.affordable(left, sample)
        self.most[contender, cell.phase] = schedule.samples(sample)
        return f"first {warm['first_call']:.3g} s"

    def left_over(self, worker: Worker, cell: Cell) -> str:
        """What is wrong with the clock of a contender whose work goes on after the wait: asked of
        its first process, of phases whose result can be read."""
        if self.heat.process or cell.phase not in ("inference", "train"):
            return ""
        asked = {"phase": cell.phase, "inputs": self.files["inputs"]}
        for _ in range(schedule.ACCUSATIONS):
            found = worker.call("late", LIMIT, **asked, **schedule.CALLS)
            said = suspicion.unsynchronised(**found) if found else ""
            if not said:
                return ""
        return said

    def race_on(self, cell: Cell) -> str:
        """The rounds of a phase, and the medians they came to."""
        taken: dict[Contender, list[float]] = {}
        for number, contenders in self.rounds(cell):
            for contender in contenders:
                if contender in self.lineup.workers:
                    taken.setdefault(contender, []).extend(self.block(contender, cell, number))
        return ", ".join(f"{c} {stats.centre(s) * 1e3:.4g} ms" for c, s in taken.items() if s)

    def rounds(self, cell: Cell) -> Iterator[tuple[int, list[Contender]]]:
        """The rounds that are planned; then those in which something disturbed the machine once
        more, whole, so that ratios can be paired, as far as there is time."""
        progress, process = self.race.progress, self.heat.process
        source = schedule.order(self.plan, process, *self.network, cell.phase)
        planned = dict(schedule.rounds(self.blocks(cell), source))
        yield from planned.items()
        disturbed = progress.disturbed(cell, process) & planned.keys()
        repeated = schedule.again(disturbed, len(planned), source)
        for number, old in enumerate(repeated, len(planned)):
            if progress.spare() <= 0:
                return
            yield number, source.sample(planned[old], len(planned[old]))

    def blocks(self, cell: Cell) -> dict[Contender, int]:
        """How many blocks each contender takes: what its share holds, and no more than tell
        something."""
        ready = [c for c in self.heat.contenders if (c, cell.phase) in self.affordable]
        most = self.race.progress.wanted(cell, ready)
        return {c: min(most, self.affordable[c, cell.phase]) for c in ready}

    def block(self, contender: Contender, cell: Cell, number: int) -> list[float]:
        """The samples of one block; none where it failed."""
        if (contender, cell) in self.race.failed:
            return []
        begun, load = time.time(), psutil.getloadavg()[0]
        try:
            with (
                self.race.pace.watch() as paced,
                self.lineup.turn(contender) as worker,
                self.race.guard.watch(worker.process.pid) as seen,
            ):
                measured = worker.call(
                    "measure", LIMIT, phase=cell.phase, seconds=schedule.BLOCK,
                    samples=self.most[contender, cell.phase],
                )  # fmt: skip
        except Failure as failure:
            if contender in self.lineup.workers:
                self.race.fail(contender, cell, self.heat.process, failure)
            else:
                self.gone(contender, self.later(contender, cell), failure)
            return []
        begin = {"round": number, "time": begun, "load": load}
        self.journal("block", contender, cell, **begin, **measured, **seen, **paced)
        if said := threads.excess(measured | seen | {"threads": cell.threads}):
            self.race.fail(contender, cell, self.heat.process, Failure("wrong", said))
        samples: list[float] = measured["samples"]
        return samples

    def later(self, contender: Contender, cell: Cell) -> list[Cell]:
        """This cell of a contender and those that come after it in the heat."""
        order = self.plan.phases.index
        return [c for c in self.cells(contender) if order(c.phase) >= order(cell.phase)]

    def journal(self, kind: str, contender: Contender, cell: Cell, **entry: Any) -> None:
        where = {"process": self.heat.process, **asdict(contender), **asdict(cell)}
        self.race.append(kind, **where, **entry)
