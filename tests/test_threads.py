"""A contender that uses more threads than it was allowed is named; what more threads bring."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench import envs, machine, store, summary, threads
from bench.cases import Contender, Plan
from bench.errors import BenchError
from bench.progress import Progress
from bench.race import Race
from bench.session import counts
from bench.store import Run, Tables
from tests.conftest import Command, fakes, go
from tests.plans import GRAPHS, PLAN
from tests.test_cli import unavailable

pytestmark = pytest.mark.alone
two = pytest.mark.skipif(machine.processors() < 2, reason="needs two processors")


def raced(folder: Path, plan: Plan) -> tuple[Run, Tables]:
    run = Run.create(folder / "run", {"plan": plan.to_json()})
    entrants = fakes(*plan.contenders)
    list(go(*(Race(run, part, GRAPHS, entrants) for part in plan.by_threads())))
    return run, store.load(run.folder)


# -- no more than allowed --------------------------------------------------------------------------

BLOCK = {"threads": 1, "cpu": 0.1, "wall": 0.1, "used": 1.0, "window": 0.11}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"cpu": 0.104}, ""),
        ({"cpu": 0.2}, "uses 2.0 processors, 1 was allowed"),
        ({"used": 2.0}, "uses 2.0 processors, 1 was allowed"),  # children, of which it says nothing
        ({"strayed": 0.08}, "uses processors that it was not given, 1 was allowed"),
        ({"strayed": 0.001}, ""),
        ({"cpu": 0.35, "threads": 3}, "uses 3.5 processors, 3 were allowed"),
        ({"cpu": 0.2, "threads": 2}, ""),
        ({"cpu": 0.002, "wall": 0.001, "used": 2.0, "window": 0.002}, ""),  # too short to tell
    ],
)
def test_processor_time_against_wall_time(changes: dict[str, Any], words: str) -> None:
    assert threads.excess(BLOCK | changes) == words


def test_a_block_that_nobody_watched_has_the_workers_own_word() -> None:
    assert threads.excess({"threads": 1, "cpu": 0.3, "wall": 0.1}).startswith("uses 3.0 ")


@two
@pytest.mark.parametrize("mode", ["threads", "process"])
def test_one_that_frees_itself_of_its_processors_is_named(tmp_path: Path, mode: str) -> None:
    guilty, honest = Contender("crowd", mode), Contender("crowd", "honest")
    run, tables = raced(tmp_path, replace(PLAN, contenders=(guilty, honest), processes=2, budget=3))
    rows = summary.summarise(run, tables).set_index("mode")
    assert rows["status"].to_dict() == {mode: "wrong", "honest": "ok"}
    assert rows.loc[mode, "reason"].startswith("uses ")
    assert rows.isna().loc[mode, "median"] and rows.loc["honest", "ratio"] == 1
    assert mode in set(tables.samples["mode"])  # nothing measured is lost


# -- scaling ---------------------------------------------------------------------------------------


def journal(folder: Path, times: dict[int, list[float]], more: Any = (2,)) -> Path:
    """A run of one contender with a block a process for each number of threads."""
    plan = replace(PLAN, contenders=(Contender("toy", "plain"),), more_threads=more)
    run = Run.create(folder / "run", {"plan": plan.to_json()})
    for count, processes in times.items():
        cell = {"model": "one", "batch": 2, "phase": "inference", "device": "cpu",
                "precision": "fp32", "threads": count}  # fmt: skip
        for number, seconds in enumerate(processes):
            cost = {"wall": 1.0, "cpu": 0.9 * count, "used": 0.9 * count, "window": 1.0}
            line = cell | {"process": number, "round": 0, "repeats": 1, "settle": None} | cost
            who = {"framework": "toy", "mode": "plain", "tuned": True}
            run.append("block", **who, **line, samples=[seconds])
    return run.folder


def test_speed_up_and_efficiency_have_intervals(tmp_path: Path) -> None:
    folder = journal(tmp_path, {1: [1.0, 1.1, 0.9, 1.0], 2: [0.6, 0.7, 0.65, 0.6]})
    one, both = threads.scaling(store.load(folder)).to_dict("records")
    assert (one["threads"], one["speedup"], one["efficiency"]) == (1, 1, 1)
    assert both["speedup"] == pytest.approx(one["median"] / both["median"])
    assert both["efficiency"] == both["speedup"] / 2
    assert 1 < both["speedup_low"] < both["speedup"] < both["speedup_high"] < 2
    assert both["processors"] == pytest.approx(1.8)


def test_rounds_of_different_processes_are_not_paired(tmp_path: Path) -> None:
    """Pairing would make the interval of these vanish."""
    folder = journal(tmp_path, {1: [1.0, 2.0, 4.0], 2: [0.5, 1.0, 2.0]})
    both = threads.scaling(store.load(folder)).to_dict("records")[1]
    assert both["speedup"] == pytest.approx(2)
    assert both["speedup_low"] < 1 and both["speedup_high"] > 4


def test_one_number_of_threads_has_no_scaling(tmp_path: Path, command: Command) -> None:
    folder = journal(tmp_path, {1: [1.0]}, more=())
    assert threads.scaling(store.load(folder)).empty
    done = command("scaling", str(folder))
    assert done.status == 2 and "has one number of threads" in done.err


def test_the_command_shows_the_table(tmp_path: Path, command: Command) -> None:
    folder = str(journal(tmp_path, {1: [1.0, 1.1], 2: [0.5, 0.6]}))
    rows = json.loads(command("scaling", folder, "--json").out)
    assert [row["threads"] for row in rows] == [1, 2]
    assert "Scaling over threads" in command("scaling", folder).out


@two
def test_one_run_measures_several_numbers_in_turns(tmp_path: Path) -> None:
    toy = Contender("toy", "plain")
    plan = replace(PLAN, contenders=(toy,), more_threads=(2,), processes=2, budget=2.0)
    run, tables = raced(tmp_path, plan)
    assert summary.summarise(run, tables)["threads"].tolist() == [1, 2]
    repetitions = [e["threads"] for e in run.entries() if e["kind"] == "repetition"]
    assert repetitions[:4] == [1, 2, 1, 2]
    assert len(threads.scaling(tables)) == 2
    assert tables.blocks[["window", "used", "foreign"]].notna().all(axis=None)
    assert [line for line in summary.stops(tables) if "2 threads" in line]
    one, both = (Race(run, part, GRAPHS, fakes(toy)) for part in plan.by_threads())
    for race in (one, both):
        race.recall(entry for entry in run.entries() if entry.get("threads") == 1)
    assert one.steps() == 0 and both.steps() > 0


def test_threads_that_the_machine_does_not_have_are_refused() -> None:
    assert counts(None) == (machine.processors(),)
    assert counts("1") == (1,)
    with pytest.raises(BenchError, match=r"--threads 4096: this process may use \d+ processors"):
        counts("1,4096")


def test_who_was_found_wrong_is_nobodys_measure() -> None:
    toy, other = Contender("toy", "plain"), Contender("toy", "other")
    progress = Progress(replace(PLAN, contenders=(toy, other)))
    (cell,) = progress.plan.cells("one", 2)
    for who, seconds in ((toy, 0.1), (other, 1.0)):
        line = asdict(who) | asdict(cell) | {"process": 0, "round": 0, "samples": [seconds]}
        progress.learn(line | {"kind": "block", "wall": 1.0, "settle": None, "repeats": 1})
    assert progress.fastest(cell) == toy
    progress.learn(asdict(toy) | asdict(cell) | {"kind": "outcome", "status": "wrong"})
    assert progress.fastest(cell) == other


@two
def test_the_command_plans_each_number(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envs, "ensure_all", unavailable)
    options = ["--profile", "smoke", "--framework", "torch", "--device", "cpu", "--out", "r"]
    rows = json.loads(command("run", "--threads", "1,2", "--json", *options).out)
    assert [(row["phase"], row["threads"], row["status"]) for row in rows] == [
        (phase, count, "unavailable") for phase in ("inference", "train") for count in (1, 2)
    ]
