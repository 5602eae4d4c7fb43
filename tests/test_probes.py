"""What a framework computes with, and where its step takes its data, is found by doing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import gate, probes, store, summary
from bench.cases import Contender
from bench.race import Race
from tests.conftest import fake, fakes, go
from tests.plans import GRAPHS, PLAN

WHOLE = {"input": 23, "convolution": 23, "dense": 23}


def found(folder: Path, mode: str) -> dict[str, Any]:
    with gate.start(fake("careless", mode=mode), "cpu", "fp32", 1, folder / "logs") as worker:
        return probes.examine(worker)


# -- what arrives ----------------------------------------------------------------------------------

ARRIVES = {
    "plain": WHOLE,
    "tf32": dict.fromkeys(WHOLE, 10),
    "fp16": dict.fromkeys(WHOLE, 10),
    "bf16": dict.fromkeys(WHOLE, 7),
    "dense_tf32": WHOLE | {"dense": 10},
    "conv_bf16": WHOLE | {"convolution": 7},
}


@pytest.mark.parametrize("mode", ARRIVES)
def test_the_bits_of_a_mantissa_that_arrive(tmp_path: Path, mode: str) -> None:
    assert found(tmp_path, mode)["mantissa"] == ARRIVES[mode]


def test_rounding_noise_costs_the_last_bits_only() -> None:
    """Such as that of a convolution by a transform: 1e-6."""
    logits = np.tile(sum(probes.bits_in(p) - 1 for p in probes.PLACES) + 1, (8, 1))
    noise = np.random.default_rng(0).normal(0, 1e-6, logits.shape)
    assert probes.survived(logits) == WHOLE
    assert 17 <= min(probes.survived(logits + noise).values()) < 20
    assert set(probes.survived(np.full_like(logits, np.nan)).values()) == {-1}


@pytest.mark.parametrize(
    ("bits", "precision", "words"),
    [
        (23, "fp32", ""),
        (19, "fp32", ""),
        (10, "fp32", "computes with TF32 or float16, not fp32: mantissa bits 10 in the dense"),
        (7, "fp32", "computes with bfloat16, not fp32: mantissa bits 7 in the dense"),
        (7, "bf16", ""),
        (23, "bf16", "computes with float32, not bf16"),
        (10, "fp16", ""),
        (10, "tf32", ""),
        (23, "tf32", ""),
        (7, "tf32", "computes with bfloat16, not tf32: mantissa bits 7 in the dense"),
        (-1, "fp32", "computes with -1 bits of mantissa, not fp32: mantissa bits -1 in the dense"),
    ],
)
def test_what_was_found_against_what_was_asked(bits: int, precision: str, words: str) -> None:
    assert probes.charge({"mantissa": {"dense": bits}}, precision, "cpu") == words


# -- where the data is -----------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "reads"), [("plain", False), ("moves", True), ("shares", True)])
def test_a_step_that_reads_the_hosts_arrays_is_found(
    tmp_path: Path, mode: str, reads: bool
) -> None:
    assert found(tmp_path, mode)["reads_host"] is reads


def test_it_is_a_fault_on_a_gpu_only() -> None:
    seen = {"mantissa": WHOLE, "reads_host": True}
    assert probes.charge(seen, "fp32", "cuda").startswith("moves data in the step")
    assert probes.charge(seen, "fp32", "cpu") == ""
    assert probes.charge(seen | {"reads_host": None}, "fp32", "cuda") == ""


def test_results_of_another_shape_are_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = probes.survived
    monkeypatch.setattr(probes, "survived", lambda logits: whole(logits[:, :-1]))
    seen = found(tmp_path, "plain")
    assert seen["mantissa"] is None and "reshape" in seen["unprobed"]


def test_what_cannot_be_asked_has_its_reason(tmp_path: Path) -> None:
    with gate.start(fake("refuses"), "cpu", "fp32", 1, tmp_path / "logs") as worker:
        seen = probes.examine(worker)
    assert seen["mantissa"] is None and "no convolution" in seen["unprobed"]
    assert probes.charge(seen, "fp32", "cuda") == ""


# -- in a race -------------------------------------------------------------------------------------


PLAIN, ROUNDS, MOVES = (Contender("careless", mode) for mode in ("plain", "tf32", "moves"))
RACE = replace(PLAN, contenders=(PLAIN, ROUNDS, MOVES), phases=("inference", "step"), budget=1)


def raced(folder: Path, device: str) -> tuple[store.Run, store.Tables]:
    plan = replace(RACE, device=device)
    run = store.Run.create(folder / "run", {"plan": plan.to_json()})
    race = Race(run, plan, GRAPHS, fakes(*plan.contenders))
    list(go(race))
    return run, store.load(run.folder)


@pytest.mark.alone
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_who_does_something_else_has_no_number_and_is_named(tmp_path: Path, device: str) -> None:
    run, tables = raced(tmp_path, device)
    rows = summary.summarise(run, tables).set_index("mode")
    assert set(rows.loc["plain", "status"]) == {"ok"}
    assert set(rows.loc["tf32", "status"]) == {"wrong"}
    assert set(rows.loc["tf32", "reason"]) == {
        "computes with TF32 or float16, not fp32: mantissa bits 10 in the input, "
        "10 in the convolution, 10 in the dense"
    }
    assert set(rows.loc["moves", "status"]) == {"ok" if device == "cpu" else "wrong"}
    facts = tables.processes.dropna(subset="mantissa").set_index("mode")
    assert facts["reads_host"].to_dict() == {"plain": False, "tf32": False, "moves": True}
    assert facts.index.is_unique  # once for each contender and run


@pytest.mark.alone
def test_a_run_that_was_cut_off_still_knows(tmp_path: Path) -> None:
    run, _ = raced(tmp_path, "cpu")
    again = Race(run, RACE, GRAPHS, fakes(*RACE.contenders))
    again.recall(entry for entry in run.entries() if entry["kind"] == "process")
    next(again.weigh_all(tmp_path))
    assert {who for who, _ in again.failed} == {ROUNDS}
