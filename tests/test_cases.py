"""What is measured, from the words of the command line, and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import cases
from bench.cases import Cell, Contender, Plan
from bench.errors import BenchError
from bench.frameworks import Framework, Place


def framework(name: str, *modes: str) -> Framework:
    place = Place(modes, name, Path(name, "adapter.py"), "1")
    return Framework(name, name, "1", name, "3.11", Path(name), (place,), {})


ONE, TWO = framework("one", "eager", "compile"), framework("two", "graph", "eager")
PLAN = Plan(
    contenders=tuple(Contender(f, "eager") for f in ("a", "b", "c", "d")),
    models=("lenet5", "vgg16", "alexnet"), phases=("inference", "train"), batches=(1, 8),
    device="cpu", precision="fp32", threads=2, profile="quick", budget=480.0, processes=4,
    within=0.03, seed=7,
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


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.03", 0.03), ("12.5%", 0.125)])
def test_shares(text: str, share: float) -> None:
    assert cases.share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "0", "-3%", "100%", "3", "nan", "3 %%", "x"])
def test_wrong_shares_are_named(text: str) -> None:
    with pytest.raises(BenchError, match=f"--within {text!r} is not a share between 0 and 1"):
        cases.share(text)


# -- the plan -------------------------------------------------------------------------------------


def test_a_plan_survives_json() -> None:
    assert Plan.from_json(json.loads(json.dumps(PLAN.to_json()))) == PLAN


def test_a_plan_from_an_old_journal_may_lack_nothing() -> None:
    with pytest.raises(KeyError, match="processes"):
        Plan.from_json({k: v for k, v in PLAN.to_json().items() if k != "processes"})


def test_a_share_is_the_budget_over_all_contenders_cells_and_processes() -> None:
    assert PLAN.share == 480 / (3 * 2 * 2 * 4 * 4)


def test_cells_of_a_network_are_its_phases() -> None:
    assert PLAN.cells("vgg16", 8) == [
        Cell("vgg16", 8, phase, "cpu", "fp32", 2) for phase in ("inference", "train")
    ]


@pytest.mark.parametrize("name", cases.PROFILES)
def test_profiles_use_words_that_exist(name: str) -> None:
    profile = cases.PROFILES[name]
    assert set(profile.phases) <= set(cases.PHASES)
    assert profile.modes in ("default", "all")
    assert profile.processes >= 1 and 0 < profile.within < 1
    assert profile.budget > 0
