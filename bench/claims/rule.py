"""What every rule is: a frozen dataclass whose fields are the keys of a `[[claim.test]]`.

A field's type and its `choices` say what the file may hold; its default says that the key may be
left away. A rule is a file of `bench/claims/rules/`: to add one, add a file.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Self, get_args, get_type_hints

from bench.cases import Contender
from bench.claims.expect import EXPECTATIONS, Expectation
from bench.claims.measured import Evidence
from bench.claims.population import Scope
from bench.claims.rows import Row
from bench.claims.verdicts import Finding
from bench.claims.words import Message
from bench.errors import BenchError, unknown

RULES: dict[str, type[Rule]] = {}
SAYS = "{what}, expected {expected}"
FEW = "comparisons on at least {least} networks, not {found} (--model)"


@dataclass(frozen=True)
class Needs:
    """What must be measured for a test: empty where it takes whatever there is."""

    contenders: tuple[Contender, ...] = ()
    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    trained: tuple[str, ...] = ()


def choice(*choices: str, **more: Any) -> Any:
    """A field that holds one of some words."""
    return field(metadata={"choices": choices}, **more)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one part of a statement is judged. `what` says it in words."""

    kind: ClassVar[str]
    what: str = ""

    def __init_subclass__(cls, kind: str = "") -> None:
        if kind:
            cls.kind = kind
            RULES[kind] = cls

    @abstractmethod
    def judge(self, evidence: Evidence) -> Finding:
        """The finding on this part: a function of the evidence alone."""

    def needs(self) -> Needs:
        """What has to be measured for it."""
        return Needs()

    def check(self) -> None:
        """Raises BenchError where values contradict each other or name what is not there."""

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Self:
        """The rule that a table of a TOML file declares. Raises BenchError with key, value and
        choices."""
        known = {f.name: f for f in fields(cls)}
        for key in table.keys() - known.keys():
            raise unknown(f"key of the rule {cls.kind!r}", key, known)
        hints = get_type_hints(cls)
        values = {k: valued(f, hints[k], table) for k, f in known.items() if given(f, table)}
        rule = cls(**values)
        rule.check()
        return rule


@dataclass(frozen=True, kw_only=True)
class Expecting(Rule):
    """A rule with an expectation: `expect`, `bound` and `margin`, see verdicts.Expectation."""

    expect: str = choice(*EXPECTATIONS)
    bound: float = 1.0
    margin: float = 0.0

    @property
    def expected(self) -> Expectation:
        return Expectation(self.expect, self.bound, self.margin)

    def says(self, default: str) -> Message:
        """The figure in words, with what is expected of it."""
        return Message(SAYS, what=self.what or default, expected=self.expected.words)

    def check(self) -> None:
        """What is measured is positive, and a margin is a share of the bound."""
        if not 0 < self.bound < float("inf"):
            raise BenchError(f"bound = {self.bound}: a positive number")
        if not 0 <= self.margin < 1:
            raise BenchError(f"margin = {self.margin}: a share of the bound, from 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class Scoped(Expecting):
    """A rule that takes its comparisons from some cells: by default all that were measured, of so
    many `networks` at least."""

    models: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()
    networks: int = 1

    @property
    def scope(self) -> Scope:
        return Scope(self.models, self.phases, self.batches, self.devices)

    def check(self) -> None:
        """Names exist."""
        super().check()
        self.scope.check()

    def unseen(self, rows: Sequence[Row]) -> list[str]:
        """What it names and no comparison speaks of, in words; nothing where there is none."""
        known = {row.where["model"] for row in rows if "model" in row.where}
        few = Message(FEW, least=self.networks, found=len(known))
        said = self.scope.missing([row.where for row in rows]) if rows else []
        return [*said, *([few] if 0 < len(known) < self.networks else [])]


def given(entry: Field[Any], table: Mapping[str, Any]) -> bool:
    """Whether the table holds a key; raises BenchError if it must and does not."""
    if entry.name in table:
        return True
    if entry.default is MISSING and entry.default_factory is MISSING:
        choices = entry.metadata.get("choices")
        said = f"; choices: {', '.join(choices)}" if choices else ""
        raise BenchError(f"{entry.name} is missing{said}")
    return False


def valued(entry: Field[Any], hint: Any, table: Mapping[str, Any]) -> Any:
    """The value of a key; raises BenchError where its type or word is wrong."""
    value = table[entry.name]
    choices = entry.metadata.get("choices")
    if choices and value not in choices:
        raise unknown(entry.name, str(value), choices)
    if get_args(hint):  # tuple[str, ...]
        inner = get_args(hint)[0]
        if not isinstance(value, list) or not all(is_a(v, inner) for v in value):
            raise BenchError(f"{entry.name} = {value!r} is no list of {WORDS[inner]}")
        return tuple(value)
    if not is_a(value, hint):
        raise BenchError(f"{entry.name} = {value!r} is no {WORDS[hint].removesuffix('s')}")
    return value


WORDS = {str: "texts", int: "whole numbers", float: "numbers", bool: "bools", object: "values"}


def is_a(value: Any, hint: Any) -> bool:
    """Whether a TOML value may stand for a field of this type; true is no number."""
    if hint is object:
        return True
    if isinstance(value, bool) or hint is bool:
        return isinstance(value, bool) and hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
