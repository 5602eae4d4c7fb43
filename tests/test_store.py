"""The journal survives a kill at any moment, and its tables are pure functions of it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bench import console, store, summary
from bench.cli import bench
from bench.errors import BenchError
from bench.store import Run, homeless

CELL = {"model": "lenet5", "batch": 4, "phase": "train", "device": "cpu", "precision": "fp32",
        "threads": 2}  # fmt: skip
PLAN = {
    "contenders": [{"framework": f, "mode": "eager"} for f in ("quick", "slow", "broken", "late")],
    "models": ["lenet5"], "phases": ["train"], "batches": [4], "device": "cpu",
    "precision": "fp32", "threads": 2,
}  # fmt: skip
HEADER = {"created": "2026-11-24", "complete": False, "command": "bench run", "plan": PLAN}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "r1", HEADER)


def contender(name: str) -> dict[str, Any]:
    return {"framework": name, "mode": "eager", **CELL}


def block(name: str, process: int, round_: int, samples: list[float]) -> dict[str, Any]:
    """A block as bench/heat.py journals it."""
    return contender(name) | {
        "tuned": True, "process": process, "round": round_, "time": 1.7e9, "load": 0.1,
        "repeats": 2, "settle": 0.2, "samples": samples, "wall": 3.0, "cpu": 6.0,
    }  # fmt: skip


def warmup(name: str, process: int, first: float) -> dict[str, Any]:
    found = {"first_call": first, "level": True, "samples": [0.1, 0.2], "seconds": 0.3}
    return contender(name) | {"tuned": True, "process": process, "repeats": 2} | found


STOP = {"reason": "budget", "processes": 2, "widest": 0.2, "within": 0.1}


def fill(run: Run) -> None:
    """Two contenders measured, one that failed, one that nobody measured yet."""
    with run.writing():
        run.append("process", framework="quick", mode="eager", process=0, versions={"q": "1"})
        run.append("memory", **contender("quick"), peak=2**20, allocator={})
        run.append("memory", **contender("slow"), peak=None, allocator={})
        for process, samples in enumerate([[1.0, 2.0, 3.0], [8.0]]):
            run.append("warmup", **warmup("quick", process, 0.5))
            run.append("warmup", **warmup("slow", process, 0.5 + process))
            run.append("block", **block("quick", process, 0, samples))
            run.append("block", **block("slow", process, 0, [2 * s for s in samples]))
        run.append("block", **block("slow", 1, 1, [16.0]))
        run.append("outcome", **contender("broken"), process=0, status="died", reason="signal 11")
        run.append("verdict", framework="quick", mode="eager", model="lenet5", status="ok")
        run.append("repetition", model="lenet5", batch=4, process=1)
        run.append("stop", model="lenet5", batch=4, **STOP)


OLD = {  # lines of format 1
    "process": {"round": 0, "model": "lenet5", "batch": 4},
    "memory": CELL | {"round": -1, "peak": 2**20, "allocator": {}},
    "block": CELL | {"round": 1, "first_call": 0.5, "level": True, "warmup": [0.1, 0.2],
                     "repeats": 2, "samples": [1.0, 2.0], "wall": 3.0, "cpu": 6.0},
    "outcome": CELL | {"round": 2, "status": "died", "reason": "signal 11"},
}  # fmt: skip


def fill_old(run: Run) -> None:
    with run.writing():
        for kind, entry in OLD.items():
            run.append(kind, framework="quick", mode="eager", **entry)


# -- create and open ------------------------------------------------------------------------------


def test_a_run_keeps_its_header(run: Run) -> None:
    assert Run.open(run.folder).header() == HEADER | {"format": store.FORMAT}
    assert run.entries() == []


def test_a_run_may_be_made_in_an_empty_folder(tmp_path: Path) -> None:
    assert Run.create(tmp_path, HEADER).path.is_file()


def test_a_run_is_not_overwritten(run: Run) -> None:
    with pytest.raises(BenchError, match=f"{run.folder} holds a run already: .*--resume"):
        Run.create(run.folder, {})
    assert run.header()["plan"] == PLAN


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(BenchError, match=f"{tmp_path} is not empty and is no run: .*--out"):
        Run.create(tmp_path, HEADER)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BenchError, match="is no run: choose another --out"):
        Run.create(tmp_path / "file", HEADER)


def test_opening_what_is_no_run_names_the_runs_beside_it(run: Run) -> None:
    with pytest.raises(BenchError, match=rf"r2 is no run: .*Runs beside it: {run.folder}"):
        Run.open(run.folder.parent / "r2")


def test_a_newer_format_is_refused(run: Run) -> None:
    run.replace(HEADER | {"format": store.FORMAT + 1})
    with pytest.raises(BenchError, match=r"run\.json has format 4; this version reads 1, 2, 3"):
        Run.open(run.folder)


@pytest.mark.parametrize("text", ["", '{"format": 1', "[1]", "\x00\x00"])
def test_a_damaged_header_is_named(run: Run, text: str) -> None:
    run.path.write_text(text)
    with pytest.raises(BenchError, match=r"r1/run\.json"):
        Run.open(run.folder)


def test_a_header_is_replaced_whole_or_not_at_all(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BenchError, match="No space left"):
        run.replace({"complete": True})
    assert run.header()["complete"] is False


# -- the journal ----------------------------------------------------------------------------------


def test_entries_come_back_in_order(run: Run) -> None:
    with run.writing():
        run.append("block", samples=[0.1, 1e-9], name="é\u2028")
        run.append("outcome", status="ok", reason="two\nlines")
    assert run.entries() == [
        {"kind": "block", "samples": [0.1, 1e-9], "name": "é\u2028"},
        {"kind": "outcome", "status": "ok", "reason": "two\nlines"},
    ]


def test_an_entry_is_on_the_disk_before_append_returns(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    with run.writing():
        run.append("block", n=1)
        assert synced == [run.journal.stat().st_size]


def test_a_kill_at_any_byte_loses_at_most_the_line_in_flight(run: Run) -> None:
    with run.writing():
        run.append("block", n=1)
        run.append("block", n=2, reason="é{}", samples=[1.5])
    whole = run.journal.read_bytes()
    start = whole.index(b"\n") + 1
    last = {"kind": "block", "n": 2, "reason": "é{}", "samples": [1.5]}
    for size in range(start, len(whole) + 1):
        run.journal.write_bytes(whole[:size])
        before = run.entries()
        assert before[0] == {"kind": "block", "n": 1}
        assert before[1:] == ([last] if size >= len(whole) - 1 else [])
        with Run.open(run.folder).writing() as again:
            again.append("block", n=3)
        assert run.entries() == [*before, {"kind": "block", "n": 3}]


def test_two_writers_are_refused(run: Run) -> None:
    with (
        run.writing(),
        pytest.raises(BenchError, match=f"another run is writing into {run.folder}"),
        Run.open(run.folder).writing(),
    ):
        pass
    with Run.open(run.folder).writing() as free:
        free.append("block", n=1)


def test_a_full_disk_is_said_with_the_folder_and_the_way_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with run.writing(), pytest.raises(BenchError) as caught:
        run.append("block", n=1)
    assert str(caught.value) == (
        f"cannot write into {run.folder}: No space left on device. What was measured is kept: "
        f"mend it, then continue with --resume {run.folder}"
    )


FULL = """
import resource, sys
from pathlib import Path
from bench.errors import BenchError
from bench.store import Run
run = Run(Path(sys.argv[1]))
with run.writing():
    run.append("block", n=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (run.journal.stat().st_size + 10, -1))
    try:
        run.append("block", n=2)
    except BenchError as error:
        print(error)
