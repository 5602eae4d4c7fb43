"""A run from its plan to its journal, killed and resumed, with frameworks that fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import store, summary
from bench.cases import Contender, Plan
from bench.graph import Graph, Tensor, build
from bench.parity import Verdict
from bench.race import Race
from tests.conftest import fakes

TOY, CRASH = Contender("toy", "plain"), Contender("crash", "plain")


def small(x: Tensor) -> Tensor:
    return x.conv(4, 3).relu().global_avgpool().dense(5)


GRAPHS: dict[str, Graph] = {name: build(small, name, (3, 9, 8)) for name in ("one", "two")}
PLAN = Plan(
    contenders=(TOY, Contender("toy", "other")), models=("one", "two"),
    phases=("inference", "train"), batches=(2,), device="cpu", precision="fp32", threads=1,
    profile="smoke", budget=0.8, rounds=2, seed=3,
)  # fmt: skip


def begin(folder: Path, plan: Plan = PLAN) -> Race:
    run = store.Run.create(folder, {"plan": plan.to_json()})
    return racing(run, plan)


def racing(run: store.Run, plan: Plan = PLAN) -> Race:
    race = Race(run, plan, GRAPHS, fakes(*plan.contenders))
    race.recall(run.entries())
    return race


def finish(race: Race) -> None:
    list(race.go(race.turns()))


def samples(folder: Path) -> list[tuple[Any, ...]]:
    return list(store.load(folder).samples.drop(columns="run").itertuples(index=False, name=None))


def test_every_case_of_the_plan_gets_samples_memory_and_a_row(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    finish(race)
    frame = summary.summarise(race.run, store.load(tmp_path / "run"))
    assert len(frame) == 8 and set(frame["status"]) == {"ok"}
    assert (frame["processes"] == 2).all() and (frame["samples"] >= 2).all()
    assert (frame["low"] <= frame["median"]).all() and (frame["median"] <= frame["high"]).all()
    assert (frame["peak_memory"] > 1e6).all() and (frame["marks"] == "").all()
    assert (frame["above_baseline"].abs() < 2**20).all()  # less than can be told
    memory = store.load(tmp_path / "run").processes.query("round == -1")
    assert len(memory) == memory["pid"].nunique() == 8  # a process for each phase
    assert (frame.groupby("phase")["ratio"].min() == 1).all()


def test_a_killed_run_is_completed_and_loses_no_sample(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    for index, _ in enumerate(race.go(race.turns())):
        if index == 5:
            break  # killed here
    before = samples(tmp_path / "run")
    journal = tmp_path / "run" / store.JOURNAL
    journal.write_bytes(journal.read_bytes() + b'{"kind": "block", "framew')  # in flight
    again = racing(store.Run.open(tmp_path / "run"))
    assert 0 < len(again.turns()) < len(begin(tmp_path / "whole").turns())
    with again.run.writing():
        finish(again)
    after = samples(tmp_path / "run")
    assert before and after[: len(before)] == before
    assert racing(store.Run.open(tmp_path / "run")).turns() == []
    frame = summary.summarise(again.run, store.load(tmp_path / "run"))
    assert set(frame["status"]) == {"ok"} and (frame["processes"] == 2).all()


def test_a_phase_cut_off_in_the_middle_of_a_turn_is_the_only_one_repeated(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    finish(race)
    journal = tmp_path / "run" / store.JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]))
    again = racing(store.Run.open(tmp_path / "run"))
    (turn,) = again.turns()
    assert [cell.phase for cell in again.left(turn)] == [json.loads(lines[-1])["phase"]]


def test_one_failing_framework_stops_nobody_and_says_why(tmp_path: Path) -> None:
    refuses = Contender("refuses", "plain")
    race = begin(tmp_path / "run", replace(PLAN, contenders=(TOY, CRASH, refuses), rounds=1))
    finish(race)
    frame = summary.summarise(race.run, store.load(tmp_path / "run")).set_index("framework")
    assert set(frame.loc["toy", "status"]) == {"ok"}
    assert set(frame.loc["crash", "status"]) == {"died"}
    assert set(frame.loc["refuses", "status"]) == {"unsupported"}
    assert frame.loc["refuses", "reason"].str.contains("no convolution").all()


def test_no_parity_no_number(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    bad = Verdict("toy", "plain", True, "one", "training", "wrong", "conv1/weight is off by 2")
    race.refuse([bad])
    finish(race)
    frame = summary.summarise(race.run, store.load(tmp_path / "run"))
    refused = frame[frame["status"] == "wrong"]
    assert refused[["framework", "mode", "model", "phase"]].to_numpy().tolist() == [
        ["toy", "plain", "one", "train"]
    ]
    assert refused["reason"].item() == "conv1/weight is off by 2"
    assert refused["median"].isna().all()


def test_a_share_is_kept_and_a_slow_contender_still_has_a_sample(tmp_path: Path) -> None:
    race = begin(tmp_path / "run", replace(PLAN, budget=1e-6, rounds=1))
    finish(race)
    blocks = store.load(tmp_path / "run").blocks
    assert (blocks["samples"] == 1).all() and (blocks["warmup_steps"] <= 1).all()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    race = begin(tmp_path / "run")
    with (
        race.run.writing(),
        pytest.raises(store.BenchError, match="another run is writing"),
        store.Run.open(tmp_path / "run").writing(),
    ):
        pass
