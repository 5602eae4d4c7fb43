"""The largest batch that fits, by bisection: each try is a process of its own.

On a GPU the device is the limit, and the framework says that it is out of memory. On the CPU a
limit is stated, by default most of what is free now, and a process that grows beyond it is ended at
once: the kernel would else swap, or end somebody else. Limits that the kernel enforces do not serve
here: RLIMIT_AS and RLIMIT_DATA count what is reserved and never used, of which these frameworks
have gigabytes, and a memory cgroup needs privileges.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import SIGKILL
from threading import Event, Thread
from typing import Any

import psutil

from bench import gate, machine, parity
from bench.cases import Cell, Contender, Plan
from bench.client import Failure, Worker
from bench.entrants import Entrants
from bench.errors import Unavailable
from bench.graph import Graph
from bench.parity import LIMIT
from bench.store import Run

MOST = 1 << 20  # images: no network of the document is so small
GAP = 1 / 32  # of the largest batch: how near the smallest that does not fit must be
SHARE = 0.9  # of the memory that is free
PICTURES = 8  # different ones; repeated to fill a batch
EVERY = 0.02  # seconds between two looks at a process
CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Try:
    """A batch that was tried: whether it fits, the peak resident size in bytes if it is known."""

    batch: int
    fits: bool
    peak: int | None
    reason: str = ""


def free() -> int:
    """Bytes that a process may take on the CPU without harm to others."""
    limits = [text for path in CGROUP if (text := machine.first_line(path)).isdecimal()]
    return int(SHARE * min([psutil.virtual_memory().available, *map(int, limits)]))


def search(attempt: Callable[[int], Try], most: int = MOST) -> list[Try]:
    """Try batches until the largest that fits is known to a share of GAP: double, then bisect.

    What fits is assumed to grow with the batch."""
    tries: list[Try] = []
    fits, fails = 0, most + 1
    while fails - fits > max(1, int(GAP * fits)):
        batch = min(max(1, 2 * fits), most) if fails > most else (fits + fails) // 2
        tries.append(attempt(batch))
        if tries[-1].fits:
            fits = batch
        else:
            fails = batch
    return tries


def attempt(
    start: Callable[[], Worker], files: Mapping[str, str], phase: str, batch: int, limit: int | None
) -> Try:
    """Whether two steps of a batch stay below `limit` bytes, where there is one. Raises Failure for
    what has nothing to do with memory."""
    over = Event()
    try:
        with start() as worker, guarded(worker, limit, over):
            worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])
            steps = {"least": 1, "most": 1, "seconds": 0, "batch": batch}
            found = worker.call("memory", LIMIT, phase=phase, inputs=files["inputs"], **steps)
    except Failure as failure:
        if over.is_set():
            return Try(batch, False, None, f"more than the limit of {limit} bytes")
        if failure.status == "out_of_memory" or SIGKILL.name in failure.reason:
            return Try(batch, False, None, str(failure))
        raise
    peaks = [found[name].get("peak") for name in ("first", "last")]
    peak = max(filter(None, peaks), default=None)
    return Try(batch, limit is None or peak is None or peak <= limit, peak)


@contextmanager
def guarded(worker: Worker, limit: int | None, over: Event) -> Iterator[None]:
    """End a worker that holds more than `limit` bytes, and say so."""
    done = Event()

    def watch() -> None:
        process = psutil.Process(worker.process.pid)
        while not done.wait(EVERY):
            try:
                if process.memory_info().rss > (limit or 0):
                    over.set()
                    worker.signal(SIGKILL)
                    return
            except psutil.Error:
                return

    thread = Thread(target=watch)
    if limit is not None:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if limit is not None:
            thread.join()


def explore(
    run: Run, plan: Plan, graphs: Mapping[str, Graph], entrants: Entrants
) -> Generator[tuple[str, str], None, None]:
    """Search for each contender, network and phase that the journal has neither a largest batch nor
    a failure of, and journal it; what it was and what it came to, in words."""
    known = {place(entry) for entry in run.entries() if entry["kind"] in ("largest", "outcome")}
    with tempfile.TemporaryDirectory(prefix="convmark-") as folder:
        for number, (name, graph) in enumerate(graphs.items()):
            inside = Path(folder) / str(number)
            inside.mkdir()
            files = parity.save_usual(inside, graph, PICTURES)
            for who, cell in cases(plan, name):
                if place(asdict(who) | asdict(cell)) not in known:
                    yield (
                        f"{name} {cell.phase} {who}",
                        largest(run, plan, entrants, who, cell, files),
                    )


def cases(plan: Plan, model: str) -> list[tuple[Contender, Cell]]:
    """The contenders and phases of a network; the batch of these cells means nothing."""
    return [(who, cell) for cell in plan.cells(model, 0) for who in plan.contenders]


def place(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a search is for."""
    return tuple(entry[k] for k in ("framework", "mode", "tuned", "model", "phase"))


def largest(
    run: Run, plan: Plan, entrants: Entrants, who: Contender, cell: Cell, files: Mapping[str, str]
) -> str:
    """Search, and journal what was tried."""
    entrant, logs = entrants[who], run.folder / "logs"
    if isinstance(entrant, Unavailable):
        return f"unavailable: {entrant}"
    start = lambda: gate.start(entrant, plan.device, plan.precision, plan.threads, logs)
    limit = plan.memory_limit or (free() if plan.device == "cpu" else None)
    try:
        tries = search(lambda batch: attempt(start, files, cell.phase, batch, limit))
    except Failure as failure:
        return str(failure)
    fit, failed = ([t.batch for t in tries if t.fits == fits] for fits in (True, False))
    line = asdict(who) | asdict(cell) | {"batch": max(fit, default=0), "limit": limit}
    line |= {"too_large": min(failed, default=None), "tries": [asdict(each) for each in tries]}
    run.append("largest", **line)
    return f"batch {line['batch']}, {line['too_large']} is too large"
