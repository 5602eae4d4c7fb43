"""A run from its plan to its journal, killed and resumed, with frameworks that fail."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from bench import schedule, store, summary, suspicion
from bench.cases import Contender, Plan
from bench.graph import Graph, Tensor, build
from bench.parity import Verdict
from bench.race import WEIGHING, Race, stages
from tests.conftest import fakes, go

pytestmark = pytest.mark.alone
TOY, CRASH = Contender("toy", "plain"), Contender("crash", "plain")


def small(x: Tensor) -> Tensor:
    return x.conv(4, 3).relu().global_avgpool().dense(5)


GRAPHS: dict[str, Graph] = {name: build(small, name, (3, 9, 8)) for name in ("one", "two")}
PLAN = Plan(
    contenders=(TOY, Contender("toy", "other")), models=("one", "two"),
    phases=("inference", "train"), batches=(2,), device="cpu", precision="fp32", threads=1,
    profile="smoke", budget=0.8, processes=2, within=0.1, seed=3,
)  # fmt: skip


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is not about how exact a block is."""
    monkeypatch.setattr(schedule, "BLOCK", 0.02)


def begin(folder: Path, plan: Plan = PLAN) -> Race:
    run = store.Run.create(folder, {"plan": plan.to_json()})
    return racing(run, plan)


def racing(run: store.Run, plan: Plan = PLAN) -> Race:
    race = Race(run, plan, GRAPHS, fakes(*plan.contenders))
    race.recall(run.entries())
    return race


def finish(race: Race) -> None:
    list(go(race))


def finish_in_three_rounds(race: Race) -> None:
    """Each process takes so many, however long a share of the time is here."""
    race.progress.wanted = lambda *_: 3  # type: ignore[method-assign]
    finish(race)


def summarised(race: Race) -> pd.DataFrame:
    return summary.summarise(race.run, store.load(race.run.folder))


def samples(folder: Path) -> list[tuple[Any, ...]]:
    return list(store.load(folder).samples.drop(columns="run").itertuples(index=False, name=None))


def test_every_case_of_the_plan_gets_samples_memory_and_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspicion, "CHANCE", 0.0)  # a machine that has two speeds is no matter here
    race = begin(tmp_path / "run")
    finish(race)
    frame = summarised(race)
    assert len(frame) == 8 and set(frame["status"]) == {"ok"}
    assert (frame["processes"] == 2).all() and (frame["samples"] >= 2).all()
    assert (frame["low"] <= frame["median"]).all() and (frame["median"] <= frame["high"]).all()
    assert (frame["peak_memory"] > 1e6).all() and (frame["marks"] == "").all()
    assert (frame["above_baseline"].abs() < 2**20).all()  # less than can be told
    memory = store.load(tmp_path / "run").processes.query("process == -1")
    assert len(memory) == memory["pid"].nunique() == 8  # a process for each phase
    bases = frame[frame["ratio"] == 1]  # of copies the other's may well be below, paired by round
    assert not bases.duplicated(["model", "phase"]).any() and len(bases) == 4


