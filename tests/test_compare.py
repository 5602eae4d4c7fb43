"""`bench compare`: verdicts on two runs of one machine, what changed, and the status for CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import compare, store
from bench.errors import NothingMeasured
from tests.conftest import Command
from tests.nights import MACHINE, MODELS, night


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    """By framework and network; where phases differ, both."""
    groups = frame.groupby(["framework", "model"])["verdict"]
    return {" ".join(key): "/".join(sorted(set(words))) for key, words in groups}


def test_a_slowdown_is_found_where_it_is_and_nowhere_else(tmp_path: Path) -> None:
    base = night(tmp_path / "a", 1, noise=0.003)
    new = night(tmp_path / "b", 2, {"torch resnet50": 1.3, "jax lenet5": 0.7}, noise=0.003)
    frame = compare.compare(base, new)
    assert verdicts(frame) == {
        "torch resnet50": "SLOWER", "jax lenet5": "FASTER", "torch lenet5": "SAME",
        "jax resnet50": "SAME",
    }  # fmt: skip
    slower = frame[frame["verdict"] == "SLOWER"]
    assert (slower["ratio_low"] < slower["ratio"]).all() and (slower["ratio_low"] > 1.2).all()
    assert (slower["ratio_high"] > slower["ratio"]).all() and (slower["p_value"] < 0.05).all()
    assert slower["new"].iloc[0] / slower["base"].iloc[0] == pytest.approx(slower["ratio"].iloc[0])
    assert compare.count(frame["verdict"]) == 2


def test_what_matters_stands_first_the_greatest_effect_on_top(tmp_path: Path) -> None:
    names = ("jax", "mxnet", "torch", "theano")
    change = {"theano": 1.3, "torch resnet50": 1.6, "torch lenet5": 0.6, "mxnet": 0.8}
    base = night(tmp_path / "a", 1, noise=0.003, frameworks=(*names, "keras"))
    new = night(tmp_path / "b", 2, change, noise=0.003, frameworks=(*names, "keras"), fails="keras")
    frame = compare.compare(base, new)
    words = list(dict.fromkeys(frame["verdict"]))
    assert words == ["SLOWER", "LOST", "FASTER", "SAME"]
    slower = frame[frame["verdict"] == "SLOWER"]
    assert slower["model"].iloc[0] == "resnet50" and slower["ratio"].is_monotonic_decreasing
    assert frame[frame["verdict"] == "FASTER"]["ratio"].is_monotonic_increasing
    assert len(frame) == 4 * len(names) + 4 and list(frame.index) == list(range(len(frame)))


def test_a_difference_within_the_margin_is_no_regression(tmp_path: Path) -> None:
    base = night(tmp_path / "a", 1, noise=0.001)
    new = night(tmp_path / "b", 2, {"torch": 1.04}, noise=0.001)
    assert set(compare.compare(base, new)["verdict"]) == {"SAME"}
    narrow = compare.compare(base, new, margin=0.01)
    assert verdicts(narrow)["torch lenet5"] == "SLOWER"


def test_a_difference_that_may_lie_at_the_margin_is_undecided(tmp_path: Path) -> None:
    """It is not 1 for sure; whether it is more than runs differ anyway is not known."""
    base = night(tmp_path / "a", 1, noise=0.004, processes=3)
    new = night(tmp_path / "b", 2, {"torch": 1.055}, noise=0.004, processes=3)
    frame = compare.compare(base, new)
    torch = frame[frame["framework"] == "torch"]
    assert (torch["ratio_low"] > 1).any()
    assert "SLOWER" not in set(torch["verdict"])


def test_many_cases_are_judged_together(tmp_path: Path) -> None:
    """Forty tables of eight A/A cases: each case alone, a third of them would have a difference."""
    runs = [night(tmp_path / str(n), n + 1, noise=0.05, processes=3) for n in range(80)]
    wrong = sum(
        bool({"SLOWER", "FASTER"} & set(compare.compare(a, b, margin=0)["verdict"]))
        for a, b in zip(runs[::2], runs[1::2], strict=True)
    )
    assert wrong <= 6  # at 5%: more in 1 of 300


def test_what_changed_is_named(tmp_path: Path) -> None:
    base = night(tmp_path / "a", 1)
    new = night(tmp_path / "b", 2, {"torch": 1.5}, versions={"torch": "2.0"}, revision="def")
    contenders = new.header()["contenders"]
    contenders["torch plain"]["lock"] = "l2"
    contenders["torch plain"]["settings"] = [{"name": "OMP_NUM_THREADS", "value": "1"}]
    new.replace(new.header() | {"contenders": contenders})
    changed = compare.compare(base, new).groupby("framework")["changed"].first()
    assert changed["torch"] == [
        "torch 1.0 -> 2.0", "lock l1 -> l2", "revision abc -> def", "OMP_NUM_THREADS none -> 1",
    ]  # fmt: skip
    assert changed["jax"] == ["revision abc -> def"]


def test_a_case_that_fails_now_is_lost_and_says_why(tmp_path: Path) -> None:
    base, new = night(tmp_path / "a", 1), night(tmp_path / "b", 2, fails="torch")
    frame = compare.compare(base, new)
    lost = frame[frame["framework"] == "torch"]
    assert set(lost["verdict"]) == {"LOST"} and set(lost["reason"]) == {"died: signal 11"}
    assert lost["ratio"].isna().all()
    assert compare.count(frame["verdict"]) == 4
    back = compare.compare(new, base)
    assert set(back[back["framework"] == "torch"]["verdict"]) == {"NEW"}


def test_a_case_that_was_not_planned_is_not_lost(tmp_path: Path) -> None:
    base = night(tmp_path / "a", 1)
    new = night(tmp_path / "b", 2, frameworks=("torch",))
    assert set(compare.compare(base, new)["framework"]) == {"torch"}


def test_a_network_that_was_changed_is_not_compared(tmp_path: Path) -> None:
    digests = {model: {"digest": f"{model}-2", "macs": 1000} for model in MODELS[:1]}
    base, new = night(tmp_path / "a", 1), night(tmp_path / "b", 2, {"torch": 2}, models=digests)
    frame = compare.compare(base, new)
    lenet = frame[frame["model"] == "lenet5"]
    assert set(lenet["verdict"]) == {"CHANGED"} and lenet["ratio"].isna().all()
    assert set(lenet["reason"]) == {"another network: lenet5-1 -> lenet5-2"}


def test_one_process_decides_nothing(tmp_path: Path) -> None:
    base, new = (night(tmp_path / str(n), n, {"torch": n}, processes=1) for n in (1, 2))
    frame = compare.compare(base, new)
    assert set(frame["verdict"]) == {"UNDECIDED"} and frame["ratio_low"].isna().all()


def test_runs_with_nothing_in_common_say_in_what_they_differ(tmp_path: Path) -> None:
    base, new = (night(tmp_path / str(n), n) for n in (1, 2))
    text = new.journal.read_text().replace('"threads": 2', '"threads": 1')
    new.journal.write_text(text)
    plan = new.header()["plan"] | {"threads": 1}
    new.replace(new.header() | {"plan": plan})
    with pytest.raises(NothingMeasured, match=r"no measured case in common: threads 2 -> 1"):
        compare.compare(base, store.Run.open(new.folder))


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "options", "status"),
    [
        (1.0, [], 0), (1.4, [], 1), (0.6, [], 0), (0.6, ["--fail-on", "change"], 1),
        (1.4, ["--fail-on", "nothing"], 0), (1.4, ["--margin", "100"], 0),
    ],
)  # fmt: skip
def test_the_exit_status_is_for_ci(
    command: Command, tmp_path: Path, factor: float, options: list[str], status: int
) -> None:
    night(tmp_path / "a", 1, noise=0.003)
    night(tmp_path / "b", 2, {"torch": factor}, noise=0.003)
    done = command("compare", "a", "b", *options)
    assert done.status == status
    assert "regressions in 8 cases" in done.out


def test_json_is_all_of_it(command: Command, tmp_path: Path) -> None:
    night(tmp_path / "a", 1, noise=0.003)
    night(tmp_path / "b", 2, {"torch": 1.4}, noise=0.003, versions={"torch": "2.0"})
    done = command("compare", "a", "b", "--json")
    answer: dict[str, Any] = json.loads(done.out)
    assert answer["regressions"] == 4 and len(answer["cases"]) == 8
    assert answer["ratio_of_all"] == pytest.approx(1.4**0.5, rel=0.02)
    case = next(c for c in answer["cases"] if c["framework"] == "torch")
    assert case["verdict"] == "SLOWER"
    assert case["changed"] == ["torch 1.0 -> 2.0"]
    assert {"base", "new", "ratio", "ratio_low", "ratio_high", "p_value"} <= case.keys()


@pytest.mark.parametrize("what", ["processor", "processors"])
def test_two_machines_are_refused_unless_asked(command: Command, tmp_path: Path, what: str) -> None:
    night(tmp_path / "a", 1)
    night(tmp_path / "b", 2, machine=MACHINE | {what: "8"})
    done = command("compare", "a", "b")
    assert done.status == 2 and done.out == ""
    assert f"{what} {MACHINE[what]} -> 8" in done.err and "--across-machines" in done.err
    asked = command("compare", "a", "b", "--across-machines", "--json")
    assert asked.status == 0
    (warning,) = json.loads(asked.out)["warnings"]
    assert warning == f"not the same machine: {what} {MACHINE[what]} -> 8"
    assert warning in asked.err


def test_another_kernel_is_a_warning(command: Command, tmp_path: Path) -> None:
    night(tmp_path / "a", 1)
    night(tmp_path / "b", 2, machine=MACHINE | {"system": "Linux-6.2"})
    done = command("compare", "a", "b")
    assert done.status == 0
    assert "warning: not as it was: system Linux-6.1 -> Linux-6.2" in done.err


def test_nothing_in_common_is_3(command: Command, tmp_path: Path) -> None:
    night(tmp_path / "a", 1, frameworks=("torch",))
    night(tmp_path / "b", 2, frameworks=("jax",))
    assert command("compare", "a", "b").status == 3
