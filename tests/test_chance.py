"""Operators of chance at their rates: what is chance, and what cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench import chance, gate, reference
from bench.cases import Contender
from bench.chance import Chance, Finding
from bench.parity import Checker
from bench.reference import Array
from tests.conftest import fake

RATE = 0.3
RANDOM = np.random.default_rng(7)


def factors(rate: float = RATE, whole: bool = False) -> Array:
    """What a correct program multiplies by."""
    shape = (chance.CALLS, chance.BATCH, 3, 77)
    drawn = RANDOM.random((*shape[:2], 1, 1) if whole else shape)
    return np.broadcast_to((drawn >= rate) / (1 - rate), shape)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("whole", [False, True])
def test_what_is_right_is_not_refused(rate: float, whole: bool) -> None:
    for _ in range(20):
        rounded = factors(rate, whole) * (1 + 1e-5 * RANDOM.standard_normal())
        assert Finding(rate, whole, rounded).wrong() == ""


WRONG: dict[str, tuple[Callable[[], Array], bool, str]] = {
    "not scaled": (lambda: factors() * (1 - RATE), False, "multiplied by 1, not by 1.429"),
    "left out": (lambda: np.ones_like(factors()), False, "multiplied by 1, not"),
    "of no numbers": (lambda: factors() * np.nan, False, "multiplied by"),
    "all dropped": (lambda: 0 * factors(), False, "share of 1.000"),
    "another rate": (lambda: factors(0.33) * 0.67 / 0.7, False, r"share of 0.3\d\d of 59136"),
    "the same each time": (lambda: np.stack([factors()[0]] * 4), False, "the same"),
    "whole channels": (
        lambda: np.broadcast_to(factors()[..., :1], (4, 64, 3, 77)), False, "whole channels"
    ),
    "rows": (
        lambda: np.repeat(factors()[..., :7], 11, axis=-1), False, "share|together"
    ),
    "images in part": (factors, True, "in part"),
    "images inverted": (lambda: factors(0.7, True) * 0.3 / 0.7, True, "share of 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_chance_is_named(name: str) -> None:
    make, whole, reason = WRONG[name]
    found = Finding(RATE, whole, make()).wrong()
    assert re.search(reason, found), found


@pytest.mark.parametrize("name", chance.CASES)
def test_the_gradient_tells_what_the_dense_layer_was_given(name: str) -> None:
    """With the referee's own gradient for known factors in the place of chance."""
    known = Chance(chance.case(name)).zeroed()
    given = factors(whole=name == "chance_of_images")[0]
    x = known.x * (given.reshape(known.x.shape) + (name == "chance_of_images"))
    slopes = reference.cross_entropy(np.zeros((chance.BATCH, chance.BATCH + 1)), known.y)[1]
    found = known.finding([(slopes.T @ x.reshape(chance.BATCH, -1)).astype(np.float32)])
    np.testing.assert_allclose(found.factors[0], given, atol=1e-5)


@pytest.mark.parametrize(
    ("losses", "status"),
    [([4.25, 4.5, 4.3, 4.4], "ok"), ([4.25, 4.2500001, 4.25, 4.2499999], "wrong")],
)
def test_a_loss_that_is_the_same_in_each_call_is_not_by_chance(
    losses: list[float], status: str
) -> None:
    found = chance.fixed(losses)
    assert found["status"] == status
    assert ("4.25 in each call" in found["reason"]) == (status == "wrong")


def test_in_inference_nothing_is_left_to_chance(tmp_path: Path) -> None:
    known = Chance(chance.case("chance_of_values"))
    with gate.start(fake("toy"), "cpu", "fp32", 1, tmp_path) as worker:
        verdicts = chance.examine(Checker(worker, Contender("toy", "plain"), tmp_path), known)
    assert [(v.phase, v.status) for v in verdicts] == [
        ("inference", "ok"), ("training", "ok"), ("forward", "ok"), ("step", "ok"),
    ]  # fmt: skip
    assert verdicts[0].worst_tensor == "logits"