def test_contenders_alternate_in_blocks(tmp_path: Path) -> None:
    race = begin(tmp_path / "run", replace(PLAN, models=("one",), budget=4.0))
    finish_in_three_rounds(race)
    blocks = store.load(tmp_path / "run").blocks
    for _, heat in blocks.groupby(["process", "phase"]):
        assert len(heat) >= 6
        assert heat["round"].tolist() == [n // 2 for n in range(len(heat))]
        firsts = heat["mode"].tolist()[::2]
        assert all(len(set(pair)) == 2 for pair in zip(firsts, heat["mode"][1::2], strict=True))
    assert blocks["mode"].iloc[::2].nunique() == 2  # not always the same one first


def test_the_pace_of_the_processors_is_taken_while_every_worker_stands(tmp_path: Path) -> None:
    """Else a worker whose threads spin would slow them down, and the machine be blamed for it."""
    seen: set[str] = set()

    def taken(cpus: list[int]) -> list[float]:
        seen.update(child.status() for child in psutil.Process().children())
        return [1e-4 for _ in cpus]

    race = begin(tmp_path / "run", replace(PLAN, models=("one",), processes=1))
    race.pace.reads = taken
    finish(race)
    assert seen == {psutil.STATUS_STOPPED}
    assert (store.load(tmp_path / "run").blocks["slowed"] == 1).all()


def test_the_processes_of_a_heat_run_side_by_side(tmp_path: Path) -> None:
    """One process for all blocks of a contender, warm all along; another in the next heat."""
    race = begin(tmp_path / "run", replace(PLAN, models=("one",)))
    finish(race)
    processes = store.load(tmp_path / "run").processes.query("process >= 0")
    assert processes.groupby(["process", "mode"])["pid"].nunique().eq(1).all()
    assert processes["pid"].nunique() == len(processes) == 4


def until(folder: Path, within: float) -> tuple[Race, dict[str, Any]]:
    """A race of three rounds a process on one network, and why it stopped."""
    plan = replace(PLAN, models=("one",), processes=3, within=within, budget=4.0)
    race = begin(folder, plan)
    finish_in_three_rounds(race)
    (stop,) = store.load(folder).stops.to_dict("records")
    return race, stop


def test_it_stops_when_it_is_precise_and_says_so(tmp_path: Path) -> None:
    _, stop = until(tmp_path / "run", within=1e9)
    assert (stop["reason"], stop["processes"]) == ("precise", 3)
    assert stop["widest"] <= stop["within"]


def test_else_it_goes_on_until_the_budget_is_spent(tmp_path: Path) -> None:
    race, stop = until(tmp_path / "run", within=1e-9)
    assert stop["reason"] == "budget" and stop["processes"] > 3 and stop["widest"] > 1e-9
    assert race.progress.spent() <= race.plan.budget


def test_weighing_takes_its_share_of_a_time_limit_and_goes_on_after_the_races(
    tmp_path: Path,
) -> None:
    race = begin(tmp_path / "run")
    now = chain([0.0], repeat(99 * WEIGHING + 1))  # late from the first step on
    order = [(s.title, [what for what, _ in s.told]) for s in stages([race], 99, lambda: next(now))]
    assert [title for title, _ in order] == ["memory", "measuring", "memory"]
    first, _, rest = [[what.split()[0] for what in said] for _, said in order]
    assert first in (["one"] * 2, ["two"] * 2)  # one network: everybody's honesty must be known
    assert sorted(first + rest) == ["one", "one", "two", "two"] and race.done()


def test_nothing_is_begun_after_a_time_limit_and_resuming_completes_it(tmp_path: Path) -> None:
    race = begin(tmp_path / "run", replace(PLAN, within=1e-9))  # else two may agree by chance
    calls = count()
    for stage in stages([race], 12, lambda: next(calls)):  # a second for each look at the clock
        list(stage.told)
    before = samples(tmp_path / "run")
    assert before and not race.done()
    assert "unsettled" in {stop["reason"] for stop in race.progress.stopped.values()}
    again = racing(store.Run.open(tmp_path / "run"), race.plan)
    finish(again)
    assert again.done() and samples(tmp_path / "run")[: len(before)] == before
    assert {stop["reason"] for stop in again.progress.stopped.values()} == {"budget"}


def test_what_was_not_weighed_is_guessed_from_what_was(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    race.weighed[TOY, ("one", 2)] = {"inference": 5.0, "train": 7.0}
    assert race.size(TOY, ("one", 2)) == race.size(TOY, ("two", 2)) == 7.0
    race.graphs = GRAPHS | {"two": build(small, "two", (3, 90, 80))}
    assert race.size(TOY, ("two", 2)) > 70.0
    assert race.size(Contender("toy", "other"), ("one", 2)) == 0.0


def test_a_killed_run_is_completed_and_loses_no_sample(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    for index, _ in enumerate(go(race)):
        if index == 14:
            break  # killed here: all is weighed, one network has had a process of everyone
    before = samples(tmp_path / "run")
    journal = tmp_path / "run" / store.JOURNAL
    journal.write_bytes(journal.read_bytes() + b'{"kind": "block", "framew')  # in flight
    again = racing(store.Run.open(tmp_path / "run"))
    assert again.unweighed() == [] and 0 < again.steps() < begin(tmp_path / "whole").steps()
    with again.run.writing():
        finish(again)
    after = samples(tmp_path / "run")
    assert before and after[: len(before)] == before
    frame = summarised(again)
    assert set(frame["status"]) == {"ok"} and (frame["processes"] >= 2).all()
    done = racing(store.Run.open(tmp_path / "run"))
    assert done.steps() == 0 and list(go(done)) == []


def test_a_heat_cut_off_keeps_its_number_and_its_samples(tmp_path: Path) -> None:
    race = begin(tmp_path / "run", replace(PLAN, models=("one",)))
    for what, _ in go(race):
        if what.endswith("inference"):
            break
    again = racing(store.Run.open(tmp_path / "run"), race.plan)
    finish(again)
    blocks = store.load(tmp_path / "run").blocks
    assert sorted(blocks["process"].unique()) == [0, 1, 2]
    assert set(blocks.query("process == 0")["phase"]) == {"inference"}


def test_one_failing_framework_stops_nobody_and_says_why(tmp_path: Path) -> None:
    refuses = Contender("refuses", "plain")
    race = begin(tmp_path / "run", replace(PLAN, contenders=(TOY, CRASH, refuses), processes=1))
    finish(race)
    frame = summarised(race).set_index("framework")
    assert set(frame.loc["toy", "status"]) == {"ok"}
    assert set(frame.loc["crash", "status"]) == {"died"}
    assert set(frame.loc["refuses", "status"]) == {"unsupported"}
    assert frame.loc["refuses", "reason"].str.contains("no convolution").all()


def test_one_that_dies_in_its_block_leaves_the_others_racing(tmp_path: Path) -> None:
    dies = Contender("mortal", "plain")
    race = begin(tmp_path / "run", replace(PLAN, contenders=(TOY, dies), models=("one",), budget=2))
    finish(race)
    frame = summarised(race).set_index(["framework", "phase"])
    assert set(frame.loc["toy", "status"]) == {"ok"}
    assert (frame.loc["toy", "processes"] == 2).all()
    outcomes = store.load(tmp_path / "run").outcomes
    assert set(outcomes["framework"]) == {"mortal"}
    assert outcomes["reason"].str.contains("SIGKILL").all()


def test_no_parity_no_number(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    bad = Verdict("toy", "plain", True, "one", "training", "wrong", "conv1/weight is off by 2")
    race.refuse([bad])
    finish(race)
    frame = summarised(race)
    refused = frame[frame["status"] == "wrong"]
    assert refused[["framework", "mode", "model", "phase"]].to_numpy().tolist() == [
        ["toy", "plain", "one", "train"]
    ]
    assert refused["reason"].item() == "conv1/weight is off by 2"
    assert refused["median"].isna().all()


def test_a_share_is_kept_and_a_slow_contender_still_has_a_sample(tmp_path: Path) -> None:
    race = begin(tmp_path / "run", replace(PLAN, budget=1e-6, processes=1))
    finish(race)
    tables = store.load(tmp_path / "run")
    assert (tables.blocks.groupby(["model", "phase", "mode"]).size() == 1).all()
    assert (tables.warmups["samples"] <= 1).all()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    with (
        race.run.writing(),
        pytest.raises(store.BenchError, match="another run is writing"),
        store.Run.open(tmp_path / "run").writing(),
    ):
        pass
