"""A run of many samples, made up once for all benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.store import FORMAT, JOURNAL, RUN, Run

FRAMEWORKS = 11
MODELS = ("lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "mobilenet_v2")
PHASES = ("inference", "forward", "train", "step")
BATCHES = (1, 8)
SETTING = {"device": "cpu", "precision": "fp32", "threads": 2}
PROCESSES, ROUNDS = 5, 6


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--samples", type=int, default=1_000_000, help="of the run that is made up")


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Run:
    """As many samples as were asked for, in blocks as a race has them."""
    return write(tmp_path_factory.mktemp("runs") / "many", request.config.getoption("--samples"))


def write(folder: Path, samples: int) -> Run:
    """A run of all cases, with its samples spread over the blocks evenly."""
    folder.mkdir()
    (folder / RUN).write_text(json.dumps(header()))
    found = cases()
    size = max(1, -(-samples // (len(found) * PROCESSES * ROUNDS)))  # rounded up
    random = np.random.default_rng(0)
    with (folder / JOURNAL).open("w") as file:
        for process in range(PROCESSES):
            for case in found:
                for line in lines(random, case, process, size):
                    file.write(json.dumps(line) + "\n")
    return Run.open(folder)


def contenders() -> list[dict[str, Any]]:
    names = (f"framework{number:02}" for number in range(FRAMEWORKS))
    return [{"framework": name, "mode": "eager", "tuned": True} for name in names]


def header() -> dict[str, Any]:
    plan = {"contenders": contenders(), "models": MODELS, "phases": PHASES, "batches": BATCHES}
    known = {f"{c['framework']} eager": c | {"version": "1.0"} for c in contenders()}
    return {
        "format": FORMAT, "created": "2026-11-25T01:00:00+00:00", "complete": True,
        "command": "bench run", "machine": {"processor": "Imaginary CPU", "processors": 2},
        "plan": plan | SETTING, "contenders": known,
    }  # fmt: skip


def cases() -> list[dict[str, Any]]:
    return [
        contender | {"model": model, "batch": batch, "phase": phase, **SETTING}
        for model in MODELS
        for batch in BATCHES
        for phase in PHASES
        for contender in contenders()
    ]


def lines(
    random: np.random.Generator, case: dict[str, Any], process: int, size: int
) -> list[dict[str, Any]]:
    """One process of a case: memory once, its warm-up, and a block for each round."""
    memory = {"kind": "memory", **case, "peak": 2**28, "allocator": {}}
    warm = {"first_call": 0.5, "level": True, "seconds": 0.3, "samples": [0.5, 0.005]}
    found = [memory] if process == 0 else []
    found.append({"kind": "warmup", **case, "process": process, "repeats": 2, **warm})
    about = {"time": 1.7e9, "load": 0.1, "repeats": 2, "settle": None, "wall": 0.1, "cpu": 0.2}
    for round_ in range(ROUNDS):
        samples = (0.005 * np.exp(0.05 * random.standard_normal(size))).tolist()
        block = {"kind": "block", **case, "process": process, "round": round_}
        found.append(block | about | {"samples": samples})
    return found
