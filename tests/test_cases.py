"""What is measured, from the words of the command line, and in which order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench import cases
from bench.cases import Cell, Contender, Plan
from bench.errors import BenchError
from bench.frameworks import Framework, Place
from bench.schedule import MEMORY, Turn, turns


def framework(name: str, *modes: str) -> Framework:
    place = Place(modes, name, Path(name, "adapter.py"), "1")
    return Framework(name, name, "1", name, "3.11", Path(name), (place,), {})


ONE, TWO = framework("one", "eager", "compile"), framework("two", "graph", "eager")
PLAN = Plan(
    contenders=tuple(Contender(f, "eager") for f in ("a", "b", "c", "d")),
    models=("lenet5", "vgg16", "alexnet"), phases=("inference", "train"), batches=(1, 8),
    device="cpu", precision="fp32", threads=2, profile="quick", budget=480.0, rounds=4, seed=7,
)  # fmt: skip


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "modes"),
    [
        ("default", ["graph"]),
        ("all", ["graph", "eager"]),
        ("eager", ["eager"]),
        ("eager, default", ["eager", "graph"]),
        ("eager,eager", ["eager"]),
        ("graph,default", ["graph"]),
        ("compile", []),
    ],
)
def test_modes_of_a_framework(wanted: str, modes: list[str]) -> None:
    assert cases.modes_of(TWO, wanted) == modes


def test_contenders_are_frameworks_in_the_modes_that_they_have() -> None:
    assert cases.contenders([ONE, TWO], "eager,compile") == [
        Contender("one", "eager"), Contender("one", "compile"), Contender("two", "eager"),
    ]  # fmt: skip


def test_a_mode_that_no_framework_has_is_unknown() -> None:
    with pytest.raises(BenchError, match=r"'compil'. Did you mean 'compile'\? Choices: .*graph"):
        cases.contenders([ONE, TWO], "eager,compil")


@pytest.mark.parametrize(
    ("text", "phases"),
    [("train", ("train",)), ("step, inference ,step", ("step", "inference"))],
)
def test_a_choice_is_a_list_with_each_entry_once(text: str, phases: tuple[str, ...]) -> None:
    assert cases.choice("phase", text, cases.PHASES) == phases


@pytest.mark.parametrize("text", ["trian", "train,trian", "", " , "])
def test_a_wrong_choice_gets_the_choices(text: str) -> None:
    with pytest.raises(BenchError, match=r"unknown phase .*Choices: forward, inference, step, tra"):
        cases.choice("phase", text, cases.PHASES)


def test_numbers() -> None:
    assert cases.numbers("--batch", "8, 1,8") == (8, 1)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", ",", "1,x", "1;2"])
def test_wrong_numbers_are_named(text: str) -> None:
    with pytest.raises(BenchError, match=r"--batch '.*' is not a whole number of at least 1"):
        cases.numbers("--batch", text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("45", 45), ("1.5m", 90)]
)
def test_durations(text: str, seconds: float) -> None:
    assert cases.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "-5m", "nan", "inf", "1e999", "10 minutes", "5d"])
def test_wrong_durations_are_named(text: str) -> None:
    with pytest.raises(BenchError, match=f"--budget {text!r} is not a positive duration such as"):
        cases.seconds(text)


# -- the plan -------------------------------------------------------------------------------------


def test_a_plan_survives_json() -> None:
    assert Plan.from_json(json.loads(json.dumps(PLAN.to_json()))) == PLAN


def test_a_plan_from_an_old_journal_may_lack_nothing() -> None:
    with pytest.raises(KeyError, match="rounds"):
        Plan.from_json({k: v for k, v in PLAN.to_json().items() if k != "rounds"})


def test_a_share_is_the_budget_over_all_turns_and_phases() -> None:
    assert PLAN.share == 480 / (3 * 2 * 2 * 4 * 4)
    blocks = [c for t in turns(PLAN) if not t.weighs for c in PLAN.cells(t.model, t.batch)]
    assert PLAN.share * len(blocks) == pytest.approx(PLAN.budget)


def test_cells_of_a_network_are_its_phases() -> None:
    assert PLAN.cells("vgg16", 8) == [
        Cell("vgg16", 8, phase, "cpu", "fp32", 2) for phase in ("inference", "train")
    ]


@pytest.mark.parametrize("name", cases.PROFILES)
def test_profiles_use_words_that_exist(name: str) -> None:
    profile = cases.PROFILES[name]
    assert set(profile.phases) <= set(cases.PHASES)
    assert profile.modes in ("default", "all")
    assert profile.rounds >= 1
    assert profile.budget > 0


# -- the schedule ---------------------------------------------------------------------------------


def rounds(plan: Plan) -> dict[int, list[Turn]]:
    """The turns of each round, in order."""
    found: dict[int, list[Turn]] = {}
    for turn in turns(plan):
        found.setdefault(turn.round, []).append(turn)
    return found


def order(taken: list[Turn]) -> list[tuple[str, int, Contender]]:
    return [(turn.model, turn.batch, turn.contender) for turn in taken]


def test_everyone_measures_everything_once_in_every_round() -> None:
    wanted = {
        Turn(r, model, batch, contender)
        for r in (MEMORY, 0, 1, 2, 3)
        for model in PLAN.models
        for batch in PLAN.batches
        for contender in PLAN.contenders
    }
    assert Counter(turns(PLAN)) == Counter(wanted)


def test_memory_comes_first_and_rounds_follow_each_other() -> None:
    assert list(rounds(PLAN)) == [MEMORY, 0, 1, 2, 3]
    numbers = [turn.round for turn in turns(PLAN)]
    assert numbers == sorted(numbers)
    assert all(turn.weighs == (turn.round == MEMORY) for turn in turns(PLAN))


def test_rivals_meet_without_another_network_in_between() -> None:
    for taken in rounds(PLAN).values():
        for start in range(0, len(taken), 4):
            assert len({(turn.model, turn.batch) for turn in taken[start : start + 4]}) == 1


def test_the_order_is_drawn_anew_in_each_round() -> None:
    orders = [order(taken) for taken in rounds(PLAN).values()]
    assert all(first != second for i, first in enumerate(orders) for second in orders[:i])


def test_nobody_always_comes_first() -> None:
    plan = replace(PLAN, rounds=20, models=("lenet5",), batches=(1,))
    firsts = {taken[0].contender for taken in rounds(plan).values()}
    assert firsts == set(plan.contenders)


def test_the_order_is_that_of_the_seed() -> None:
    assert list(turns(PLAN)) == list(turns(replace(PLAN)))
    assert list(turns(PLAN)) != list(turns(replace(PLAN, seed=8)))
