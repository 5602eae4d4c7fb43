"""Known allocations are measured right, in a process of their own; what grows is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import gate, memory, parity, weighing, weights
from bench.cases import Cell
from bench.graph import Graph, Tensor, build
from tests.conftest import fake


def small(x: Tensor) -> Tensor:
    return x.conv(4, 3).relu().global_avgpool().dense(5)


GRAPH: Graph = build(small, "small", (3, 9, 8))
BATCH = 2
HELD, TAKEN = 40 << 20, 24 << 20  # of tests/adapters/hungry.py
KNOWN = HELD + BATCH * TAKEN


def line(folder: Path, mode: str, phase: str = "train") -> dict[str, Any]:
    """The line of the journal for a fake in that mode."""
    files = parity.save(folder, GRAPH, weights.weights(GRAPH), *weights.batch(GRAPH, BATCH))
    cell = Cell("small", BATCH, phase, "cpu", "fp32", 1)
    start = lambda: gate.start(fake("hungry", mode=mode), "cpu", "fp32", 1, folder / "logs")
    found = memory.weigh(start, GRAPH, cell, files)
    return vars(cell) | found.memory | {"framework": "hungry", "round": -1}


def row(folder: Path, mode: str, phase: str = "train") -> dict[str, Any]:
    return weighing.weighed(line(folder, mode, phase))


@pytest.mark.parametrize("mode", ["plain", "blocks", "pool", "code", "first", "settling"])
def test_a_known_allocation_is_measured_right_within_one_percent(tmp_path: Path, mode: str) -> None:
    found = row(tmp_path, mode)
    settled = 2 << 20 if mode == "settling" else 0
    assert found["above_baseline"] == pytest.approx(KNOWN + settled, rel=0.01)
    assert found["marks"] == ""


def test_what_only_the_first_step_takes_stands_apart(tmp_path: Path) -> None:
    found = row(tmp_path, "first")
    assert found["first_above"] == pytest.approx(HELD + 4 * BATCH * TAKEN, rel=0.01)
    assert found["above_baseline"] == pytest.approx(KNOWN, rel=0.01)


@pytest.mark.parametrize(("mode", "bytes_"), [("leaks", 1 << 20), ("slowly", 32 << 10)])
def test_a_leak_is_named_with_its_bytes_a_step(tmp_path: Path, mode: str, bytes_: int) -> None:
    found = row(tmp_path, mode)
    assert found["growth_per_step"] == pytest.approx(bytes_, rel=0.3)
    assert found["marks"].startswith(f"leaks {weighing.size(found['growth_per_step'])} a step")
