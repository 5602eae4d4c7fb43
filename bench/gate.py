"""Takes frameworks through the parity gate, and remembers who has passed.

A passing verdict is kept in the user's cache under a hash of all that it depends on: the network,
the adapter, the worker, the referee, the environment's lock, its settings, device and threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path
from signal import SIGKILL
from threading import Event, Lock, get_ident

from bench import envs
from bench.cases import Contender
from bench.client import WORKER, Failure, Worker
from bench.entrants import Entrant, Entrants
from bench.errors import Unavailable
from bench.graph import Graph
from bench.parity import LIMIT, Checker, Verdict
from bench.subjects import Operators, Subject, Training, portions, room

JUDGES = (
    "arrays",
    "chance",
    "conformance",
    "curves",
    "digits",
    "gate",
    "graph",
    "locate",
    "moving",
    "ops",
    "parity",
    "subjects",
    "weights",
)
Report = Callable[[str, list[Verdict]], None]


@dataclass(frozen=True)
class Gate:
    """What is the same for all checks of a run. `logs` is the folder for the workers' output.

    `jobs` contenders are checked at a time, on processors of their own while there are enough:
    nothing is timed here, and compiling, which takes most of the time, keeps one processor busy;
    threads that spin would keep the other from its work. Networks are checked on smaller images
    where their weights allow it (`Graph.for_checks`), or as they are with `full_size`."""

    entrants: Entrants
    device: str
    threads: int
    logs: Path
    cached: bool = True
    jobs: int = 1
    full_size: bool = False
    live: set[Worker] = field(default_factory=set, compare=False, repr=False)
    stopped: Event = field(default_factory=Event, compare=False, repr=False)
    taken: set[int] = field(default_factory=set, compare=False, repr=False)  # seats
    lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    def check(
        self, contenders: Sequence[Contender], graphs: Sequence[Graph], report: Report
    ) -> list[Verdict]:
        """Verdicts of every contender on every network."""
        sized = graphs if self.full_size else [graph.for_checks() for graph in graphs]
        parts = [Subject(part) for part in portions(sized, room())]
        return self.examine(contenders, parts, report)

    def conform(self, contenders: Sequence[Contender], report: Report) -> list[Verdict]:
        """Verdicts of every contender on the conformance cases, in every phase that is timed."""
        return self.examine(contenders, [Operators()], report)

    def train(
        self, contenders: Sequence[Contender], graphs: Sequence[Graph], report: Report
    ) -> list[Verdict]:
        """Verdicts of every contender on the losses of a training run."""
        return self.examine(contenders, [Training(graphs)], report)

    def examine(
        self, contenders: Sequence[Contender], subjects: Sequence[Subject], report: Report
    ) -> list[Verdict]:
        """Verdicts on every subject of every contender, in that order; reported as they come. While
        one compiles for long the others go on, with the next subject too."""
        pool = ThreadPoolExecutor(self.jobs)
        try:
            pairs = ((contender, subject) for subject in subjects for contender in contenders)
            futures = {pool.submit(self.verdicts, *pair): pair for pair in pairs}
            left = dict.fromkeys(subjects, len(contenders))
            for future in as_completed(futures):
                contender, subject = futures[future]
                for name, rows in subject.reports(future.result()):
                    report(f"{contender} {name}", rows)
                left[subject] -= 1
                if not left[subject]:
                    subject.forget()
            return [v for future in futures for rows in future.result() for v in rows]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self.stopped.set()
            for worker in list(self.live):  # else Ctrl-C would wait for them
                worker.signal(SIGKILL)
            raise
        finally:
            pool.shutdown()

    def verdicts(self, contender: Contender, subject: Subject) -> list[list[Verdict]]:
        """For each network from the cache, or by running the framework.

        What passes is kept, and what the framework says it cannot do: neither changes by itself."""
        entrant = self.entrants[contender]
        if isinstance(entrant, Unavailable):
            return [absent(contender, subject, graph, entrant) for graph in subject.graphs]
        paths = [self.path(entrant, subject, graph) for graph in subject.graphs]
        known = {i: recall(path) for i, path in enumerate(paths) if self.cached and path.is_file()}
        left = [i for i in range(len(paths)) if i not in known]
        for index, rows in self.run(entrant, subject, left):
            known[index] = rows
            if all(verdict.status in ("ok", "unsupported") for verdict in rows):
                keep(paths[index], rows)
        return [known[i] for i in range(len(paths))]

    def run(
        self, entrant: Entrant, subject: Subject, left: Sequence[int]
    ) -> Iterator[tuple[int, list[Verdict]]]:
        """One worker for these networks of the subject, a new one after each that died."""
        worker: Worker | None = None
        with self.seat() as seat, tempfile.TemporaryDirectory(prefix="convmark-") as folder:
            try:
                for index in left:
                    try:
                        if worker is None or worker.process.poll() is not None:
                            worker = self.start(entrant, seat)
                    except Failure as failure:
                        graph = subject.graphs[index]
                        yield index, failed(entrant.contender, subject, graph, failure)
                        continue
                    checker = Checker(worker, entrant.contender, Path(folder), entrant.equal_maxima)
                    yield index, subject.examine(checker, index)
            finally:
                if worker:
                    self.live.discard(worker)
                    worker.kill()

    @contextmanager
    def seat(self) -> Iterator[int]:
        """The first that is free, for a while: which processors a worker has beside others."""
        with self.lock:
            found = next(number for number in count() if number not in self.taken)
            self.taken.add(found)
        try:
            yield found
        finally:
            self.taken.discard(found)

    def start(self, entrant: Entrant, seat: int) -> Worker:
        """A worker that has imported its framework, in true fp32."""
        if self.stopped.is_set():
            raise Failure("died", "the check was stopped")
        worker = start(entrant, self.device, "fp32", self.threads, self.logs, seat)
        self.live.add(worker)
        if self.stopped.is_set():
            worker.signal(SIGKILL)
        return worker

    def path(self, entrant: Entrant, subject: Subject, graph: Graph) -> Path:
        """Where the verdicts on a network are kept, by all that they depend on."""
        facts = [
            str(entrant.contender), self.device, str(self.threads), entrant.environment.lock_hash,
            json.dumps(entrant.variables(self.threads), sort_keys=True), judges(),
            type(subject).__name__, graph.name, graph.digest(), entrant.equal_maxima,
        ]  # fmt: skip
        facts += [path.read_text(encoding="utf-8") for path in entrant.sources]
        name = hashlib.sha256("\n".join(facts).encode()).hexdigest()
        return envs.cache_dir() / "parity" / f"{name}.json"


def recall(path: Path) -> list[Verdict]:
    """The verdicts that were kept."""
    return [Verdict(**row) for row in json.loads(path.read_text())]


def keep(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write whole or not at all: several checks may run at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}-{get_ident()}")
    part.write_text(json.dumps([asdict(verdict) for verdict in verdicts]))
    part.replace(path)


def start(
    entrant: Entrant, device: str, precision: str, threads: int, logs: Path, seat: int = 0
) -> Worker:
    """A worker that has imported its framework; what it said of itself is its `about`.

    Raises Failure."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{str(entrant.contender).replace(' ', '-')}.log"
    worker = Worker(entrant.python, entrant.adapter, threads, entrant.variables(threads), log, seat)
    mode = entrant.contender.mode
    try:
        worker.about = worker.call(
            "hello", LIMIT, mode=mode, device=device, precision=precision, threads=threads
        )
    except BaseException:
        worker.kill()
        raise
    return worker


def absent(contender: Contender, subject: Subject, graph: Graph, why: Unavailable) -> list[Verdict]:
    """A row for each thing that an unavailable framework was not asked."""
    return failed(contender, subject, graph, Failure("unavailable", str(why)))


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
