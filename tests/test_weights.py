"""One set of weights and pictures for everybody: the same in every process, and like real ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from bench import reference, weights
from bench.graph import Graph, Node, Tensor, build

FINGERPRINT = """
import hashlib
from bench import models, weights
graph = models.load("lenet5")
arrays = weights.weights(graph) | dict(zip("xy", weights.batch(graph, 3)))
print(hashlib.sha256(b"".join(arrays[k].tobytes() for k in sorted(arrays))).hexdigest())
"""


def normed(x: Tensor) -> Tensor:
    """Three batch norms, one behind a ReLU and one behind a sum."""
    y = x.conv(8, 3, 2, bias=False).batchnorm().relu()
    y = y.add(y.conv(8, 3, pad=1, bias=False).batchnorm()).relu().batchnorm()
    return y.global_avgpool().dense(7)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build(normed, shape=(3, 40, 52))


@pytest.fixture(scope="module")
def drawn(graph: Graph) -> dict[str, weights.Array]:
    return weights.weights(graph)


def fingerprint(hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", FINGERPRINT]
    return subprocess.check_output(command, env=environment, text=True).strip()


@pytest.mark.slow
def test_two_processes_make_the_same_arrays() -> None:
    assert fingerprint("1") == fingerprint("2")


def test_draws_are_those_of_the_first_release() -> None:
    """Published numbers refer to these arrays: the generator must not drift."""
    array = weights.draw("conv1/weight", (4, 3, 5, 5))
    assert hashlib.sha256(array.tobytes()).hexdigest()[:16] == "30deead87b1c6901"


def test_shapes_and_types_are_those_of_the_graph(
    graph: Graph, drawn: dict[str, weights.Array]
) -> None:
    wanted = {
        f"{node.name}/{w}": shape
        for node in graph.nodes
        for w, shape in (node.weights | node.state).items()
    }
    assert {name: array.shape for name, array in drawn.items()} == wanted
    assert {array.dtype for array in drawn.values()} == {np.dtype(np.float32)}


def test_weights_do_not_depend_on_the_layers_around_them() -> None:
    plain = build(lambda x: x.conv(5, 3).flatten().dense(4), "a", (3, 8, 9))
    other = build(lambda x: x.relu().conv(5, 3).relu().flatten().dense(4), "b", (3, 8, 9))
    first, second = weights.weights(plain), weights.weights(other)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_parameters_of_one_shape_differ_by_name() -> None:
    first, second = (weights.draw(f"conv{i}/weight", (4, 3, 3, 3)) for i in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.3


def test_weights_have_the_variance_of_he_2015() -> None:
    kernel = weights.draw("conv1/weight", (64, 32, 3, 3))
    assert kernel.std() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    assert weights.draw("dense1/weight", (300, 200)).std() == pytest.approx(0.1, rel=0.05)


def test_scales_and_shifts_are_neither_1_nor_0(drawn: dict[str, weights.Array]) -> None:
    for kind in ("scale", "shift"):
        array = drawn[f"batchnorm1/{kind}"]
        assert array.std() > 0.01
        assert array.min() > 0
        assert abs(array - 1).min() > 0.05


def test_statistics_are_those_of_the_calibration_pictures(
    graph: Graph, drawn: dict[str, weights.Array]
) -> None:
    seen: dict[str, tuple[weights.Array, weights.Array]] = {}

    def look(node: Node, x: weights.Array) -> dict[str, weights.Array]:
        if node.state:
            mean, variance = (drawn[f"{node.name}/{s}"] for s in ("mean", "variance"))
            normal = (x - mean[:, None, None]) / np.sqrt(variance)[:, None, None]
            seen[node.name] = normal.mean((0, 2, 3)), normal.var((0, 2, 3))
        return {}

    pictures, _ = weights.batch(graph, weights.CALIBRATION, first=10_000)
    reference.run(graph, drawn, pictures, observe=look)
    assert set(seen) == {"batchnorm1", "batchnorm2", "batchnorm3"}
    for mean, variance in seen.values():
        np.testing.assert_allclose(mean, 0, atol=1e-3)
        np.testing.assert_allclose(variance, 1, rtol=1e-3)


def test_statistics_fit_the_pictures_that_are_checked(
    graph: Graph, drawn: dict[str, weights.Array]
) -> None:
    """Other pictures of the same photographs: near enough for logits that do not saturate."""
    pictures, _ = weights.batch(graph, 8)
    logits = reference.run(graph, drawn, pictures).logits
    assert 0.05 < logits.std(0).mean() < 5


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 40, 52), (1, 32, 32), (5, 11, 7), (3, 700, 500)])
def test_a_picture_has_the_shape_that_a_network_takes(shape: tuple[int, int, int]) -> None:
    picture = weights.picture(0, shape)
    assert picture.shape == shape
    assert picture.dtype == np.float32
    assert picture.flags.c_contiguous
    assert np.isfinite(picture).all()


def test_pictures_are_crops_of_photographs_and_not_noise() -> None:
    for index in range(6):
        picture = weights.picture(index, (3, 64, 80))
        for first, second in (
            (picture[:, 1:], picture[:, :-1]),
            (picture[:, :, 1:], picture[:, :, :-1]),
        ):
            assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.8
        assert picture.std() > 0.1


def test_pictures_differ_by_index_and_stay_the_same() -> None:
    pictures = [weights.picture(index, (3, 24, 30)) for index in range(8)]
    for i, first in enumerate(pictures):
        np.testing.assert_array_equal(first, weights.picture(i, (3, 24, 30)))
        for second in pictures[:i]:
            assert np.abs(first - second).mean() > 0.1


def test_pictures_are_normalised_as_imagenets() -> None:
    pixels = np.stack([weights.picture(index, (3, 32, 40)) for index in range(16)])
    low, high = (0 - weights.MEAN) / weights.DEVIATION, (1 - weights.MEAN) / weights.DEVIATION
    assert (pixels.min((0, 2, 3)) >= low - 1e-5).all()
    assert (pixels.max((0, 2, 3)) <= high + 1e-5).all()
    assert np.ptp(pixels) > 2


def test_colour_channels_differ_and_grey_ones_are_the_same() -> None:
    assert np.abs(np.diff(weights.picture(1, (3, 20, 20)), axis=0)).mean() > 0.05
    assert not np.diff(weights.picture(1, (4, 20, 20)), axis=0).any()


def test_a_batch_is_a_stretch_of_the_pictures(graph: Graph) -> None:
    x, y = weights.batch(graph, 5)
    later_x, later_y = weights.batch(graph, 3, first=2)
    assert (x.shape, x.dtype) == ((5, 3, 40, 52), np.dtype(np.float32))
    assert (y.shape, y.dtype) == ((5,), np.dtype(np.int64))
    np.testing.assert_array_equal(x[2:], later_x)
    np.testing.assert_array_equal(y[2:], later_y)


def test_labels_are_classes_of_the_network(graph: Graph) -> None:
    _, labels = weights.batch(graph, 40)
    assert set(labels) == set(range(graph.classes))
