"""Takes frameworks through the parity gate, and remembers who has passed.

A passing verdict is kept in the user's cache under a hash of all that it depends on: the network,
the adapter, the worker, the referee, the environment's lock, its settings, device and threads.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from signal import SIGKILL
from threading import Event, Lock

from bench import conformance, curves, envs
from bench.cases import Contender
from bench.client import WORKER, Failure, Worker
from bench.entrants import Entrant, Entrants
from bench.errors import Unavailable
from bench.graph import Graph
from bench.parity import BATCH, LIMIT, PHASES, Checker, Referee, Verdict

JUDGES = ("conformance", "curves", "digits", "gate", "graph", "locate", "ops", "parity", "weights")
OPERATORS = "operators"  # as a network's name: the conformance cases

Report = Callable[[str, list[Verdict]], None]


@dataclass(frozen=True)
class Gate:
    """What is the same for all checks of a run. `logs` is the folder for the workers' output.

    `jobs` contenders are checked at a time: nothing is timed here, and compiling, which takes most
    of the time, keeps one processor busy. Networks are checked on smaller images where their
    weights allow it (`Graph.for_checks`), or as they are with `full_size`."""

    entrants: Entrants
    device: str
    threads: int
    logs: Path
    cached: bool = True
    jobs: int = 1
    full_size: bool = False
    live: set[Worker] = field(default_factory=set, compare=False, repr=False)
    stopped: Event = field(default_factory=Event, compare=False, repr=False)

    def check(
        self, contenders: Sequence[Contender], graphs: Sequence[Graph], report: Report
    ) -> list[Verdict]:
        """Verdicts of every contender on every network, network by network."""
        found: list[Verdict] = []
        for graph in graphs:
            subject = Subject([graph if self.full_size else graph.for_checks()], BATCH)
            found += self.examine(contenders, subject, report)
        return found

    def conform(self, contenders: Sequence[Contender], report: Report) -> list[Verdict]:
        """Verdicts of every contender on the conformance cases, and on whole training steps."""
        subject = Subject(conformance.cases(), conformance.BATCH, steps=True)
        return self.examine(contenders, subject, report)

    def train(
        self, contenders: Sequence[Contender], graphs: Sequence[Graph], report: Report
    ) -> list[Verdict]:
        """Verdicts of every contender on the losses of a training run, network by network."""
        subjects = [Training(graph) for graph in graphs]
        return [v for subject in subjects for v in self.examine(contenders, subject, report)]

    def examine(
        self, contenders: Sequence[Contender], subject: Subject, report: Report
    ) -> list[Verdict]:
        """Verdicts of every contender on one subject, in order, some contenders at a time."""
        found: list[Verdict] = []
        pool = ThreadPoolExecutor(self.jobs)
        try:
            futures = [pool.submit(self.verdicts, c, subject) for c in contenders]
            for contender, future in zip(contenders, futures, strict=True):
                found += future.result()
                report(f"{contender} {subject.name}", future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self.stopped.set()
            for worker in list(self.live):  # else Ctrl-C would wait for them
                worker.signal(SIGKILL)
            raise
        finally:
            pool.shutdown()
        return found

    def verdicts(self, contender: Contender, subject: Subject) -> list[Verdict]:
        """From the cache, or by running the framework; those that pass are kept."""
        entrant = self.entrants[contender]
        if isinstance(entrant, Unavailable):
            return absent(contender, subject, entrant)
        path = envs.cache_dir() / "parity" / f"{self.key(entrant, subject)}.json"
        if self.cached and path.is_file():
            rows = json.loads(path.read_text())
            return [Verdict(**row) for row in rows]
        found = list(self.run(entrant, subject))
        if all(verdict.ok for verdict in found):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps([asdict(verdict) for verdict in found]))
        return found

    def run(self, entrant: Entrant, subject: Subject) -> Iterator[Verdict]:
        """One worker for all networks of the subject, a new one after each that died."""
        worker: Worker | None = None
        try:
            with tempfile.TemporaryDirectory(prefix="convmark-") as folder:
                for index, graph in enumerate(subject.graphs):
                    if self.stopped.is_set():
                        return
                    try:
                        if worker is None or worker.process.poll() is not None:
                            worker = self.start(entrant)
                    except Failure as failure:
                        yield from failed(entrant.contender, subject, graph, failure)
                        continue
                    checker = Checker(worker, entrant.contender, Path(folder))
                    yield from subject.examine(checker, index)
        finally:
            if worker:
                self.live.discard(worker)
                worker.kill()

    def start(self, entrant: Entrant) -> Worker:
        """A worker that has imported its framework, in true fp32."""
        worker = start(entrant, self.device, "fp32", self.threads, self.logs)
        self.live.add(worker)
        if self.stopped.is_set():
            worker.signal(SIGKILL)
        return worker

    def key(self, entrant: Entrant, subject: Subject) -> str:
        facts = [
            str(entrant.contender), self.device, str(self.threads), entrant.environment.lock_hash,
            json.dumps(entrant.variables(self.threads), sort_keys=True), judges(),
            *(graph.name + graph.digest() for graph in subject.graphs), str(subject.phases),
        ]  # fmt: skip
        facts += [path.read_text(encoding="utf-8") for path in entrant.sources]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()


class Subject:
    """Networks that are checked by one worker, with their referees, which are made when needed."""

    def __init__(self, graphs: Sequence[Graph], batch: int, steps: bool = False) -> None:
        self.graphs, self.batch, self.steps = graphs, batch, steps
        self.phases: tuple[str, ...] = (*PHASES, "step") if steps else PHASES
        self.name = OPERATORS if steps else graphs[0].name
        self.referees: dict[int, Referee] = {}
        self.lock = Lock()

    def examine(self, checker: Checker, index: int) -> list[Verdict]:
        """The verdicts on one network."""
        referee = self.referee(index)
        return checker.check(referee) + ([checker.update(referee)] if self.steps else [])

    def referee(self, index: int) -> Referee:
        """What is expected of a network, computed once for all contenders."""
        with self.lock:
            if index not in self.referees:
                referee = self.referees[index] = Referee(self.graphs[index], self.batch)
                referee.prepare(self.steps)
            return self.referees[index]


class Training(Subject):
    """A network that is trained on digits for some steps."""

    def __init__(self, graph: Graph) -> None:
        super().__init__([graph], curves.BATCH)
        self.phases, self.name = ("curve",), f"{graph.name} training"
        self.expected = curves.Curve(graph)

    def examine(self, checker: Checker, index: int) -> list[Verdict]:
        """The verdict on the curve."""
        with self.lock:
            self.expected.bound  # noqa: B018  computed once for all contenders
        return [checker.curve(self.expected)]


def start(entrant: Entrant, device: str, precision: str, threads: int, logs: Path) -> Worker:
    """A worker that has imported its framework; what it said of itself is its `about`.

    Raises Failure."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{str(entrant.contender).replace(' ', '-')}.log"
    worker = Worker(entrant.python, entrant.adapter, threads, entrant.variables(threads), log)
    mode = entrant.contender.mode
    try:
        worker.about = worker.call(
            "hello", LIMIT, mode=mode, device=device, precision=precision, threads=threads
        )
    except BaseException:
        worker.kill()
        raise
    return worker


def absent(contender: Contender, subject: Subject, why: Unavailable) -> list[Verdict]:
    """A row for each thing that an unavailable framework was not asked."""
    failure = Failure("unavailable", str(why))
    rows = [failed(contender, subject, graph, failure) for graph in subject.graphs]
    return [verdict for row in rows for verdict in row]


def failed(contender: Contender, subject: Subject, graph: Graph, failure: Failure) -> list[Verdict]:
    who = asdict(contender)
    row = Verdict(**who, model=graph.name, phase="", status=failure.status, reason=failure.reason)
    return [replace(row, phase=phase) for phase in subject.phases]


@cache
def judges() -> str:
    """A hash of the code that decides."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in JUDGES] + sorted((here / "reference").glob("*.py"))
    files += [WORKER, WORKER.with_name("adapter.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
