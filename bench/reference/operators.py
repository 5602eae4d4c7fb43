"""The operators in NumPy, forward and backward: see the package.

Convolution is im2col and a matrix product, one image at a time, so that memory stays bounded; where
each input channel is a group of its own it is a sum over the kernel's positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench import ops
from bench.ops import Pair

Array = NDArray[Any]
Arrays = dict[str, Array]
Backward = Callable[[Any, Any, Array], tuple[list[Array], Arrays]]


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


def forward(*kinds: type[ops.Op]) -> Callable[[Forward], Forward]:
    """Register a function as the forward of these operators."""

    def register(function: Forward) -> Forward:
        FORWARD.update({kind.kind: function for kind in kinds})
        return function

    return register


def backward(*kinds: type[ops.Op]) -> Callable[[Backward], Backward]:
    """Register a function as the backward of these operators."""

    def register(function: Backward) -> Backward:
        BACKWARD.update({kind.kind: function for kind in kinds})
        return function

    return register


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
    if depthwise(op, x):
        correlate_channels(op, x, kernels, y)
    else:
        correlate_groups(op, x, kernels, y)
    if op.bias:
        y += at.weights["bias"][:, None, None]
    return y, (x, kernels)


def depthwise(op: ops.Conv, x: Array) -> bool:
    """Whether each input channel is a group of its own."""
    channels: int = x.shape[1]
    return channels == op.groups > 1


def correlate_groups(op: ops.Conv, x: Array, kernels: Array, y: Array) -> None:
    """Fill y, a group of an image at a time."""
    for image, out in zip(x, y, strict=True):
        parts = zip(np.split(image, op.groups), np.split(out, op.groups), kernels, strict=True)
        for part, target, kernel in parts:
            product = kernel @ columns(part, op.kernel, op.stride)
            target[...] = product.reshape(target.shape)


def correlate_channels(op: ops.Conv, x: Array, kernels: Array, y: Array) -> None:
    """Fill y where every channel is a group, a position of the kernel at a time."""
    out = y.reshape(len(y), op.groups, -1, *y.shape[2:])
    out[...] = 0
    for k, (rows, cols) in enumerate(taps(x.shape, op.kernel, op.stride)):
        out += x[:, :, None, rows, cols] * kernels[:, :, k, None, None]


@backward(ops.Conv)
def conv_backward(op: ops.Conv, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    x, kernels = saved
    dx, dk = np.zeros_like(x), np.zeros_like(kernels)
    spread = spread_channels if depthwise(op, x) else spread_groups
    spread(op, x, kernels, dy, dx, dk)
    weight = dk.reshape(op.out, -1, *op.kernel)
    return [unpadded(dx, op.pad)], {"weight": weight} | bias_gradient(op.bias, channel_sum(dy))


def spread_groups(op: ops.Conv, x: Array, kernels: Array, dy: Array, dx: Array, dk: Array) -> None:
    """Add to the gradients of x and of the kernels, a group of an image at a time."""
    for image, target, gradient in zip(x, dx, dy, strict=True):
        groups = zip(
            np.split(image, op.groups), np.split(target, op.groups),
            np.split(gradient, op.groups), kernels, dk, strict=True,
        )  # fmt: skip
        for part, dpart, dout, kernel, dkernel in groups:
            flat = dout.reshape(len(dout), -1)
            dkernel += flat @ columns(part, op.kernel, op.stride).T
            dpart[...] = uncolumns(kernel.T @ flat, part.shape, op.kernel, op.stride)


def spread_channels(
    op: ops.Conv, x: Array, kernels: Array, dy: Array, dx: Array, dk: Array
) -> None:
    """The same where every channel is a group, a position of the kernel at a time."""
    flow = dy.reshape(len(dy), op.groups, -1, *dy.shape[2:])
    for k, (rows, cols) in enumerate(taps(x.shape, op.kernel, op.stride)):
        dk[:, :, k] = np.einsum("ncmhw,nchw->cm", flow, x[:, :, rows, cols])
        dx[:, :, rows, cols] += np.einsum("ncmhw,cm->nchw", flow, kernels[:, :, k])


def channel_sum(x: Array) -> Array:
    """Sum over N, H and W; in float32 one value after the other, as a plain loop does.

    NumPy adds in pairs, more exactly than many a correct program: by that measure oneDNN's
    gradient of a bias, which is such a loop, would be wrong."""
    if x.dtype != np.float32:
        return np.asarray(x.sum((0, 2, 3)))
    sums: Array = np.cumsum(x.swapaxes(0, 1).reshape(x.shape[1], -1), 1, np.float32)
    return sums[:, -1]


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
    count = x.dtype.type(x.size // x.shape[1])
    mean = channel_sum(x) / count
    return mean, channel_sum(np.square(x - mean[:, None, None])) / count


@backward(ops.BatchNorm)
def batchnorm_backward(op: ops.BatchNorm, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    """Ioffe, Szegedy 2015, section 3: through the batch's mean and variance in training."""
    normal, inverse, scale, training = saved
    dscale, dshift = channel_sum(dy * normal), channel_sum(dy)
    dx = dy
    if training:
        count = dy.size // dy.shape[1]
        dx = dy - (dshift[:, None, None] + normal * dscale[:, None, None]) / count
    return [dx * (scale * inverse)[:, None, None]], {"scale": dscale, "shift": dshift}


# -- layers without --------------------------------------------------------------------------------


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
    shape, where = saved  # the winner's position in the window, or whether each one wins (ties.py)
    dx = np.zeros(shape, dy.dtype)
    for k, (rows, cols) in enumerate(taps(shape, op.kernel, op.stride)):
        dx[..., rows, cols] += dy * (where[k] if where.dtype == bool else where == k)
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


@forward(ops.Dropout, ops.StochasticDepth)
def dropout(op: ops.Dropout, at: At) -> tuple[Array, Any]:
    """The identity: chance cannot be compared, so checks run at rate 0."""
    if at.training and op.rate:
        raise ValueError(f"the referee trains without dropout; got rate {op.rate}")
    return at.x, None


@backward(ops.Dropout, ops.StochasticDepth)
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


@forward(ops.ChannelShuffle)
def channelshuffle(op: ops.ChannelShuffle, at: At) -> tuple[Array, Any]:
    return shuffled(at.x, op.groups), None


def shuffled(x: Array, groups: int) -> Array:
    """Channels as a matrix of `groups` rows, read column by column."""
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).swapaxes(1, 2).reshape(x.shape)


@backward(ops.ChannelShuffle)
def channelshuffle_backward(
    op: ops.ChannelShuffle, saved: Any, dy: Array
) -> tuple[list[Array], Arrays]:
    return [shuffled(dy, dy.shape[1] // op.groups)], {}


@forward(ops.Slice)
def channels(op: ops.Slice, at: At) -> tuple[Array, Any]:
    return at.x[:, op.start : op.stop], at.x.shape


@backward(ops.Slice)
def channels_backward(op: ops.Slice, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    dx = np.zeros(saved, dy.dtype)
    dx[:, op.start : op.stop] = dy
    return [dx], {}


@forward(ops.Multiply)
def multiply(op: ops.Multiply, at: At) -> tuple[Array, Any]:
    x, gate = at.inputs
    return x * gate[:, :, None, None], (x, gate)


@backward(ops.Multiply)
def multiply_backward(op: ops.Multiply, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    x, gate = saved
    return [dy * gate[:, :, None, None], (dy * x).sum((2, 3))], {}
