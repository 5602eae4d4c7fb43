"""The journal of a run, and the tidy tables derived from it.

`results/<run>/run.json` says what was to be measured and where; `samples.jsonl` has one line for
each thing that happened, appended and flushed at once, never changed. A run killed at any moment
loses at most the line in flight; a torn last line is closed and skipped.

Format history:
    1   kinds: process, block, memory, outcome, verdict
    2   contenders may be untuned: `tuned` in every line that has a mode
    3   a process has several blocks of a phase: `process`, which was `round`, and `round` in it;
        memory: a process for each phase; readings before, in and after the steps, and `least`;
        blocks: what happened beside them, see `guard.Guard.compare`; processes: threads, and
        what `probes.examine` found; repetitions and stops: threads;
        kinds: warmup (was part of block), repetition, stop, largest (batch that fits)
        (kinds that a reader does not know are skipped; added since: training)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from bench.errors import BenchError
from bench.guard import disturbance
from bench.weighing import WEIGHED, weighed

FORMAT = 3
READABLE = (1, 2, 3)
HEADER = {"format", "plan"}  # without these it is no run
RUN, JOURNAL = "run.json", "samples.jsonl"
CELL = ["model", "batch", "phase", "device", "precision", "threads"]
CONTENDER = ["framework", "mode", "tuned"]


class Run:
    """One run's folder. Writing needs `with run.writing():`, which one process can do at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path, header: dict[str, Any]) -> Run:
        """A new run; raises BenchError where the folder holds anything already."""
        run = cls(folder)
        if run.path.exists():
            raise BenchError(f"{folder} holds a run already: continue it with --resume {folder}")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BenchError(f"{folder} is not empty and is no run: choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
        run.replace(header | {"format": FORMAT})
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """A run that exists; raises BenchError where there is none, or one of a newer format."""
        run = cls(folder)
        if not run.path.is_file():
            runs = ", ".join(str(f) for f in find(folder.parent)) or "none"
            raise BenchError(f"{folder} is no run: it has no {RUN}. Runs beside it: {runs}")
        found = run.header().get("format")
        if found not in READABLE:
            known = ", ".join(map(str, READABLE))
            raise BenchError(f"{run.path} has format {found}; this version reads {known}")
        return run

    @property
    def path(self) -> Path:
        return self.folder / RUN

    @property
    def journal(self) -> Path:
        return self.folder / JOURNAL

    def header(self) -> dict[str, Any]:
        """What `run.json` says; raises BenchError where it is damaged."""
        try:
            header: dict[str, Any] = json.loads(self.path.read_text())
        except ValueError as error:
            raise BenchError(f"{self.path} cannot be read as JSON: {error}") from None
        missing = HEADER - set(header if isinstance(header, dict) else ())
        if missing:
            raise BenchError(f"{self.path} is no run's: it lacks {', '.join(sorted(missing))}")
        return header

    def replace(self, header: dict[str, Any]) -> None:
        """Write `run.json` whole or not at all."""
        with full_disk(self.folder):
            draft = self.path.with_suffix(".tmp")
            draft.write_text(json.dumps(header, indent=1) + "\n")
            draft.replace(self.path)

    @contextmanager
    def writing(self) -> Iterator[Run]:
        """Hold the folder; raises BenchError where another process writes into it."""
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BenchError(
                f"another run is writing into {self.folder}: wait, or use --out"
            ) from None
        try:
            self.close_torn_line()
            yield self
        finally:
            lock.release()

    def close_torn_line(self) -> None:
        """End the line that a kill cut off, so that the next one stands alone."""
        if self.journal.is_file() and self.journal.stat().st_size:
            with self.journal.open("rb+") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def append(self, kind: str, **entry: Any) -> None:
        """Add a line, and see it on the disk before returning."""
        line = homeless(json.dumps({"kind": kind, **entry})) + "\n"
        with full_disk(self.folder), self.journal.open("ab", buffering=0) as file:
            written = file.write(line.encode())
            if written != len(line.encode()):
                raise OSError(28, "No space left on device")
            os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """Every whole line of the journal, in order."""
        if not self.journal.is_file():
            return []
        lines = self.journal.read_text(errors="replace").splitlines()
        return [entry for entry in map(parsed, lines) if entry]


def homeless(text: str) -> str:
    """The text without the name of the user's home: runs are published."""
    home = Path.home()
    return text.replace(f"{home}/", "~/") if home.name else text


def parsed(line: str) -> dict[str, Any] | None:
    """The entry of a line; None for one that was cut off."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def upgraded(entry: dict[str, Any]) -> dict[str, Any]:
    """A line of an older format as one of this: see the format's history."""
    if "mode" in entry:
        entry.setdefault("tuned", True)
    if entry.get("kind") in ("block", "process", "outcome") and "process" not in entry:
        entry["process"] = entry.pop("round", 0)
    if entry.get("kind") == "block":
        entry.setdefault("round", 0)
        entry.setdefault("settle", None)
    return entry


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Say plainly that the disk is full or closed to us; what is written already stays."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise BenchError(
            f"cannot write into {folder}: {reason}. What was measured is kept: "
            f"mend it, then continue with --resume {folder}"
        ) from error


