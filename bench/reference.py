"""The referee: every operator in NumPy, forward and backward, and a network run with them.

No framework is its own judge. In float64 this gives the values that all frameworks are compared
with; in float32 the "twin", whose own rounding says how far apart two correct programs may lie.
`tests/test_reference.py` checks each backward against finite differences of its forward.

Arrays are (N, C, H, W) or (N, K). `FORWARD[kind](op, at)` gives the output and what the
backward needs, `BACKWARD[kind](op, saved, gradient)` the gradients of the inputs and weights.
Convolution is im2col and a matrix product, one image at a time, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench import ops
from bench.graph import INPUT, Graph, Node
from bench.ops import Pair

Array = NDArray[Any]
Arrays = dict[str, Array]
Backward = Callable[[Any, Any, Array], tuple[list[Array], Arrays]]
Near = Callable[[Node, Array], Array]


class At(NamedTuple):
    """What an operator is applied to: inputs, its own weights and statistics, and the mode."""

    inputs: Sequence[Array]
    weights: Mapping[str, Array]
    training: bool

    @property
    def x(self) -> Array:
        """The first input."""
        return self.inputs[0]


Forward = Callable[[Any, At], tuple[Array, Any]]

FORWARD: dict[str, Forward] = {}
BACKWARD: dict[str, Backward] = {}


def forward(kind: type[ops.Op]) -> Callable[[Forward], Forward]:
    return lambda function: FORWARD.setdefault(kind.kind, function)


def backward(kind: type[ops.Op]) -> Callable[[Backward], Backward]:
    return lambda function: BACKWARD.setdefault(kind.kind, function)


# -- windows -------------------------------------------------------------------------------------


def padded(x: Array, pad: Pair, value: float = 0.0) -> Array:
    """x with `pad` values on both sides of its last two axes."""
    if pad == (0, 0):
        return x
    edges = [(0, 0)] * (x.ndim - 2) + [(pad[0], pad[0]), (pad[1], pad[1])]
    return np.pad(x, edges, constant_values=value)


def unpadded(x: Array, pad: Pair) -> Array:
    h, w = x.shape[-2:]
    return x[..., pad[0] : h - pad[0], pad[1] : w - pad[1]]


def taps(shape: tuple[int, ...], kernel: Pair, stride: Pair) -> Iterator[tuple[slice, ...]]:
    """For each kernel position the slices of a padded (..., H, W) array that it meets."""
    (kh, kw), (sh, sw), (h, w) = kernel, stride, shape[-2:]
    oh, ow = (h - kh) // sh + 1, (w - kw) // sw + 1
    for i in range(kh):
        for j in range(kw):
            yield slice(i, i + sh * oh, sh), slice(j, j + sw * ow, sw)


def columns(x: Array, kernel: Pair, stride: Pair) -> Array:
    """im2col of one padded (C, H, W) image: (C*kh*kw, OH*OW)."""
    if kernel == (1, 1) and stride == (1, 1):
        return x.reshape(len(x), -1)
    view = sliding_window_view(x, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    c, oh, ow, kh, kw = view.shape
    return view.transpose(0, 3, 4, 1, 2).reshape(c * kh * kw, oh * ow)


def uncolumns(columns: Array, shape: tuple[int, ...], kernel: Pair, stride: Pair) -> Array:
    """The transpose of `columns`: sums overlapping windows back into a (C, H, W) image."""
    if kernel == (1, 1) and stride == (1, 1):
        return columns.reshape(shape)
    image = np.zeros(shape, columns.dtype)
    parts = columns.reshape(shape[0], kernel[0] * kernel[1], -1)
    for part, (rows, cols) in zip(
        parts.transpose(1, 0, 2), taps(shape, kernel, stride), strict=True
    ):
        target = image[:, rows, cols]
        target += part.reshape(target.shape)
    return image


# -- layers with weights ---------------------------------------------------------------------------


@forward(ops.Conv)
def conv(op: ops.Conv, at: At) -> tuple[Array, Any]:
    x = padded(at.x, op.pad)
    kernels = at.weights["weight"].reshape(op.groups, op.out // op.groups, -1)
    size = ops.window("conv", x.shape[-2:], op.kernel, op.stride, (0, 0))
    y = np.empty((len(x), op.out, *size), x.dtype)
    for image, out in zip(x, y, strict=True):
        parts = zip(np.split(image, op.groups), np.split(out, op.groups), kernels, strict=True)
        for part, target, kernel in parts:
            product = kernel @ columns(part, op.kernel, op.stride)
            target[...] = product.reshape(target.shape)
    if op.bias:
        y += at.weights["bias"][:, None, None]
    return y, (x, kernels)


@backward(ops.Conv)
def conv_backward(op: ops.Conv, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    x, kernels = saved
    dx, dk = np.empty_like(x), np.zeros_like(kernels)
    for image, target, gradient in zip(x, dx, dy, strict=True):
        groups = zip(
            np.split(image, op.groups), np.split(target, op.groups),
            np.split(gradient, op.groups), kernels, dk, strict=True,
        )  # fmt: skip
        for part, dpart, dout, kernel, dkernel in groups:
            flat = dout.reshape(len(dout), -1)
            dkernel += flat @ columns(part, op.kernel, op.stride).T
            dpart[...] = uncolumns(kernel.T @ flat, part.shape, op.kernel, op.stride)
    weight = dk.reshape(op.out, -1, *op.kernel)
    return [unpadded(dx, op.pad)], {"weight": weight} | bias_gradient(op.bias, dy.sum((0, 2, 3)))


def bias_gradient(wanted: bool, value: Array) -> Arrays:
    return {"bias": value} if wanted else {}


@forward(ops.Dense)
def dense(op: ops.Dense, at: At) -> tuple[Array, Any]:
    y = at.x @ at.weights["weight"].T
    return (y + at.weights["bias"] if op.bias else y), (at.x, at.weights["weight"])


@backward(ops.Dense)
def dense_backward(op: ops.Dense, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    x, weight = saved
    return [dy @ weight], {"weight": dy.T @ x} | bias_gradient(op.bias, dy.sum(0))


@forward(ops.BatchNorm)
def batchnorm(op: ops.BatchNorm, at: At) -> tuple[Array, Any]:
    x = at.x
    mean, variance = moments(x) if at.training else (at.weights["mean"], at.weights["variance"])
    inverse = 1 / np.sqrt(variance + np.asarray(op.eps, x.dtype))
    normal = (x - mean[:, None, None]) * inverse[:, None, None]
    y = normal * at.weights["scale"][:, None, None] + at.weights["shift"][:, None, None]
    return y, (normal, inverse, at.weights["scale"], at.training)


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel."""
    return x.mean((0, 2, 3)), x.var((0, 2, 3))


