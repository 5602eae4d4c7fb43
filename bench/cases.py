"""What is measured: contenders (a framework in a mode) in cells (a network in a situation)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from bench.errors import BenchError, unknown
from bench.frameworks import Framework

PHASES = ("inference", "forward", "train", "step")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True, order=True)
class Contender:
    """A framework in one of its modes, with the tunings of its framework.toml or without."""

    framework: str
    mode: str
    tuned: bool = True

    def __str__(self) -> str:
        return f"{self.framework} {self.mode}" + ("" if self.tuned else " untuned")


@dataclass(frozen=True, order=True)
class Cell:
    """One situation, in which contenders race against each other."""

    model: str
    batch: int
    phase: str
    device: str
    precision: str
    threads: int


@dataclass(frozen=True)
class Plan:
    """All that a run is to measure; what `run.json` keeps, so that it can be resumed."""

    contenders: tuple[Contender, ...]
    models: tuple[str, ...]
    phases: tuple[str, ...]
    batches: tuple[int, ...]
    device: str
    precision: str
    threads: int
    profile: str
    budget: float  # seconds of measuring, all together
    processes: int  # of each contender in each cell, as far as the budget goes
    within: float  # the half width, relative, of the intervals of ratios that is enough
    seed: int
    largest_batch: bool = False  # whether it is searched for
    memory_limit: int | None = None  # bytes that a process may take in that search
    more_threads: tuple[int, ...] = ()  # everything is measured with so many, too

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """What `to_json` gave."""
        contenders = tuple(Contender(**c) for c in data["contenders"])
        names = ("models", "phases", "batches", "more_threads")
        lists = {k: tuple(data[k]) for k in names if k in data}
        found = {
            f.name: data[f.name] for f in fields(cls) if f.name in data or f.default is MISSING
        }
        return cls(**found | lists | {"contenders": contenders})

    def by_threads(self) -> list[Plan]:
        """A plan for each number of threads, with its part of the budget."""
        counts = (self.threads, *self.more_threads)
        budget = self.budget / len(counts)
        return [replace(self, threads=n, more_threads=(), budget=budget) for n in counts]

    def cells(self, model: str, batch: int) -> list[Cell]:
        """The cells of one network at one batch size, a phase each."""
        return [
            Cell(model, batch, phase, self.device, self.precision, self.threads)
            for phase in self.phases
        ]

    @property
    def share(self) -> float:
        """Seconds that one contender has in one cell and one process, warm-up included."""
        cells = len(self.models) * len(self.batches) * len(self.phases)
        return self.budget / (cells * len(self.contenders) * self.processes)


@dataclass(frozen=True)
class Profile:
    """How much is measured where the user does not say."""

    budget: float
    processes: int
    within: float
    batches: tuple[int, ...]
    models: str
    phases: tuple[str, ...]
    modes: str


PROFILES = {
    "smoke": Profile(20, 1, 0.1, (1,), "lenet5", ("inference", "train"), "default"),
    "quick": Profile(600, 3, 0.1, (4,), "quick", ("inference", "train"), "default"),
    "standard": Profile(3600, 5, 0.03, (1, 8), "quick", PHASES[:3], "default"),
    "full": Profile(8 * 3600, 8, 0.03, (1, 8, 32), "all", PHASES, "all"),
}


def modes_of(framework: Framework, wanted: str) -> list[str]:
    """Modes for `default`, `all` or a list; a framework takes those of the list that it has."""
    known = [*framework.modes, *framework.absent]
    if wanted == "all":
        return known
    names = [known[0] if n == "default" else n for n in words(wanted)]
    return [n for n in dict.fromkeys(names) if n in known]


def contenders(frameworks: Sequence[Framework], wanted: str) -> list[Contender]:
    """Every framework in each of the wanted modes; raises BenchError for a mode nobody has."""
    known = {m for f in frameworks for m in (*f.modes, *f.absent)} | {"default", "all"}
    for name in words(wanted):
        if name not in known:
            raise unknown("mode of these frameworks", name, known)
    return [Contender(f.name, mode) for f in frameworks for mode in modes_of(f, wanted)]


def words(text: str) -> list[str]:
    """The entries of a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def choice(what: str, text: str, choices: Iterable[str]) -> tuple[str, ...]:
    """A list with commas, each entry one of the choices; raises BenchError."""
    for word in words(text):
        if word not in choices:
            raise unknown(what, word, choices)
    if not words(text):
        raise unknown(what, text, choices)
    return tuple(dict.fromkeys(words(text)))


def numbers(what: str, text: str) -> tuple[int, ...]:
    """A list of whole numbers of at least 1; raises BenchError."""
    for word in words(text) or [text]:
        if not word.isdecimal() or int(word) < 1:
            raise BenchError(f"{what} {word!r} is not a whole number of at least 1, such as 1,32")
    return tuple(dict.fromkeys(int(word) for word in words(text)))


SIZES = {"K": 2**10, "M": 2**20, "G": 2**30}


def bytes_of(text: str) -> int:
    """A size such as 512M or 4G, a bare number means bytes. Raises BenchError."""
    number, unit = (text[:-1], SIZES[text[-1]]) if text[-1:] in SIZES else (text, 1)
    if not number.isdecimal() or int(number) < 1:
        raise BenchError(f"--memory-limit {text!r} is not a size such as 512M or 4G")
    return int(number) * unit


UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str, option: str = "--budget") -> float:
    """A duration such as 90s, 10m or 2h; a bare number means seconds. Raises BenchError."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        value = float(number) * UNITS[unit]
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BenchError(f"{option} {text!r} is not a positive duration such as 90s, 10m or 2h")
    return value


def share(text: str) -> float:
    """A share such as 3% or 0.03; raises BenchError."""
    number, unit = (text[:-1], 0.01) if text.endswith("%") else (text, 1.0)
    try:
        value = float(number) * unit
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise BenchError(f"--within {text!r} is not a share between 0 and 1, such as 3% or 0.03")
    return value
