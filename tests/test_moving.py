"""Statistics that training moves: what has not arrived at the batch's is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import gate, moving
from bench.cases import Contender
from bench.moving import Moving
from bench.parity import Checker
from bench.reference import rms
from tests.conftest import fake


@pytest.fixture(scope="module")
def known() -> Moving:
    return Moving(moving.case())


def test_the_way_is_long_enough_to_tell(known: Moving) -> None:
    before, after = known.logits(False), known.logits(True)
    assert rms(before - after) > 0.1 * rms(after)


@pytest.mark.parametrize(
    ("share", "status"), [(1.0, "wrong"), (0.5, "wrong"), (0.05, "wrong"), (0.005, "ok")]
)
def test_what_is_left_of_the_way_is_judged(known: Moving, share: float, status: str) -> None:
    before, after = known.logits(False), known.logits(True)
    result = known.judged(after + share * (before - after))
    assert (result["status"], result["worst_error"]) == (status, pytest.approx(share))


def test_dividing_by_n_or_by_n_minus_1_is_left_to_the_framework(known: Moving) -> None:
    images, (_, height, width) = len(known.x), known.graph.input
    n = images * height * width
    name = known.graph.nodes[1].name
    other = Moving(known.graph)
    mean, variance = statistics(known)
    other.weights |= {f"{name}/mean": mean, f"{name}/variance": variance * n / (n - 1)}
    assert known.judged(other.logits(False))["status"] == "ok"
    other.weights[f"{name}/variance"] = variance**0.5
    assert known.judged(other.logits(False))["status"] == "wrong"


def statistics(known: Moving):  # type: ignore[no-untyped-def]
    from bench import reference

    kernel = known.weights[f"{known.graph.nodes[0].name}/weight"][:, :, 0, 0]
    return reference.moments((kernel @ known.x.reshape(*known.x.shape[:2], -1))[..., None])


def test_a_correct_framework_arrives(known: Moving, tmp_path: Path) -> None:
    with gate.start(fake("toy"), "cpu", "fp32", 1, tmp_path) as worker:
        (verdict,) = moving.examine(Checker(worker, Contender("toy", "plain"), tmp_path), known)
    assert (verdict.phase, verdict.status) == ("step", "ok")