@backward(ops.BatchNorm)
def batchnorm_backward(op: ops.BatchNorm, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    """Ioffe, Szegedy 2015, section 3: through the batch's mean and variance in training."""
    normal, inverse, scale, training = saved
    dscale, dshift = (dy * normal).sum((0, 2, 3)), dy.sum((0, 2, 3))
    dx = dy
    if training:
        count = dy.size // dy.shape[1]
        dx = dy - (dshift[:, None, None] + normal * dscale[:, None, None]) / count
    return [dx * (scale * inverse)[:, None, None]], {"scale": dscale, "shift": dshift}


# -- layers without --------------------------------------------------------------------------------


@forward(ops.Relu)
def relu(op: ops.Relu, at: At) -> tuple[Array, Any]:
    return np.maximum(at.x, 0), at.x > 0


@backward(ops.Relu)
def relu_backward(op: ops.Relu, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return [dy * saved], {}


@forward(ops.Lrn)
def lrn(op: ops.Lrn, at: At) -> tuple[Array, Any]:
    x = at.x
    base = op.k + op.alpha / op.size * neighbours(x * x, op.size)
    base = base.astype(x.dtype)
    return x * base**-op.beta, (x, base)


def neighbours(x: Array, size: int) -> Array:
    """Sum over `size` channels centred on each one."""
    edge = size // 2
    wide = np.pad(x, [(0, 0), (edge, edge), (0, 0), (0, 0)])
    return sum((wide[:, i : i + x.shape[1]] for i in range(size)), np.zeros_like(x))


@backward(ops.Lrn)
def lrn_backward(op: ops.Lrn, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    x, base = saved
    inner = neighbours(dy * x * base ** (-op.beta - 1), op.size)
    factor = np.asarray(2 * op.alpha * op.beta / op.size, x.dtype)
    return [dy * base**-op.beta - factor * x * inner], {}


@forward(ops.MaxPool)
def maxpool(op: ops.MaxPool, at: At) -> tuple[Array, Any]:
    """Of equal values the first in row-major order wins, and gets the gradient."""
    x = padded(at.x, op.pad, -np.inf)
    best: Array | None = None
    where: Array | None = None
    for k, (rows, cols) in enumerate(taps(x.shape, op.kernel, op.stride)):
        value = x[..., rows, cols]
        if best is None or where is None:
            best, where = value.copy(), np.zeros(value.shape, np.int16)
            continue
        wins = value > best
        best[wins], where[wins] = value[wins], k
    assert best is not None
    return best, (x.shape, where)


@backward(ops.MaxPool)
def maxpool_backward(op: ops.MaxPool, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    shape, where = saved
    dx = np.zeros(shape, dy.dtype)
    for k, (rows, cols) in enumerate(taps(shape, op.kernel, op.stride)):
        dx[..., rows, cols] += dy * (where == k)
    return [unpadded(dx, op.pad)], {}


@forward(ops.AvgPool)
def avgpool(op: ops.AvgPool, at: At) -> tuple[Array, Any]:
    x, ones = padded(at.x, op.pad), padded(np.ones_like(at.x[:1, :1]), op.pad)
    slices = list(taps(x.shape, op.kernel, op.stride))
    count = np.sum([ones[..., rows, cols] for rows, cols in slices], axis=0)
    total = np.sum([x[..., rows, cols] for rows, cols in slices], axis=0)
    return total / count, (x.shape, count)


@backward(ops.AvgPool)
def avgpool_backward(op: ops.AvgPool, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    shape, count = saved
    dx = np.zeros(shape, dy.dtype)
    for rows, cols in taps(shape, op.kernel, op.stride):
        dx[..., rows, cols] += dy / count
    return [unpadded(dx, op.pad)], {}


@forward(ops.GlobalAvgPool)
def globalavgpool(op: ops.GlobalAvgPool, at: At) -> tuple[Array, Any]:
    return at.x.mean((2, 3)), at.x.shape


@backward(ops.GlobalAvgPool)
def globalavgpool_backward(op: ops.Op, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return [np.broadcast_to(dy[..., None, None] / (saved[2] * saved[3]), saved)], {}


@forward(ops.Flatten)
def flatten(op: ops.Flatten, at: At) -> tuple[Array, Any]:
    return at.x.reshape(len(at.x), -1), at.x.shape


@backward(ops.Flatten)
def flatten_backward(op: ops.Op, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return [dy.reshape(saved)], {}


@forward(ops.Dropout)
def dropout(op: ops.Dropout, at: At) -> tuple[Array, Any]:
    """The identity: chance cannot be compared, so checks run at rate 0."""
    if at.training and op.rate:
        raise ValueError(f"the referee trains without dropout; got rate {op.rate}")
    return at.x, None


@backward(ops.Dropout)
def dropout_backward(op: ops.Op, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return [dy], {}


@forward(ops.Add)
def add(op: ops.Add, at: At) -> tuple[Array, Any]:
    return np.add(*at.inputs) if len(at.inputs) == 2 else sum(at.inputs[1:], at.x), len(at.inputs)


@backward(ops.Add)
def add_backward(op: ops.Op, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return [dy] * saved, {}


@forward(ops.Concat)
def concat(op: ops.Concat, at: At) -> tuple[Array, Any]:
    edges = np.cumsum([x.shape[1] for x in at.inputs])[:-1]
    return np.concatenate(at.inputs, 1), edges


@backward(ops.Concat)
def concat_backward(op: ops.Op, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return list(np.split(dy, saved, 1)), {}


# -- networks --------------------------------------------------------------------------------------


@dataclass
class Run:
    """One pass over a network: the logits, what the backward needs, and that with ties decided
    the other way."""

    graph: Graph
    logits: Array
    saved: dict[str, Any]
    other: dict[str, Any]


def node_weights(node: Node, weights: Mapping[str, Array], dtype: Any) -> Arrays:
    names = [*node.weights, *node.state]
    return {w: weights[f"{node.name}/{w}"].astype(dtype, copy=False) for w in names}


def rms(x: Array) -> float:
    """Root of the mean square, summed in float64."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def last_uses(graph: Graph) -> dict[str, str]:
    """For each value the node after which nobody reads it."""
    return {i: node.name for node in graph.nodes for i in node.inputs}


def run(
    graph: Graph,
    weights: Mapping[str, Array],
    x: Array,
    *,
    training: bool = False,
    dtype: Any = np.float64,
    keep: bool = False,
    near: Near | None = None,
    observe: Callable[[Node, Array], Mapping[str, Array]] | None = None,
) -> Run:
    """Run a network. With `keep` what its backward needs is kept, with `near` also that with every
    tie decided the other way. `observe` sees each node and its first input beforehand and may
    replace its weights (calibration)."""
    values, last = {INPUT: x.astype(dtype)}, last_uses(graph)
    saved: dict[str, Any] = {}
    other: dict[str, Any] = {}
    y = values[INPUT]
    for node in graph.nodes:
        inputs = [values[i] for i in node.inputs]
        own = node_weights(node, weights, dtype)
        if observe:
            own.update(observe(node, inputs[0]))
        y, rest = FORWARD[node.op.kind](node.op, At(inputs, own, training))
        values[node.name] = y
        if keep:
            saved[node.name] = rest
        if near and node.op.kind in TIES:
            limit = near(node, inputs[0])
            other[node.name] = TIES[node.op.kind](node.op, inputs[0], y, rest, limit)
        for name in {i for i in node.inputs if last[i] == node.name}:
            del values[name]
    return Run(graph, y, saved, saved | other)


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Mean softmax cross-entropy of (N, classes) and (N,), and its gradient."""
    shifted = logits - logits.max(1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float((np.log(total[:, 0]) - shifted[rows, labels]).mean())
    gradient = exponentials / total
    gradient[rows, labels] -= 1
    return loss, gradient / len(labels)


def backpropagate(passed: Run, labels: Array) -> tuple[float, Arrays, Array]:
    """The loss of a kept training pass, and the gradients of every parameter and of the input."""
    loss, dlogits = cross_entropy(passed.logits, labels)
    flowing: Arrays = {passed.graph.nodes[-1].name: dlogits}
    found: Arrays = {}
    for node in reversed(passed.graph.nodes):
        step = BACKWARD[node.op.kind]
        dinputs, dweights = step(node.op, passed.saved[node.name], flowing.pop(node.name))
        found |= {f"{node.name}/{w}": g for w, g in dweights.items()}
        for name, gradient in zip(node.inputs, dinputs, strict=True):
            flowing[name] = flowing[name] + gradient if name in flowing else gradient
    return loss, found, flowing[INPUT]


def train(
    graph: Graph, weights: Mapping[str, Array], x: Array, dtype: Any = np.float64, **hooks: Any
) -> Run:
    """A training pass that can be backpropagated, see `run`."""
    return run(graph, weights, x, training=True, dtype=dtype, keep=True, **hooks)


# -- ties ------------------------------------------------------------------------------------------
# A ReLU near zero and two nearly equal entries of a pooling window are decided by rounding, and a
# decision that falls the other way changes gradients by far more than rounding does. What is kept
# in `Run.other` decides every such tie the other way; the difference bounds what ties can do.
# `near(node, x)` says how near is a tie, for each entry or channel of the node's input x.


def relu_ties(op: ops.Op, x: Array, y: Array, saved: Any, limit: Array) -> Any:
    return saved ^ (np.abs(x) < limit)


def maxpool_ties(op: ops.MaxPool, x: Array, y: Array, saved: Any, limit: Array) -> Any:
    """Another of the nearly largest entries wins in place of the first largest."""
    shape, first = saved
    wide, where = padded(x, op.pad, -np.inf), first.copy()
    for k, (rows, cols) in enumerate(taps(shape, op.kernel, op.stride)):
        where[(wide[..., rows, cols] > y - 2 * limit) & (first != k)] = k
    return shape, where


TIES: dict[str, Callable[[Any, Array, Array, Any, Array], Any]] = {
    ops.Relu.kind: relu_ties,
    ops.MaxPool.kind: maxpool_ties,
}
