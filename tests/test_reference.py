"""The referee: against slow loops written from the operators' one sentence, and its gradients
against central finite differences. Every dimension of every tensor differs, inputs have both signs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, special

from bench import ops, reference
from bench.graph import Graph, Tensor, build
from bench.reference import At
from bench.reference.activations import CORNERS

Array = NDArray[np.float64]
BATCH = 2
STEP = 1e-5  # of the finite differences; their error is about its square


@dataclass(frozen=True)
class Case:
    """An operator, the shapes of its inputs (without the batch axis), and the mode."""

    op: ops.Op
    shapes: tuple[ops.Shape, ...] = ((4, 5, 7),)
    training: bool = True

    def __str__(self) -> str:
        return f"{self.op}{'' if self.training else ' inference'}"


FLAT, IMAGE = (5,), (4, 5, 7)
CASES = [
    Case(ops.Conv(3, (2, 2))),
    Case(ops.Conv(3, (1, 1), bias=False)),
    Case(ops.Conv(3, (1, 1), stride=(2, 2))),
    Case(ops.Conv(3, (3, 3), pad=(1, 1))),
    Case(ops.Conv(3, (3, 3), stride=(2, 2), pad=(1, 1))),
    Case(ops.Conv(3, (4, 4), stride=(3, 3), pad=(2, 2))),
    Case(ops.Conv(3, (2, 5), stride=(3, 2), pad=(1, 2), bias=False)),
    Case(ops.Conv(6, (3, 2), pad=(1, 0), groups=2)),
    Case(ops.Conv(8, (3, 3), stride=(1, 2), pad=(0, 1), groups=4)),
    Case(ops.Conv(4, (3, 2), stride=(2, 1), pad=(1, 1), groups=4, bias=False)),
    Case(ops.Dense(3), (FLAT,)),
    Case(ops.Dense(3, bias=False), (FLAT,)),
    Case(ops.BatchNorm()),
    Case(ops.BatchNorm(0.1)),
    Case(ops.BatchNorm(0.1), training=False),
    Case(ops.Relu()),
    Case(ops.Relu(), (FLAT,)),
    Case(ops.Relu6()),
    Case(ops.Sigmoid()),
    Case(ops.Sigmoid(), (FLAT,)),
    Case(ops.HardSigmoid()),
    Case(ops.Swish()),
    Case(ops.Swish(), (FLAT,)),
    Case(ops.HardSwish()),
    Case(ops.Lrn(3, alpha=2.0, beta=0.6, k=1.5)),
    Case(ops.Lrn(5, alpha=2.0, beta=0.75, k=2.0)),
    Case(ops.Lrn(1, alpha=1.0, beta=0.75, k=1.0)),
    Case(ops.MaxPool((2, 2), (2, 2))),
    Case(ops.MaxPool((3, 3), (2, 2), (1, 1))),
    Case(ops.MaxPool((3, 5), (2, 3), (1, 2))),
    Case(ops.MaxPool((3, 3), (1, 1), (1, 1))),
    Case(ops.AvgPool((2, 3), (2, 1))),
    Case(ops.AvgPool((3, 3), (2, 2), (1, 1))),
    Case(ops.AvgPool((3, 5), (1, 2), (0, 2))),
    Case(ops.GlobalAvgPool()),
    Case(ops.Flatten()),
    Case(ops.Dropout(0.0)),
    Case(ops.Dropout(0.5), training=False),
    Case(ops.StochasticDepth(0.0)),
    Case(ops.StochasticDepth(0.2), training=False),
    Case(ops.ChannelShuffle(2), ((6, 3, 5),)),
    Case(ops.ChannelShuffle(3), ((6, 3, 5),)),
    Case(ops.Slice(0, 3)),
    Case(ops.Slice(1, 4)),
    Case(ops.Multiply(), (IMAGE, (4,))),
    Case(ops.Add(), (IMAGE, IMAGE)),
    Case(ops.Add(), (IMAGE, IMAGE, IMAGE)),
    Case(ops.Add(), (FLAT, FLAT)),
    Case(ops.Concat(), (IMAGE, (2, 5, 7), (3, 5, 7))),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def values(case: Case) -> At:
    """Random inputs, weights and statistics (variances positive)."""
    random = np.random.default_rng(11)
    spread = 5 if case.op.kind in CORNERS else 1  # so that all the pieces of a function are met
    inputs = [spread * random.standard_normal((BATCH, *shape)) for shape in case.shapes]
    shapes = case.op.weights(*case.shapes) | case.op.state(*case.shapes)
    weights = {name: random.standard_normal(shape) for name, shape in shapes.items()}
    if "variance" in weights:
        weights["variance"] = weights["variance"] ** 2 + 0.3
    return At(inputs, weights, case.training)


def output(op: ops.Op, at: At) -> Array:
    found: Array = reference.FORWARD[op.kind](op, at)[0]
    return found


def differences(function: Callable[[], float], x: Array) -> Array:
    """The gradient of `function` by x, which is changed in place and back."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        old = x[place]
        x[place] = old + STEP
        above = function()
        x[place] = old - STEP
        gradient[place] = (above - function()) / (2 * STEP)
        x[place] = old
    return gradient