"""


def test_a_line_that_fits_in_part_is_an_error_and_can_be_continued(run: Run) -> None:
    said = subprocess.check_output([sys.executable, "-c", FULL, run.folder], text=True)
    assert said.startswith(f"cannot write into {run.folder}: ")
    assert f"--resume {run.folder}" in said
    assert run.entries() == [{"kind": "block", "n": 1}]
    with run.writing():
        run.append("block", n=3)
    assert [entry["n"] for entry in run.entries()] == [1, 3]


# -- tables ---------------------------------------------------------------------------------------


def test_an_empty_journal_gives_empty_tables(run: Run) -> None:
    tables = store.load(run.folder)
    assert list(tables.samples.columns) == store.SAMPLES
    assert {len(frame) for frame in vars(tables).values()} == {0}


def test_every_sample_is_a_row_with_its_contender_and_cell(run: Run) -> None:
    fill(run)
    samples = store.load(run.folder).samples
    assert list(samples.columns) == store.SAMPLES
    assert len(samples) == 9
    assert samples.iloc[2].to_dict() == contender("quick") | {
        "tuned": True, "run": "r1", "process": 0, "round": 0, "sample": 2, "repeats": 2,
        "seconds": 3.0, "marked": False,
    }  # fmt: skip


def test_samples_are_numbered_in_their_block(run: Run) -> None:
    fill(run)
    samples = store.load(run.folder).samples
    kept = [(s["framework"], s["process"], s["round"], s["sample"], s["seconds"])
            for s in samples.to_dict("records")]  # fmt: skip
    assert kept == [
        (entry["framework"], entry["process"], entry["round"], index, seconds)
        for entry in run.entries()
        if entry["kind"] == "block"
        for index, seconds in enumerate(entry["samples"])
    ]


def test_the_other_tables_have_a_row_for_each_entry(run: Run) -> None:
    fill(run)
    tables = store.load(run.folder)
    counts = {name: len(frame) for name, frame in vars(tables).items()}
    assert counts == {
        "samples": 9, "blocks": 5, "warmups": 4, "memory": 2, "processes": 1, "outcomes": 1,
        "verdicts": 1, "stops": 1, "largest": 0, "training": 0,
    }  # fmt: skip
    first, warm = tables.blocks.iloc[0], tables.warmups.iloc[0]
    assert (first["samples"], first["settle"], first["cpu_per_step"]) == (3, 0.2, 1.0)
    assert (warm["first_call"], warm["samples"], warm["seconds"]) == (0.5, 2, 0.3)


def test_lines_of_format_1_become_those_of_this(run: Run) -> None:
    """They have one block of a process, which was called a round, with its warm-up inside."""
    fill_old(run)
    tables = store.load(run.folder)
    sample, warm = tables.samples.iloc[1], tables.warmups.iloc[0]
    assert (sample["process"], sample["round"], sample["seconds"]) == (1, 0, 2.0)
    assert (warm["process"], warm["first_call"], warm["samples"]) == (1, 0.5, 2)
    assert warm["seconds"] == pytest.approx(0.3)
    assert tables.processes.iloc[0]["process"] == 0
    assert tables.outcomes.iloc[0]["process"] == 2
    assert tables.samples["tuned"].all() and tables.memory["tuned"].all()


def test_several_runs_are_told_apart(run: Run) -> None:
    fill(run)
    other = Run.create(run.folder.parent / "r2", HEADER)
    fill(other)
    samples = store.load(run.folder, other.folder).samples
    assert samples["run"].value_counts().to_dict() == {"r1": 9, "r2": 9}


# -- the summary ----------------------------------------------------------------------------------


@pytest.fixture
def rows(run: Run) -> dict[str, dict[str, Any]]:
    """The summary's rows by framework."""
    fill(run)
    frame = summary.summarise(run, store.load(run.folder))
    assert list(frame.columns) == summary.COLUMNS
    return {row["framework"]: dict(row) for row in frame.to_dict("records")}


