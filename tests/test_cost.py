"""What a step costs beside time: import, build, first call, processor seconds, joules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import cost, machine, store
from bench.store import Run
from tests.conftest import Command

CELL = {"model": "lenet5", "batch": 4, "phase": "train", "device": "cpu", "precision": "fp32",
        "threads": 2}  # fmt: skip
WHO = {"framework": "quick", "mode": "eager", "tuned": True}
PLAN = {
    "contenders": [WHO, WHO | {"framework": "late"}], "models": ["lenet5"], "phases": ["train"],
    "batches": [4], "device": "cpu", "precision": "fp32", "threads": 2,
}  # fmt: skip
BITS = {"input": 23, "convolution": 10, "dense": 23}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One contender in two processes of a block each; 5 steps of 0.2 s in each block, at 30 W."""
    run = Run.create(tmp_path / "r", {"plan": PLAN, "machine": {"energy": "no counters here"}})
    about = WHO | {"model": "lenet5", "batch": 4, "threads": 2}
    for process in (0, 1):
        seconds = {"import_seconds": 1.0 + process, "build_seconds": 0.5}
        run.append("process", **about, process=process, **seconds)
        line = WHO | CELL | {"process": process}
        warm = {"samples": [0.2], "seconds": 0.2, "repeats": 5, "last": 0.2}
        run.append("warmup", **line, first_call=3.0 + process, level=True, **warm)
        watched = {"window": 2.0, "joules": 60.0, "foreign": 0.0}
        figures = {"repeats": 5, "samples": [0.2], "wall": 1.0, "cpu": 1.8, "settle": 0.2}
        run.append("block", **line, round=0, **figures, **watched)
    return run


def row(run: Run) -> dict[str, Any]:
    (found,) = cost.cost(run, store.load(run.folder)).to_dict("records")
    return {str(k): v for k, v in found.items()}


def test_what_is_paid_once_and_for_each_step(run: Run) -> None:
    found = row(run)
    assert (found["import_seconds"], found["build_seconds"], found["first_call"]) == (1.5, 0.5, 3.5)
    assert found["seconds"] == pytest.approx(0.2)
    assert found["cpu_per_step"] == pytest.approx(0.36)
    assert found["joules_per_step"] == pytest.approx(30 * 0.2)  # not of all that was watched


def test_what_was_detected_is_shown_beside_it(run: Run) -> None:
    assert np.isnan(row(run)["mantissa"])
    run.append("process", **WHO, process=-1, mantissa=BITS, reads_host=True)
    found = row(run)
    assert (found["mantissa"], found["reads_host"]) == (10, True)


def test_without_counters_there_is_a_reason_and_no_number(run: Run, command: Command) -> None:
    lines = run.journal.read_text().replace('"joules": 60.0, ', "")
    run.journal.write_text(lines)
    frame = cost.cost(run, store.load(run.folder))
    assert frame["joules_per_step"].isna().all()
    assert cost.reason(run, frame) == "no counters here"
    assert "joules: unavailable: no counters here" in command("cost", str(run.folder)).out


def test_on_a_gpu_it_is_the_driver_that_counts(run: Run) -> None:
    header = run.header()
    run.replace(header | {"plan": header["plan"] | {"device": "cuda"}})
    frame = cost.cost(run, store.load(run.folder))
    assert frame.empty and cost.reason(run, frame).startswith("the driver (NVML)")


def test_the_machine_says_whether_it_counts_joules() -> None:
    assert machine.described()["energy"]


def test_the_command_gives_json(run: Run, command: Command) -> None:
    (found,) = json.loads(command("cost", str(run.folder), "--json").out)
    assert found["framework"] == "quick" and found["joules_per_step"] == pytest.approx(6)
    assert "unavailable" not in command("cost", str(run.folder)).out
