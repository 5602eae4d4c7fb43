"""Whom and where a test speaks of: contenders and cells.

A contender is named as a word: `torch` is PyTorch in its default mode, `torch compile` that mode,
`keras *` every mode, `*` every framework in its default mode. Tunings are applied, but for words
that end in `untuned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench import cases, frameworks, models
from bench.cases import Cell, Contender
from bench.claims.words import Message
from bench.errors import BenchError, unknown
from bench.frameworks import Framework
from bench.settings import DEVICES


@dataclass(frozen=True)
class Scope:
    """The cells that a test speaks of; an empty field means all that were measured."""

    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()

    def holds(self, cell: Cell) -> bool:
        """Whether a cell belongs to it; building and importing have no phase."""
        return (
            (not self.models or cell.model in self.models)
            and (not self.phases or cell.phase in (*self.phases, ""))
            and (not self.batches or cell.batch in self.batches)
            and (not self.devices or cell.device in self.devices)
        )

    def check(self) -> None:
        """Raises BenchError for a phase, device or network that there is not."""
        names = [name for name in self.models if ":" not in name]
        for what, words, choices in (
            ("phase", self.phases, cases.PHASES),
            ("device", self.devices, DEVICES),
            ("network", names, models.discover()),
        ):
            for word in words:
                if word not in choices:
                    raise unknown(what, word, choices)

    def missing(self, places: Sequence[Mapping[str, Any]]) -> list[str]:
        """What it names and no place has, in words; what places say nothing of is no matter."""
        named: dict[str, tuple[Any, ...]] = {
            "device": self.devices, "model": self.models, "phase": self.phases,
            "batch": self.batches,
        }  # fmt: skip
        said: list[str] = []
        for what, wanted in named.items():
            known = {place[what] for place in places if what in place}
            lacking = tuple(name for name in wanted if name not in known) if known else ()
            said += [Message(f"no comparison on {what} {{names}}", names=lacking)] * bool(lacking)
        return said


def contenders(word: str) -> list[Contender]:
    """Those that a word means; raises BenchError."""
    name, *rest = word.split()
    tuned = "untuned" not in rest
    modes = [part for part in rest if part != "untuned"]
    known = discovered()
    if name == "*":
        return [Contender(f.name, f.modes[0], tuned) for f in known.values()]
    if name not in known:
        raise unknown("framework", name, [*known, "*"])
    own = known[name].modes
    if modes == ["*"]:
        return [Contender(name, mode, tuned) for mode in own]
    if len(modes) > 1:
        raise BenchError(f"{word!r} names more than one mode: write each as a word of its own")
    mode = modes[0] if modes else own[0]
    if mode not in own:
        raise unknown(f"mode of {name}", mode, [*own, "*"])
    return [Contender(name, mode, tuned)]


@cache
def discovered() -> Mapping[str, Framework]:
    """Every framework: reading all metadata takes longer than judging."""
    return frameworks.discover()


def everyone(words: Iterable[str], but: Sequence[Contender] = ()) -> list[Contender]:
    """The contenders that several words mean, each once, without some."""
    found = dict.fromkeys(c for word in words for c in contenders(word))
    return [contender for contender in found if contender not in but]
