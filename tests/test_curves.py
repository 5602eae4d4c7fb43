"""Training is the same too: real digits, the referee's losses, mistakes that only steps show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import curves, digits, gate, models, reference
from bench.cases import Contender
from bench.curves import Curve
from bench.graph import Graph, Tensor, build
from bench.parity import Checker
from tests.conftest import fake, fakes
from tests.test_parity import silent

TOY = Contender("toy", "plain")


def small(x: Tensor) -> Tensor:
    """A network of few operations, with what changes in training."""
    return x.conv(4, 3, 2).batchnorm().relu().dropout(0.5).global_avgpool().dense(10)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build(small, "small", (1, 12, 12))


@pytest.fixture(scope="module")
def curve(graph: Graph) -> Curve:
    return Curve(graph)


def test_digits_are_real_and_their_batches_differ() -> None:
    x, y = digits.batches((3, 32, 28), 5, 7)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((5, 7, 3, 32, 28), np.float32, (5, 7), np.int64)
    assert len({batch.tobytes() for batch in x}) == 5
    assert set(np.unique(y)) <= set(range(10)) and len(np.unique(y)) > 5
    assert -1.001 < x.min() < -0.9 and 0.9 < x.max() < 1.001
    np.testing.assert_array_equal(x[:, :, 0], x[:, :, 2])


def test_the_losses_are_those_of_a_training_run_and_fall() -> None:
    true = Curve(models.load("lenet5")).true
    assert len(true) == curves.STEPS
    assert true[-5:].mean() < 0.7 * true[:5].mean()


def test_the_bound_is_narrow_and_never_shrinks_relative_to_the_twins_error(curve: Curve) -> None:
    assert (curve.bound >= curves.FLOOR * curve.true).all()
    assert (curve.bound < 1e-2 * curve.true).all()


def test_a_correct_framework_trains_the_same(graph: Graph, tmp_path: Path) -> None:
    (verdict,) = gate.Gate(fakes(TOY), "cpu", 1, tmp_path).train([TOY], [graph], silent)
    assert (verdict.status, verdict.phase, verdict.model) == ("ok", "curve", "small")
    assert verdict.parameters == graph.params
    assert "loss of step" in str(verdict.worst_tensor)


CHANGES: dict[str, dict[str, Any]] = {
    "another momentum": {"momentum": 0.88},
    "no momentum": {"momentum": 0.0},
    "another rate": {"learning_rate": 0.0029},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_optimiser_is_refused(
    change: str, graph: Graph, curve: Curve, tmp_path: Path
) -> None:
    told = Curve(graph)
    told.graph = replace(told.graph, **CHANGES[change])  # what the worker is told
    told.__dict__["true"], told.__dict__["bound"] = curve.true, curve.bound
    with gate.start(fake("toy"), "cpu", "fp32", 1, tmp_path) as worker:
        verdict = Checker(worker, TOY, tmp_path).curve(told)
    assert verdict.status == "wrong"
    assert "the referee's is" in verdict.reason


def test_a_curve_that_leaves_its_bound_names_the_first_step(curve: Curve) -> None:
    losses = curve.true + np.where(np.arange(curves.STEPS) >= 7, 0.1, 0)
    result = curve.compare(list(losses))
    assert result["status"] == "wrong" and "in step 8," in result["reason"]
    assert curve.compare([float("nan")] * curves.STEPS)["status"] == "wrong"
    assert curve.compare(list(curve.true))["status"] == "ok"


def pooled(x: Tensor) -> Tensor:
    """A digit's background gives equal maxima."""
    return x.conv(4, 3).maxpool(2, 2).flatten().dense(10)


@pytest.mark.parametrize(
    ("mode", "reason", "status"),
    [
        ("plain", "", "ok"),
        ("plain", "each has the gradient", "ok"),
        ("every_maximum", "each has the gradient", "unsupported"),
        ("every_maximum", "", "wrong"),
    ],
)
def test_a_gradient_to_each_of_equal_maxima_must_be_declared(
    mode: str, reason: str, status: str, tmp_path: Path
) -> None:
    who, graph = Contender("toy", mode), build(pooled, "pooled", (1, 12, 12))
    entrants = {who: fake("toy", mode=mode, equal_maxima=reason)}
    (verdict,) = gate.Gate(entrants, "cpu", 1, tmp_path).train([who], [graph], silent)
    assert verdict.status == status
    assert verdict.reason == reason or status != "unsupported"


def test_who_declares_it_and_trains_in_a_third_way_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(reference.EVERY, "maxpool", lambda op, x, y, saved, limit=0.0: saved)
    who, graph = Contender("toy", "every_maximum"), build(pooled, "pooled", (1, 12, 12))
    entrants = {who: fake("toy", mode=who.mode, equal_maxima="each has the gradient")}
    (verdict,) = gate.Gate(entrants, "cpu", 1, tmp_path).train([who], [graph], silent)
    assert verdict.status == "wrong"