def close(got: Array, wanted: Array) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8)


# -- every operator -------------------------------------------------------------------------------


def test_every_operator_is_refereed_and_differentiated_here() -> None:
    assert set(reference.FORWARD) == set(ops.OPS)
    assert set(reference.BACKWARD) == set(ops.OPS)
    assert {case.op.kind for case in CASES} == set(ops.OPS)
    assert set(SLOW) == set(ops.OPS)


@each_case
def test_gradients_of_inputs_and_weights_agree_with_finite_differences(case: Case) -> None:
    at = values(case)
    y, saved = reference.FORWARD[case.op.kind](case.op, at)
    dy = np.random.default_rng(12).standard_normal(y.shape)
    dinputs, dweights = reference.BACKWARD[case.op.kind](case.op, saved, dy)
    assert set(dweights) == set(case.op.weights(*case.shapes))
    assert len(dinputs) == len(at.inputs)

    def total() -> float:
        return float((output(case.op, at) * dy).sum())

    for x, gradient in zip(at.inputs, dinputs, strict=True):
        close(gradient, differences(total, x))
    for name, gradient in dweights.items():
        close(gradient, differences(total, at.weights[name]))


@each_case
def test_forward_has_the_shape_that_the_operator_declares(case: Case) -> None:
    assert output(case.op, values(case)).shape == (BATCH, *case.op.output(*case.shapes))


@each_case
def test_forward_agrees_with_slow_loops(case: Case) -> None:
    at = values(case)
    close(output(case.op, at), SLOW[case.op.kind](case.op, at))


@each_case
def test_inputs_are_left_as_they_were_and_precision_is_kept(case: Case) -> None:
    at = values(case)
    small = At(
        [x.astype(np.float32) for x in at.inputs],
        {k: w.astype(np.float32) for k, w in at.weights.items()},
        at.training,
    )
    before = [x.copy() for x in small.inputs]
    y, saved = reference.FORWARD[case.op.kind](case.op, small)
    dinputs, dweights = reference.BACKWARD[case.op.kind](case.op, saved, np.ones_like(y))
    for x, old in zip(small.inputs, before, strict=True):
        np.testing.assert_array_equal(x, old)
    assert {a.dtype for a in [y, *dinputs, *dweights.values()]} == {np.dtype(np.float32)}


# -- slow formulas --------------------------------------------------------------------------------


def places(shape: Iterable[int]) -> Iterable[tuple[int, ...]]:
    return itertools.product(*map(range, shape))


def inside(op: ops.Conv | ops.MaxPool, size: ops.Shape, i: int, j: int) -> list[tuple[int, ...]]:
    """The input positions that the window of output (i, j) covers, padding left out, each with its
    position in the kernel."""
    top, left = i * op.stride[0] - op.pad[0], j * op.stride[1] - op.pad[1]
    return [
        (top + a, left + b, a, b)
        for a, b in places(op.kernel)
        if 0 <= top + a < size[0] and 0 <= left + b < size[1]
    ]


def empty(op: ops.Op, at: At) -> Array:
    return np.zeros((len(at.x), *op.output(*(x.shape[1:] for x in at.inputs))))