def find(folder: Path) -> list[Path]:
    """The runs below a folder, oldest first."""
    return sorted(path.parent for path in folder.glob(f"*/{RUN}"))


@dataclass(frozen=True)
class Tables:
    """Tidy frames; each row has the run's name, the contender and the cell.

    samples: seconds per step, one row for each sample; those of disturbed blocks are `marked`.
    blocks: one row for each block: repeats, CPU seconds per step, what happened beside it and its
    `disturbance` in words. warmups: the first call and how long until samples were level, seconds.
    memory: bytes. processes: import and build seconds. outcomes: how each contender fared in each
    cell. verdicts: the parity gate's. stops: why no more processes of a network were taken.
    largest: `batch`, the largest that fits, and the smallest that is `too_large`. training: what
    each network came to with each seed, see bench/training.py."""

    samples: pd.DataFrame
    blocks: pd.DataFrame
    warmups: pd.DataFrame
    memory: pd.DataFrame
    processes: pd.DataFrame
    outcomes: pd.DataFrame
    verdicts: pd.DataFrame
    stops: pd.DataFrame
    largest: pd.DataFrame
    training: pd.DataFrame


CASE = ["run", *CONTENDER]
WARM = ("first_call", "level", "warmup")  # what blocks of formats 1 and 2 say of the warm-up
EMPTY = {  # the columns of a table without rows
    "blocks": [
        *CASE,
        *CELL,
        "process",
        "round",
        "repeats",
        "samples",
        "settle",
        "cpu_per_step",
        "disturbance",
    ],
    "warmups": [*CASE, *CELL, "process", "first_call", "level", "seconds", "samples"],
    "memory": [*CASE, *CELL, "baseline", "peak", *WEIGHED],
    "processes": [*CASE, "model", "batch", "threads", "process", "import_seconds", "build_seconds"],
    "outcomes": [*CASE, *CELL, "process", "status", "reason"],
    "largest": [*CASE, *CELL, "too_large", "limit"],
    "verdicts": [*CASE, "model", "phase", "status", "reason", "worst_error", "bound"],
    "stops": ["run", "model", "batch", "threads", "reason", "processes", "widest", "within"],
    "training": [*CASE, "model", "seed", "status", "reason", "train_loss_end", "test_error_end"],
}
SAMPLES = [
    "run", *CONTENDER, *CELL, "process", "round", "sample", "repeats", "seconds", "marked",
]  # fmt: skip
HEAD = [name for name in SAMPLES if name not in ("sample", "seconds")]  # of a block


def load(*paths: str | Path) -> Tables:
    """The tables of one or more runs; raises BenchError for a path that is no run."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        run = Run.open(Path(path))
        for entry in map(upgraded, run.entries()):
            rows.setdefault(entry.pop("kind", ""), []).append({"run": run.folder.name, **entry})
    blocks = rows.get("block", [])
    found = {
        "blocks": flat(blocks),
        "warmups": list(warmed([*blocks, *rows.get("warmup", [])])),
        "memory": [weighed(entry) for entry in rows.get("memory", [])],
        "processes": rows.get("process", []),
        "outcomes": rows.get("outcome", []),
        "verdicts": rows.get("verdict", []),
        "stops": rows.get("stop", []),
        "largest": [{k: v for k, v in e.items() if k != "tries"} for e in rows.get("largest", [])],
        "training": rows.get("training", []),
    }
    frames = {k: pd.DataFrame(v, columns=None if v else EMPTY[k]) for k, v in found.items()}
    return Tables(long(blocks), **frames)


def long(blocks: list[dict[str, Any]]) -> pd.DataFrame:
    """A row for each sample of each block; what a block's samples share is written once."""
    rows = [block | {"marked": bool(disturbance(block))} for block in blocks]
    heads = pd.DataFrame([{k: row[k] for k in HEAD if k in row} for row in rows], columns=HEAD)
    counts = np.array([len(block["samples"]) for block in blocks], dtype=np.int64)
    total = int(counts.sum())
    frame = heads.take(np.repeat(np.arange(len(blocks)), counts)).reset_index(drop=True)
    frame["sample"] = np.arange(total) - np.repeat(counts.cumsum() - counts, counts)
    every = chain.from_iterable(block["samples"] for block in blocks)
    frame["seconds"] = np.fromiter(every, dtype=np.float64, count=total)
    return frame[SAMPLES]


def warmed(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Warm-ups, which were parts of blocks in older formats, with their samples counted."""
    for entry in entries:
        if "first_call" in entry:
            samples = entry["warmup"] if "warmup" in entry else entry["samples"]
            kept = [*CASE, *CELL, "process", "first_call", "level"]
            row = {k: entry[k] for k in kept if k in entry}
            seconds = entry.get("seconds", sum(samples))
            yield row | {"seconds": seconds, "samples": len(samples)}


def flat(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks without their samples, with what those say in short."""
    rows = []
    for block in blocks:
        row = {k: v for k, v in block.items() if k not in ("samples", *WARM)}
        steps = max(1, block["repeats"] * len(block["samples"]))
        count = {"samples": len(block["samples"]), "cpu_per_step": block["cpu"] / steps}
        rows.append(row | count | {"disturbance": disturbance(block)})
    return rows
