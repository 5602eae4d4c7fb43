"""Known allocations are measured right, in a process of their own; what grows is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import frameworks, gate, memory, parity, settings, weighing, weights
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


@pytest.mark.parametrize(
    "mode", ["plain", "blocks", "pool", "code", "fragments", "first", "settling"]
)
def test_a_known_allocation_is_measured_right_within_one_percent(tmp_path: Path, mode: str) -> None:
    found = row(tmp_path, mode)
    settled = 2 << 20 if mode == "settling" else 0
    assert found["above_baseline"] == pytest.approx(KNOWN + settled, rel=0.01)
    assert found["marks"] == ""


def test_what_only_the_first_step_takes_stands_apart(tmp_path: Path) -> None:
    found = row(tmp_path, "first")
    assert found["first_above"] == pytest.approx(HELD + 4 * BATCH * TAKEN, rel=0.01)
    assert found["above_baseline"] == pytest.approx(KNOWN, rel=0.01)


def test_pages_of_files_are_not_counted(tmp_path: Path) -> None:
    found = line(tmp_path, "code")
    taken = found["last"]["peak"] - found["settled"]["resident"]
    assert taken - KNOWN == pytest.approx(16 << 20, rel=0.05)  # VmHWM by itself would be wrong


@pytest.mark.parametrize(("mode", "bytes_"), [("leaks", 1 << 20), ("slowly", 32 << 10)])
def test_a_leak_is_named_with_its_bytes_a_step(tmp_path: Path, mode: str, bytes_: int) -> None:
    found = row(tmp_path, mode)
    assert found["growth_per_step"] == pytest.approx(bytes_, rel=0.01, abs=weighing.PAGE)
    assert found["marks"].startswith(f"leaks {weighing.size(found['growth_per_step'])} a step")


def test_a_framework_of_few_operators_has_a_baseline_too(tmp_path: Path) -> None:
    files = parity.save(tmp_path, GRAPH, weights.weights(GRAPH), *weights.batch(GRAPH, BATCH))
    cell = Cell("small", BATCH, "train", "cpu", "fp32", 1)
    start = lambda: gate.start(fake("narrow"), "cpu", "fp32", 1, tmp_path / "logs")
    assert memory.weigh(start, GRAPH, cell, files).memory["baseline"] > 0


# -- pure functions of a line ----------------------------------------------------------------------

MIB = 2**20


def reading(peak: int, anonymous: int, file: int = 0) -> dict[str, int]:
    sizes = {"peak": peak, "resident": anonymous + file, "anonymous": anonymous, "file": file}
    return {name: size * MIB for name, size in sizes.items()} | {"shared": 0}


LINE: dict[str, Any] = {
    "device": "cpu", "peak": 130 * MIB, "reset": True, "settled": reading(60, 20, 40),
    "built": reading(90, 50, 40), "first": reading(200, 60, 45), "ready": reading(105, 60, 45),
    "last": reading(130, 70, 45), "after": [70 * MIB] * 6, "allocated": [{}] * 6, "allocator": {},
    "allocator_settled": {}, "device_memory": {}, "least": {"least": 13 * MIB, "weights": MIB},
}  # fmt: skip


def test_the_rise_of_anonymous_memory_beside_the_least() -> None:
    found = weighing.weighed(LINE)
    assert found["above_baseline"] == (130 - 45 - 20) * MIB
    assert found["first_above"] == (200 - 45 - 20) * MIB
    assert (found["times_least"], found["least_weights"], found["marks"]) == (5.0, MIB, "")


def test_without_a_reset_the_peak_is_known_only_if_it_rose() -> None:
    refused = LINE | {"reset": False}
    assert weighing.weighed(refused)["above_baseline"] == (130 - 45 - 20) * MIB
    higher = refused | {"ready": reading(130, 60, 45)}
    found = weighing.weighed(higher)
    assert found["above_baseline"] is None
    assert found["marks"] == "no peak: this system does not let VmHWM be reset"


def test_a_network_that_is_too_small_has_no_ratio() -> None:
    found = weighing.weighed(LINE | {"least": {"least": MIB // 2}})
    assert found["times_least"] is None and found["marks"] == ""


def test_less_than_the_least_is_marked() -> None:
    found = weighing.weighed(LINE | {"least": {"least": 80 * MIB}})
    assert found["marks"].startswith("below the least: ")


@pytest.mark.parametrize(
    ("sizes", "leaks"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], True),
        ([1, 2, 2.9, 4.1, 5, 6.2, 7, 8.1], True),
        ([1, 2, 3, 4, 5, 5, 5, 5], False),  # settling
        ([1, 1, 1, 1, 1, 4, 4, 4], False),  # a pool that grew once
        ([3, 1, 2, 3, 1, 2, 3, 1], False),
        ([1], False),
        ([], False),
    ],
)
def test_a_leak_is_a_growth_in_every_step(sizes: list[float], leaks: bool) -> None:
    after = [size * MIB for size in sizes]
    assert ("leaks" in weighing.weighed(LINE | {"after": after})["marks"]) == leaks


def test_bytes_of_a_step_are_those_between_two_readings_over_their_steps() -> None:
    after = [size * MIB for size in range(8)]
    found = weighing.weighed(LINE | {"after": after, "each": 16})
    assert (found["growth_per_step"], found["steps"]) == (MIB / 16, 128)
    assert "leaks" not in weighing.weighed(LINE | {"after": after, "each": 128})["marks"]


def gpu(used: int, process: int | None = None) -> dict[str, int | None]:
    return {"total": 80_000 * MIB, "used": used * MIB, "process": process and process * MIB}


CUDA = LINE | {
    "device": "cuda", "allocator": {"allocated_peak": 30 * MIB, "reserved_peak": 50 * MIB},
    "allocated": [{"allocated_peak": 30 * MIB}] * 6,
    "device_memory": {"before": gpu(5), "baseline": gpu(400), "last": gpu(700, 690)},
}  # fmt: skip


def test_on_a_gpu_the_allocators_figure_and_the_processs() -> None:
    found = weighing.weighed(CUDA)
    assert (found["used"], found["above_baseline"]) == (30 * MIB, 30 * MIB)
    assert (found["gpu_process"], found["marks"]) == (690 * MIB, "")


def test_a_process_that_the_driver_does_not_know_is_the_rise_of_what_is_used() -> None:
    memory_ = {"before": gpu(5), "baseline": gpu(400), "last": gpu(700)}
    assert weighing.weighed(CUDA | {"device_memory": memory_})["gpu_process"] == 695 * MIB


def test_an_allocator_that_counts_the_whole_device_has_a_baseline() -> None:
    whole = {"allocator": {"device_in_use": 500 * MIB}, "allocator_settled": {"device_in_use": MIB}}
    assert weighing.weighed(CUDA | whole)["above_baseline"] == 499 * MIB


def test_a_leak_on_a_gpu_raises_the_allocators_peak() -> None:
    rising = [{"allocated_peak": step * MIB} for step in range(6)]
    assert weighing.weighed(CUDA | {"allocated": rising})["marks"] == "leaks 1.0 MiB a step"


def test_preallocation_is_seen() -> None:
    memory_ = {"before": gpu(5), "baseline": gpu(60_000), "last": gpu(60_000, 60_000)}
    found = weighing.weighed(CUDA | {"device_memory": memory_})
    assert found["marks"].startswith("preallocates: ")


def test_frameworks_that_preallocate_are_told_not_to() -> None:
    known = frameworks.discover()
    off = {"jax": "XLA_PYTHON_CLIENT_PREALLOCATE", "tensorflow": "TF_FORCE_GPU_ALLOW_GROWTH"}
    for name, variable in off.items():
        chosen = settings.applied(known[name].settings, "cuda", tuned=False)
        assert variable in {setting.name for setting in chosen}