def slow_conv(op: ops.Conv, at: At) -> Array:
    y, per = empty(op, at), at.x.shape[1] // op.groups
    for n, o, i, j in places(y.shape):
        first = o // (op.out // op.groups) * per
        y[n, o, i, j] = at.weights["bias"][o] if op.bias else 0
        for (r, s, a, b), c in itertools.product(inside(op, at.x.shape[2:], i, j), range(per)):
            y[n, o, i, j] += at.x[n, first + c, r, s] * at.weights["weight"][o, c, a, b]
    return y


def slow_pool(op: ops.MaxPool, at: At) -> Array:
    y = empty(op, at)
    choose = np.mean if isinstance(op, ops.AvgPool) else np.max
    for n, c, i, j in places(y.shape):
        window = [at.x[n, c, r, s] for r, s, _, _ in inside(op, at.x.shape[2:], i, j)]
        y[n, c, i, j] = choose(window)
    return y


def slow_lrn(op: ops.Lrn, at: At) -> Array:
    y, channels = np.zeros_like(at.x), at.x.shape[1]
    for n, c, i, j in places(y.shape):
        around = range(max(0, c - op.size // 2), min(channels, c + op.size // 2 + 1))
        total = sum(at.x[n, k, i, j] ** 2 for k in around)
        y[n, c, i, j] = at.x[n, c, i, j] / (op.k + op.alpha / op.size * total) ** op.beta
    return y


def slow_batchnorm(op: ops.BatchNorm, at: At) -> Array:
    y, w = np.zeros_like(at.x), at.weights
    for c in range(at.x.shape[1]):
        x = at.x[:, c]
        mean, variance = w["mean"][c], w["variance"][c]
        if at.training:
            mean = x.sum() / x.size
            variance = ((x - mean) ** 2).sum() / x.size
        y[:, c] = (x - mean) / (variance + op.eps) ** 0.5 * w["scale"][c] + w["shift"][c]
    return y


def slow_dense(op: ops.Dense, at: At) -> Array:
    y = empty(op, at)
    for n, o in places(y.shape):
        y[n, o] = at.weights["bias"][o] if op.bias else 0
        for k in range(at.x.shape[1]):
            y[n, o] += at.x[n, k] * at.weights["weight"][o, k]
    return y


def slow_global(op: ops.GlobalAvgPool, at: At) -> Array:
    return np.array([[channel.sum() / channel.size for channel in image] for image in at.x])


def slow_flatten(op: ops.Flatten, at: At) -> Array:
    y, (_, _, h, w) = empty(op, at), at.x.shape
    for n, c, i, j in places(at.x.shape):
        y[n, c * h * w + i * w + j] = at.x[n, c, i, j]
    return y


def slow_add(op: ops.Add, at: At) -> Array:
    y = np.zeros_like(at.x)
    for x in at.inputs:
        y += x
    return y


def slow_concat(op: ops.Concat, at: At) -> Array:
    return np.array([[c for x in at.inputs for c in x[n]] for n in range(len(at.x))])


def slow_shuffle(op: ops.ChannelShuffle, at: At) -> Array:
    y, per = np.empty_like(at.x), at.x.shape[1] // op.groups
    for group, i in places((op.groups, per)):
        y[:, i * op.groups + group] = at.x[:, group * per + i]
    return y


def slow_multiply(op: ops.Multiply, at: At) -> Array:
    y, (x, gate) = np.empty_like(at.x), at.inputs
    for n, c, i, j in places(y.shape):
        y[n, c, i, j] = x[n, c, i, j] * gate[n, c]
    return y


def entry_by_entry(function: Callable[[float], float]) -> Callable[[Any, At], Array]:
    return lambda op, at: np.vectorize(function)(at.x)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def hard_sigmoid(x: float) -> float:
    return 0 if x < -3 else 1 if x > 3 else x / 6 + 0.5


SLOW: dict[str, Callable[[Any, At], Array]] = {
    "conv": slow_conv,
    "maxpool": slow_pool,
    "avgpool": slow_pool,
    "lrn": slow_lrn,
    "batchnorm": slow_batchnorm,
    "dense": slow_dense,
    "globalavgpool": slow_global,
    "flatten": slow_flatten,
    "add": slow_add,
    "concat": slow_concat,
    "relu": lambda op, at: np.where(at.x > 0, at.x, 0),
    "relu6": entry_by_entry(lambda x: 0 if x < 0 else 6 if x > 6 else x),
    "sigmoid": entry_by_entry(sigmoid),
    "hardsigmoid": entry_by_entry(hard_sigmoid),
    "swish": entry_by_entry(lambda x: x * sigmoid(x)),
    "hardswish": entry_by_entry(lambda x: x * hard_sigmoid(x)),
    "dropout": lambda op, at: at.x,
    "stochasticdepth": lambda op, at: at.x,
    "channelshuffle": slow_shuffle,
    "slice": lambda op, at: np.array([[x[c] for c in range(op.start, op.stop)] for x in at.x]),
    "multiply": slow_multiply,
}


def test_convolution_is_scipys_cross_correlation() -> None:
    at = values(Case(ops.Conv(3, (2, 3), bias=False)))
    for n, o in places((BATCH, 3)):
        kernels = at.weights["weight"][o]
        wanted = sum(
            signal.correlate2d(x, k, "valid") for x, k in zip(at.x[n], kernels, strict=True)
        )
        close(output(ops.Conv(3, (2, 3), bias=False), at)[n, o], wanted)


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
pads = st.tuples(st.integers(0, 2), st.integers(0, 2))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(kernel=pairs, stride=pairs, pad=pads, groups=st.sampled_from([1, 2]))
def test_any_window_agrees_with_slow_loops(
    kernel: ops.Pair, stride: ops.Pair, pad: ops.Pair, groups: int
) -> None:
    conv = ops.Conv(6, kernel, stride, pad, groups)
    at = values(Case(conv, ((4, 5, 7),)))
    close(output(conv, at), slow_conv(conv, at))
    pad = (min(pad[0], kernel[0] // 2), min(pad[1], kernel[1] // 2))
    for pool in (ops.MaxPool(kernel, stride, pad), ops.AvgPool(kernel, stride, pad)):
        close(output(pool, at), slow_pool(pool, at))


def test_padding_never_wins_a_max_pool() -> None:
    x = -1 - np.arange(6.0).reshape(1, 1, 2, 3)
    y = output(ops.MaxPool((3, 3), (1, 1), (1, 1)), At([x], {}, False))
    assert y.max() < 0


def test_the_first_of_equal_values_gets_the_gradient_of_a_max_pool() -> None:
    op = ops.MaxPool((2, 2), (2, 2))
    _, saved = reference.FORWARD["maxpool"](op, At([np.ones((1, 1, 2, 2))], {}, True))
    (dx,), _ = reference.BACKWARD["maxpool"](op, saved, np.full((1, 1, 1, 1), 5.0))
    assert dx.ravel().tolist() == [5, 0, 0, 0]


def test_training_with_dropout_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without dropout; got rate 0\.5"):
        output(ops.Dropout(0.5), At([np.ones((1, 3))], {}, True))


# -- the loss -------------------------------------------------------------------------------------


def test_cross_entropy_agrees_with_scipy() -> None:
    logits = np.random.default_rng(3).standard_normal((4, 6)) * 3
    labels = np.array([5, 0, 2, 2])
    loss, gradient = reference.cross_entropy(logits, labels)
    assert loss == pytest.approx(-special.log_softmax(logits, axis=1)[range(4), labels].mean())
    wanted = differences(lambda: reference.cross_entropy(logits, labels)[0], logits)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-9)


def test_cross_entropy_survives_large_logits() -> None:
    loss, gradient = reference.cross_entropy(np.array([[1e4, -1e4, 0.0]]), np.array([1]))
    assert loss == pytest.approx(2e4)
    np.testing.assert_allclose(gradient, [[1.0, -1.0, 0.0]])


# -- networks -------------------------------------------------------------------------------------


def crossroads(x: Tensor) -> Tensor:
    """The input twice, a value three times, one operator that reads a value twice."""
    y = x.conv(4, 3, pad=1, bias=False).batchnorm(0.1).relu()
    z = y.lrn(3, 2.0, 0.6, 1.5).add(y, y.conv(4, 1, groups=2))
    z = z.concat(x, z).maxpool(3, 2, pad=1)
    return z.avgpool(2).dropout(0.5).flatten().dense(3)


def network_values(graph: Graph) -> tuple[dict[str, Array], Array, NDArray[np.int64]]:
    random = np.random.default_rng(4)
    weights = {
        f"{node.name}/{w}": random.standard_normal(shape) ** (2 if w == "variance" else 1)
        for node in graph.nodes
        for w, shape in (node.weights | node.state).items()
    }
    return weights, random.standard_normal((BATCH, *graph.input)), np.array([2, 0])


def test_gradients_of_a_network_with_branches_agree_with_finite_differences() -> None:
    graph = build(crossroads, shape=(2, 5, 6)).without_dropout()
    weights, x, labels = network_values(graph)

    def loss() -> float:
        logits = reference.run(graph, weights, x, training=True).logits
        return reference.cross_entropy(logits, labels)[0]

    found, gradients, dx = reference.backpropagate(reference.train(graph, weights, x), labels)
    assert found == pytest.approx(loss(), rel=1e-12)
    assert set(gradients) == {f"{n.name}/{w}" for n in graph.nodes for w in n.weights}
    for name, gradient in gradients.items():
        wanted = differences(loss, weights[name])
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(dx, differences(loss, x), rtol=1e-5, atol=1e-8)


def test_auxiliary_losses_are_weighted_and_only_in_training() -> None:
    graph = build(with_head, shape=(2, 5, 6))
    weights, x, labels = network_values(graph)

    def loss() -> float:
        outputs = reference.run(graph, weights, x, training=True).outputs
        losses = {k: reference.cross_entropy(v, labels)[0] for k, v in outputs.items()}
        return losses["dense2"] + 0.3 * losses["dense1"]

    found, gradients, _ = reference.backpropagate(reference.train(graph, weights, x), labels)
    assert found == pytest.approx(loss(), rel=1e-12)
    for name, gradient in gradients.items():
        wanted = differences(loss, weights[name])
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-8, err_msg=name)
    evaluated = reference.run(graph, weights, x)
    assert [node.name for node in evaluated.graph.nodes] == [
        "conv1", "relu1", "globalavgpool2", "dense2",
    ]  # fmt: skip


def with_head(x: Tensor) -> Tensor:
    y = x.conv(4, 3).relu()
    y.global_avgpool().dense(3).auxiliary(0.3)
    return y.global_avgpool().dense(3)


def test_an_auxiliary_classifier_may_be_used_by_other_nodes() -> None:
    def stacked(x: Tensor) -> Tensor:
        y = x.global_avgpool().dense(3)
        y.auxiliary(0.5)
        return y.relu().dense(3)

    graph = build(stacked, shape=(2, 5, 6))
    weights, x, labels = network_values(graph)
    passed = reference.train(graph, weights, x)
    assert set(passed.outputs) == {"dense1", "dense2"}
    assert set(reference.backpropagate(passed, labels)[1]) == set(weights)


def test_the_twin_sums_as_a_plain_loop_does() -> None:
    x = np.full((1, 1, 1000, 100), np.float32(0.1))
    _, weights = reference.BACKWARD["conv"](
        ops.Conv(1, (1, 1)), (x, np.ones((1, 1, 1), np.float32)), x
    )
    loop = np.float32(0)
    for value in x.ravel():
        loop += value
    assert weights["bias"][0] == loop != x.sum()


def test_a_network_in_inference_uses_the_stored_statistics() -> None:
    graph = build(crossroads, shape=(2, 5, 6)).without_dropout()
    weights, x, _ = network_values(graph)
    one = reference.run(graph, weights, x[:1]).logits
    np.testing.assert_allclose(one, reference.run(graph, weights, x).logits[:1])
    alone = reference.run(graph, weights, x[:1], training=True).logits
    assert not np.allclose(alone, reference.run(graph, weights, x, training=True).logits[:1])


def test_the_twin_computes_in_float32() -> None:
    graph = build(crossroads, shape=(2, 5, 6)).without_dropout()
    weights, x, labels = network_values(graph)
    twin = reference.train(graph, weights, x, np.float32)
    _, gradients, _ = reference.backpropagate(twin, labels)
    assert {a.dtype for a in [twin.logits, *gradients.values()]} == {np.dtype(np.float32)}
    exact = reference.train(graph, weights, x).logits
    assert 0 < reference.rms(twin.logits - exact) < 1e-4 * reference.rms(exact)


# -- ties -----------------------------------------------------------------------------------------


def test_near_relus_are_turned_round_and_no_others() -> None:
    x = np.array([[-1.0, -1e-7, 0.0, 1e-7, 1.0]])
    y, saved = reference.FORWARD["relu"](ops.Relu(), At([x], {}, True))
    other = reference.TIES["relu"](ops.Relu(), x, y, saved, np.array(1e-6))
    assert saved.tolist() == [[False, False, False, True, True]]
    assert other.tolist() == [[False, True, True, False, True]]


def test_each_of_equal_maxima_may_have_the_gradient() -> None:
    op, x = ops.MaxPool((2, 2), (1, 1), (1, 1)), np.array([[[[2.0, 2.0], [-1.0, 2.0]]]])
    y, saved = reference.FORWARD["maxpool"](op, At([x], {}, True))
    dy = np.arange(1.0, 10).reshape(y.shape)
    (one,), _ = reference.BACKWARD["maxpool"](op, saved, dy)
    every = reference.EVERY["maxpool"](op, x, y, saved)
    (each,), _ = reference.BACKWARD["maxpool"](op, every, dy)
    assert one.tolist() == [[[[1 + 2 + 4 + 5, 3 + 6], [7, 8 + 9]]]]
    assert each.tolist() == [[[[1 + 2 + 4 + 5, 2 + 3 + 5 + 6], [7, 5 + 6 + 8 + 9]]]]


def test_near_corners_of_other_activations_are_turned_round() -> None:
    x, limit = np.array([[-3 - 1e-7, -3 + 1e-7, 0.0, 3 - 1e-7, 3 + 1e-7, 6 - 1e-7]]), np.array(1e-6)
    for op, wanted in (
        (ops.HardSwish(), [-0.5, 0, 0.5, 1, 1.5, 1]),
        (ops.HardSigmoid(), [1 / 6, 0, 1 / 6, 0, 1 / 6, 0]),
        (ops.Relu6(), [0, 0, 1, 1, 1, 0]),
    ):
        y, saved = reference.FORWARD[op.kind](op, At([x], {}, True))
        other = reference.TIES[op.kind](op, x, y, saved, limit)
        np.testing.assert_allclose(other, [wanted], atol=1e-5)


def test_near_maxima_are_turned_round_and_no_others() -> None:
    op = ops.MaxPool((1, 3), (1, 3))
    x = np.array([[3, 3 - 1e-7, 0], [3, 0, 3 - 1e-3], [1, 2, 2 + 1e-7]]).reshape(1, 3, 1, 3)
    y, saved = reference.FORWARD["maxpool"](op, At([x], {}, True))
    _, other = reference.TIES["maxpool"](op, x, y, saved, np.full((3, 1, 1), 1e-6))
    assert saved[1].ravel().tolist() == [0, 0, 2]
    assert other.ravel().tolist() == [1, 0, 1]


def test_near_is_decided_channel_by_channel() -> None:
    op = ops.MaxPool((1, 2), (1, 2))
    x = np.array([[3, 2.9], [3, 2.9]]).reshape(1, 2, 1, 2)
    y, saved = reference.FORWARD["maxpool"](op, At([x], {}, True))
    _, other = reference.TIES["maxpool"](op, x, y, saved, np.array([0.01, 0.1]).reshape(2, 1, 1))
    assert other.ravel().tolist() == [0, 1]


def test_a_network_keeps_both_decisions() -> None:
    graph = build(lambda x: x.relu().maxpool(2, 2).flatten(), "ties", (1, 2, 4))
    x = np.array([[1e-9, -1.0, 5.0, 5.0], [-1.0, -1.0, 1.0, 1.0]]).reshape(1, 1, 2, 4)
    passed = reference.train(graph, {}, x, near=lambda node, x: np.full((1, 1, 1), 1e-6))
    changed = np.argwhere(passed.saved["relu1"] != passed.other["relu1"])
    assert changed.tolist() == [[0, 0, 0, 0]]
    assert passed.saved["maxpool1"][1].ravel().tolist() == [0, 0]
    assert passed.other["maxpool1"][1].ravel().tolist()[1] == 1
    assert passed.saved["flatten1"] == passed.other["flatten1"]
