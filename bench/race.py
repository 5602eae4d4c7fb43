"""Takes the turns of a run: starts a worker, warms it up, measures, and journals every block.

One framework's failure is a result and never stops another's row. What the journal holds already
is not done again, so a run that was killed is completed by running it once more.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import psutil

from bench import gate, memory, parity, schedule, weights
from bench.cases import Cell, Contender, Plan
from bench.client import Failure, Worker
from bench.entrants import Entrant, Entrants
from bench.errors import Unavailable
from bench.graph import Graph
from bench.parity import LIMIT, Verdict
from bench.schedule import MEMORY, Turn
from bench.store import Run

Key = tuple[int, str, int, Contender, str]


class Race:
    """A run being measured: `recall` its journal, `refuse` what failed the gate, then `go`."""

    def __init__(
        self,
        run: Run,
        plan: Plan,
        graphs: Mapping[str, Graph],
        entrants: Entrants,
    ) -> None:
        self.run, self.plan, self.graphs = run, plan, graphs
        self.entrants = entrants
        self.done: set[Key] = set()
        self.verdicts: list[Verdict] = []
        self.failed: dict[tuple[Contender, str, int, str], str] = {}
        self.files: dict[tuple[str, int], dict[str, str]] = {}

    def recall(self, entries: Iterable[dict[str, Any]]) -> None:
        """Learn from the journal what was measured and what cannot be."""
        for entry in entries:
            if entry["kind"] in ("block", "memory"):
                place = (entry["model"], entry["batch"], contender_of(entry))
                self.done.add((entry["round"], *place, entry["phase"]))
            elif entry["kind"] == "verdict":
                self.verdicts.append(Verdict(**{k: v for k, v in entry.items() if k != "kind"}))
            elif entry["kind"] == "outcome":
                case = (contender_of(entry), entry["model"], entry["batch"], entry["phase"])
                self.failed[case] = entry["status"]

    def refuse(self, verdicts: Iterable[Verdict]) -> None:
        """No parity, no number: journal the verdicts; what did not pass is not measured, and the
        reason stands in its place."""
        for verdict in verdicts:
            if verdict not in self.verdicts:
                self.run.append("verdict", **asdict(verdict))
            if verdict.ok:
                continue
            contender = contender_of(asdict(verdict))
            for batch in self.plan.batches:
                for cell in self.plan.cells(verdict.model, batch):
                    if (cell.phase == "inference") == (verdict.phase == "inference"):
                        self.outcome(contender, cell, MEMORY, verdict.status, verdict.reason)

    def turns(self) -> list[Turn]:
        """The turns that are not done."""
        return [turn for turn in schedule.turns(self.plan) if self.left(turn)]

    def go(self, turns: Iterable[Turn]) -> Iterator[tuple[Turn, str]]:
        """Take the turns; after each one says in a few words what it came to."""
        with tempfile.TemporaryDirectory(prefix="convmark-") as folder:
            for turn in turns:
                yield turn, self.take(turn, Path(folder))

    def left(self, turn: Turn) -> list[Cell]:
        """The cells of a turn that are neither measured nor known to fail."""
        who = turn.contender
        return [
            cell
            for cell in self.plan.cells(turn.model, turn.batch)
            if (turn.round, turn.model, turn.batch, who, cell.phase) not in self.done
            and (who, turn.model, turn.batch, cell.phase) not in self.failed
        ]

    def take(self, turn: Turn, folder: Path) -> str:
        """One process for every phase of a network, or for memory one for each, and what it came
        to, in a few words."""
        cells = self.left(turn)
        entrant = self.entrants[turn.contender]
        if not cells:
            return "failed before"
        if isinstance(entrant, Unavailable):
            return self.fail(turn, cells, Failure("unavailable", str(entrant)))
        files = self.prepare(turn, folder)
        if turn.weighs:
            return self.weigh(turn, entrant, cells, files)
        try:
            with self.start(entrant) as worker:
                built = worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])
                about = worker.about | asdict(turn.contender)
                self.run.append("process", **self.about(turn), **about, **built)
                return self.phases(turn, worker, cells, files["inputs"])
        except Failure as failure:
            return self.fail(turn, cells, failure)

    def start(self, entrant: Entrant) -> Worker:
        plan = self.plan
        return gate.start(
            entrant, plan.device, plan.precision, plan.threads, self.run.folder / "logs"
        )

    def phases(self, turn: Turn, worker: Worker, cells: list[Cell], inputs: str) -> str:
        """Each phase in turn; one that the framework refuses leaves the others their chance."""
        said = []
        for index, cell in enumerate(cells):
            try:
                said.append(f"{cell.phase} {self.block(turn, worker, cell, inputs)}")
            except Failure as failure:
                gone = worker.process.poll() is not None
                said.append(self.fail(turn, cells[index:] if gone else [cell], failure))
                if gone:
                    break
        return ", ".join(said)

    def block(self, turn: Turn, worker: Worker, cell: Cell, inputs: str) -> str:
        """Warm up and measure one phase."""
        share = self.plan.share
        load, started = psutil.getloadavg()[0], time.time()
        limit = share * schedule.WARMUP
        warm = worker.call("warmup", LIMIT + share, phase=cell.phase, inputs=inputs, seconds=limit)
        left = max(0.0, share - warm.pop("seconds"))
        measured = worker.call(
            "measure", LIMIT + share, phase=cell.phase, seconds=left,
            samples=schedule.MOST, shortest=schedule.SHORTEST,
        )  # fmt: skip
        self.run.append(
            "block", **asdict(turn.contender), **asdict(cell), round=turn.round, time=started,
            load=load, first_call=warm["first_call"], level=warm["level"], warmup=warm["samples"],
            **measured,
        )  # fmt: skip
        middle = sorted(measured["samples"])[len(measured["samples"]) // 2]
        return f"{middle * 1e3:.4g} ms"

    def weigh(self, turn: Turn, entrant: Entrant, cells: list[Cell], files: dict[str, str]) -> str:
        """Memory of each phase, in a process of its own: one that fails leaves the others alone."""
        said = []
        for cell in cells:
            try:
                found = memory.weigh(
                    lambda: self.start(entrant), self.graphs[cell.model], cell, files
                )
            except Failure as failure:
                said.append(self.fail(turn, [cell], failure))
                continue
            about = self.about(turn) | found.about | asdict(turn.contender)
            self.run.append("process", **about, phase=cell.phase)
            line = asdict(turn.contender) | asdict(cell) | found.memory
            self.run.append("memory", **line, round=turn.round)
            said.append(f"{cell.phase} {memory.in_short(line)}")
        return ", ".join(said)

    def about(self, turn: Turn) -> dict[str, Any]:
        return {"round": turn.round, "model": turn.model, "batch": turn.batch}

    def prepare(self, turn: Turn, folder: Path) -> dict[str, str]:
        """The files of a network and batch, written once for all contenders."""
        key = (turn.model, turn.batch)
        if key not in self.files:
            graph = self.graphs[turn.model]
            place = folder / f"{len(self.files)}"
            place.mkdir()
            x, y = weights.batch(graph, turn.batch)
            self.files[key] = parity.save(place, graph, weights.weights(graph), x, y)
        return self.files[key]

    def fail(self, turn: Turn, cells: Iterable[Cell], failure: Failure) -> str:
        """Journal a failure for each of the cells."""
        for cell in cells:
            self.outcome(turn.contender, cell, turn.round, failure.status, failure.reason)
        return str(failure)

    def outcome(
        self, contender: Contender, cell: Cell, round_: int, status: str, reason: str
    ) -> None:
        case = (contender, cell.model, cell.batch, cell.phase)
        if case in self.failed:
            return
        self.failed[case] = status
        entry = {"round": round_, "status": status, "reason": reason}
        self.run.append("outcome", **asdict(contender), **asdict(cell), **entry)


def contender_of(entry: Mapping[str, Any]) -> Contender:
    """Whose line of the journal it is."""
    return Contender(**{field.name: entry[field.name] for field in fields(Contender)})
