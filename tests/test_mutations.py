"""The gate sees every mistake that can be seen, and refuses nothing that is right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts import mutations
from scripts.mutations import Case, Finding, Probe, Row
from tests.mistakes import MISTAKES, load

load()
VISIBLE = [name for name, m in MISTAKES.items() if not m.same and not m.blind]
SAME = [name for name, m in MISTAKES.items() if m.same]
BLIND = [name for name, m in MISTAKES.items() if m.blind]


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with mutations.probe() as probe:
        yield probe


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return mutations.all_cases()


def test_without_a_mistake_it_passes(probe: Probe, cases: list[Case]) -> None:
    assert mutations.passed(probe, cases) == cases


@pytest.mark.parametrize("name", VISIBLE)
def test_a_mistake_is_caught(name: str, probe: Probe, cases: list[Case]) -> None:
    row = mutations.examine(probe, cases, MISTAKES[name], until_caught=True)
    assert row.first, [(f.case, f.check, f.reason) for f in row.findings]
    assert row.first.reason


@pytest.mark.parametrize("name", SAME)
def test_another_way_to_the_same_is_not_refused(name: str, probe: Probe, cases: list[Case]) -> None:
    row = mutations.examine(probe, cases, MISTAKES[name], until_caught=False)
    assert [f for f in row.findings if f.check] == []


@pytest.mark.parametrize("name", BLIND)
def test_a_known_hole_is_still_there(name: str, probe: Probe, cases: list[Case]) -> None:
    """If this fails the gate has become better: take the reason out of the registry."""
    row = mutations.examine(probe, cases, MISTAKES[name], until_caught=False)
    assert row.findings
    assert [f for f in row.findings if f.check] == []


def test_each_mistake_says_what_is_wrong_with_it() -> None:
    assert len(VISIBLE) > 60
    sentences = [m.what for m in MISTAKES.values()]
    assert len(set(sentences)) == len(sentences)
    assert all(what.endswith(".") for what in sentences)


def test_a_crash_or_silence_is_no_catch() -> None:
    mistake = MISTAKES["relu_left_out"]
    crash, silent = Finding("a", True, "crash"), Finding("b", False)
    caught = Finding("c", True, "loss", "loss", 2.0, 1.0, "loss is off")
    later = Finding("d", True, "steps", "w", 9.0, 1.0, "w is off")
    assert not Row(mistake, [crash, silent]).right
    assert Row(mistake, [crash, later, caught, silent]).first == caught
    assert Row(mistake, [crash, later, caught, silent]).seen(True) == "2/3"
    hidden = mistake._replace(same="reason")
    assert Row(hidden, [silent]).right
    assert not Row(hidden, [silent, crash]).right


def test_a_gradient_is_told_from_the_loss(probe: Probe, cases: list[Case]) -> None:
    """Though prefixes of the network were run since, to find where it is wrong."""
    for name, check in (("gradient_negative", "gradients"), ("loss_in_float16", "loss")):
        row = mutations.examine(probe, cases, MISTAKES[name], until_caught=True)
        assert row.first and row.first.check == check


def test_the_document_has_every_mistake() -> None:
    document = (mutations.ROOT / "docs" / "mutations.md").read_text()
    assert [name for name in MISTAKES if f"| {name} |" not in document] == []
