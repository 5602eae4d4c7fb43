"""Statements as a TOML file declares them; see docs/claims.md for how to write one's own."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.claims import rules as _rules  # noqa: F401  so that all kinds are known
from bench.claims.rule import RULES, Needs, Rule
from bench.errors import BenchError, unknown

DOCUMENT = Path(__file__).resolve().parents[1] / "claims.toml"
TEXTS = ("id", "en", "population", "for", "against")  # must be there
MAY = ("zh", "note")
CHINESE = ("population", "for", "against", "note")  # may be there in Chinese too: [claim.chinese]
KEYS = (*TEXTS, *MAY, "chinese", "test")


@dataclass(frozen=True)
class Claim:
    """A statement, and the tests that judge it; `supports` and `opposes` say in words what counts
    for and against it, `note` what is not judged; `chinese` has these in Chinese, by key."""

    id: str
    zh: str
    en: str
    population: str
    supports: str
    opposes: str
    note: str
    chinese: Mapping[str, str]
    tests: tuple[Rule, ...]

    def needs(self) -> list[Needs]:
        """What its tests want measured."""
        return [test.needs() for test in self.tests]


def load(path: Path = DOCUMENT) -> list[Claim]:
    """The claims of a file, in its order. Raises BenchError with the place, the value and the
    choices."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchError(f"--file {path}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"{path}: {error}") from None
    for key in table.keys() - {"claim"}:
        raise BenchError(f"{path}: {unknown('key', key, ['claim'])}")
    rows = table.get("claim")
    if not isinstance(rows, list) or not rows:
        raise BenchError(f"{path}: there is no [[claim]] in it")
    claims = [read(row, f"{path}: [[claim]] {number}") for number, row in enumerate(rows, 1)]
    for name, count in Counter(claim.id for claim in claims).items():
        if count > 1:
            raise BenchError(f"{path}: {count} claims have the id {name!r}")
    return claims


def read(row: Mapping[str, Any], place: str) -> Claim:
    """One [[claim]]; raises BenchError."""
    if not isinstance(row, Mapping):
        raise BenchError(f"{place}: is no table")
    if isinstance(row.get("id"), str):
        place = f"{place.rpartition(' ')[0]} {row['id']}"
    for key in row.keys() - set(KEYS):
        raise BenchError(f"{place}: {unknown('key', key, KEYS)}")
    texts = {key: text(row, key, place, key in TEXTS) for key in (*TEXTS, *MAY)}
    tests = row.get("test")
    if not isinstance(tests, list) or not tests:
        raise BenchError(f"{place}: test is missing: at least one [[claim.test]] must judge it")
    judged = [test(entry, f"{place}: test {n}") for n, entry in enumerate(tests, 1)]
    texts["supports"], texts["opposes"] = texts.pop("for"), texts.pop("against")
    return Claim(**texts, chinese=chinese(row, place), tests=tuple(judged))


def chinese(row: Mapping[str, Any], place: str) -> dict[str, str]:
    """What of a claim's [claim.chinese] is there; raises BenchError."""
    table, place = row.get("chinese", {}), f"{place}: chinese"
    if not isinstance(table, Mapping):
        raise BenchError(f"{place} is no table")
    for key in table.keys() - set(CHINESE):
        raise BenchError(f"{place}: {unknown('key', key, CHINESE)}")
    return {key: text(table, key, place, True) for key in CHINESE if key in table}


def text(row: Mapping[str, Any], key: str, place: str, needed: bool) -> str:
    value = row.get(key, "")
    if not isinstance(value, str) or (needed and not value.strip()):
        raise BenchError(f"{place}: {key} is missing or not a text")
    return value.strip()


def test(row: Mapping[str, Any], place: str) -> Rule:
    """One [[claim.test]]; raises BenchError."""
    if not isinstance(row, Mapping):
        raise BenchError(f"{place}: is no table")
    kind = row.get("rule")
    if not isinstance(kind, str):
        raise BenchError(f"{place}: rule is missing; choices: {', '.join(sorted(RULES))}")
    if kind not in RULES:
        raise BenchError(f"{place}: {unknown('rule', kind, RULES)}")
    try:
        return RULES[kind].read({k: v for k, v in row.items() if k != "rule"})
    except BenchError as error:
        raise BenchError(f"{place}: {error}") from None


def select(claims: Sequence[Claim], names: str) -> list[Claim]:
    """The claims of `all` or of a list with commas; raises BenchError."""
    known = {claim.id: claim for claim in claims}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted == ["all"]:
        return list(claims)
    for name in wanted or [names]:
        if name not in known:
            raise unknown("claim", name, known)
    return [known[name] for name in dict.fromkeys(wanted)]