def test_every_planned_case_has_a_row_in_the_plans_order(rows: dict[str, dict[str, Any]]) -> None:
    statuses = {name: row["status"] for name, row in rows.items()}
    assert list(statuses.items()) == [
        ("quick", "ok"), ("slow", "ok"), ("broken", "died"), ("late", "missing"),
    ]  # fmt: skip


def test_the_summary_has_medians_over_processes(rows: dict[str, dict[str, Any]]) -> None:
    quick, slow = rows["quick"], rows["slow"]
    assert quick["median"] == pytest.approx(4)  # of 2 and 8, by factors
    assert slow["median"] == pytest.approx(8)
    assert quick["low"] <= 4 <= quick["high"]
    assert quick["images_per_second"] == pytest.approx(1)
    assert (quick["samples"], quick["blocks"], quick["processes"]) == (4, 2, 2)
    assert (slow["samples"], slow["blocks"], slow["processes"]) == (5, 3, 2)
    assert (quick["peak_memory"], slow["first_call"]) == (2**20, 1.0)
    assert pd.isna(slow["peak_memory"])


def test_one_process_has_no_interval(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with run.writing():
        for name, samples in (("quick", [1.0, 2.0]), ("slow", [3.0, 6.0])):
            run.append("warmup", **warmup(name, 0, 0.5))
            run.append("block", **block(name, 0, 0, samples))
    frame = summary.summarise(run, store.load(run.folder)).set_index("framework")
    assert frame.loc["slow", "ratio"] == pytest.approx(3)
    assert frame.loc[["quick", "slow"], ["low", "high"]].isna().all(axis=None)
    assert frame.loc["slow", ["ratio_low", "ratio_high"]].isna().all()
    assert frame.loc["slow", "verdict"] == "UNDECIDED"
    console.summary(frame.reset_index())
    assert "UNDECIDED" in capsys.readouterr().out


def test_why_there_are_no_more_processes(run: Run) -> None:
    fill(run)
    (said,) = summary.stops(store.load(run.folder))
    assert said == (
        "lenet5, batch 4: 2 processes, every ratio within 20.0% (10.0% was asked); "
        "the budget holds no more"
    )


def test_one_process_is_one_process(run: Run) -> None:
    with run.writing():
        run.append("stop", model="lenet5", batch=4, **STOP | {"processes": 1})
    (said,) = summary.stops(store.load(run.folder))
    assert said.startswith("lenet5, batch 4: 1 process, every")


def test_memory_of_older_runs_has_its_peak_and_no_baseline(rows: dict[str, dict[str, Any]]) -> None:
    quick = rows["quick"]  # fill() writes lines as format 2 had them
    assert (quick["peak_memory"], quick["marks"]) == (2**20, "")
    assert pd.isna(quick["above_baseline"]) and pd.isna(quick["times_least"])


def test_the_fastest_is_1_and_the_others_are_so_many_times(
    rows: dict[str, dict[str, Any]],
) -> None:
    assert rows["quick"]["ratio"] == 1
    assert rows["slow"]["ratio"] == pytest.approx(2)
    assert rows["slow"]["ratio_low"] == pytest.approx(rows["slow"]["ratio_high"])  # in each round
    assert rows["slow"]["verdict"] == "SLOWER"


def test_a_failure_has_its_reason_and_no_number(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["broken"]["reason"] == "signal 11"
    assert rows["late"]["reason"] == "not measured yet"
    for name in ("broken", "late"):
        assert all(np.isnan(rows[name][k]) for k in ("median", "ratio", "images_per_second"))


def test_the_summary_of_an_empty_journal_misses_everything(run: Run) -> None:
    frame = summary.summarise(run, store.load(run.folder))
    assert frame["status"].tolist() == ["missing"] * 4


# -- export ---------------------------------------------------------------------------------------

READERS: dict[str, Any] = {"csv": pd.read_csv, "parquet": pd.read_parquet}


@pytest.mark.parametrize("kind", READERS)
def test_exported_tables_can_be_read_back(run: Run, kind: str) -> None:
    fill(run)
    done = CliRunner().invoke(
        bench, ["export", str(run.folder), "--format", kind], catch_exceptions=False
    )
    assert done.exit_code == 0
    tables = store.load(run.folder)
    names = {*vars(tables), "summary"}
    assert {Path(line).stem for line in done.stdout.split()} == names
    frames = {n: READERS[kind](run.folder / "export" / f"{n}.{kind}") for n in names}
    assert frames["samples"]["seconds"].tolist() == tables.samples["seconds"].tolist()
    assert list(frames["samples"].columns) == store.SAMPLES
    assert frames["summary"]["status"].tolist() == ["ok", "ok", "died", "missing"]
    assert json.loads(frames["processes"]["versions"][0]) == {"q": "1"}


@pytest.mark.parametrize("kind", READERS)
def test_an_empty_run_can_be_exported(run: Run, tmp_path: Path, kind: str) -> None:
    arguments = ["export", str(run.folder), "--format", kind, "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(bench, arguments, catch_exceptions=False).exit_code == 0
    assert READERS[kind](tmp_path / "out" / f"samples.{kind}").empty
    assert len(READERS[kind](tmp_path / "out" / f"summary.{kind}")) == 4


def test_what_is_published_does_not_name_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "somebody"
    monkeypatch.setenv("HOME", str(home))
    run = Run.create(tmp_path / "run", HEADER)
    run.append("outcome", reason=f"no room in {home}/.cache, see {home}else/log")
    (entry,) = run.entries()
    assert entry["reason"] == f"no room in ~/.cache, see {home}else/log"
    monkeypatch.setenv("HOME", "/")
    assert homeless("/x/log") == "/x/log"
