"""Mistakes in the operators themselves: the referee's forward, backward or loss with one fault.

Each is planted with patch(table or module, name, function) and undone before the next network.
"""

from dataclasses import replace

import numpy as np
from scipy.special import expit

from bench import reference
from bench.reference import BACKWARD, FORWARD, network, operators
from bench.reference.activations import SLOPES, VALUES
from bench.reference.operators import At, padded, taps, unpadded
from tests.mistakes import mistake

RANDOM = np.random.RandomState(0)


def before(patch, kind, prepare):
    """The operator is computed with another op and other circumstances: prepare(op, at)."""
    right = FORWARD[kind]
    patch(FORWARD, kind, lambda op, at: right(*prepare(op, at)))


def after(patch, table, kind, finish):
    """What the operator's forward or backward gives is changed: finish(op, result)."""
    right = table[kind]
    patch(table, kind, lambda op, *rest: finish(op, right(op, *rest)))


def on(at, x):
    """The same circumstances with another first input."""
    return At([x, *at.inputs[1:]], at.weights, at.training)


def channels(v):
    return v[:, None, None]


# -- convolution and dense -------------------------------------------------------------------------


@mistake("operators", "conv")
def padding_of_same(patch):
    """SAME of TensorFlow: the odd row of padding lies behind where the network has it in front."""

    def forward(op, at):
        x = padded(at.x, op.pad)
        rows, cols = (int(s > 1 and p > 0) for s, p in zip(op.stride, op.pad, strict=True))
        x = np.roll(x, (-rows, -cols), (2, 3))
        return replace(op, pad=(0, 0)), on(at, x)

    before(patch, "conv", forward)


@mistake("operators", "conv")
def padding_repeats_the_edge(patch):
    """Convolutions are padded with the edge's values in place of zeros."""

    def forward(op, at):
        edges = [(0, 0), (0, 0), *((p, p) for p in op.pad)]
        return replace(op, pad=(0, 0)), on(at, np.pad(at.x, edges, mode="edge"))

    before(patch, "conv", forward)


@mistake("operators", "conv")
def conv_gradient_with_flipped_kernels(patch):
    """The gradient of a convolution's input is computed with kernels turned round."""
    right = BACKWARD["conv"]

    def backward(op, saved, dy):
        x, kernels = saved
        turned = kernels.reshape(*kernels.shape[:2], -1, op.kernel[0] * op.kernel[1])[..., ::-1]
        inputs = right(op, (x, turned.reshape(kernels.shape)), dy)[0]
        return inputs, right(op, saved, dy)[1]

    patch(BACKWARD, "conv", backward)


@mistake("operators", "conv")
def conv_bias_gradient_averaged(patch):
    """The gradient of a bias is averaged over the positions, not summed."""
    right = BACKWARD["conv"]

    def backward(op, saved, dy):
        inputs, found = right(op, saved, dy)
        scale = dy.dtype.type(1 / (dy.shape[2] * dy.shape[3]))
        return inputs, {k: g * scale if k == "bias" else g for k, g in found.items()}

    patch(BACKWARD, "conv", backward)


@mistake("operators", "conv")
def group_gradient_to_the_first_group(patch):
    """Only the first group's kernels get a gradient."""

    def finish(op, result):
        result[1]["weight"][op.out // op.groups :] = 0
        return result

    after(patch, BACKWARD, "conv", finish)


@mistake("operators", "flatten")
def flatten_in_hwc_order(patch):
    """Flatten gives (H, W, C) order."""
    before(
        patch,
        "flatten",
        lambda op, at: (op, on(at, at.x.transpose(0, 2, 3, 1).reshape(at.x.shape))),
    )


# -- batch normalisation --------------------------------------------------------------------------


def batchnorm(patch, moments=None, inverse=None):
    """A batch normalisation with other statistics, moments(at), or another 1 / sqrt."""

    def usual(at):
        stored = at.weights["mean"], at.weights["variance"]
        return operators.moments(at.x) if at.training else stored

    def forward(op, at):
        mean, variance = (moments or usual)(at)
        eps = at.x.dtype.type(op.eps)
        factor = (inverse or (lambda v, eps: 1 / np.sqrt(v + eps)))(variance, eps)
        normal = (at.x - channels(mean)) * channels(factor)
        y = normal * channels(at.weights["scale"]) + channels(at.weights["shift"])
        return y, (normal, factor, at.weights["scale"], at.training)

    patch(FORWARD, "batchnorm", forward)


@mistake("operators", "batchnorm")
def variance_unbiased(patch):
    """In training the variance is divided by n - 1."""

    def moments(at):
        if at.training:
            return at.x.mean((0, 2, 3)), at.x.var((0, 2, 3), ddof=1)
        return at.weights["mean"], at.weights["variance"]

    batchnorm(patch, moments)


@mistake("operators", "batchnorm")
def epsilon_outside_the_root(patch):
    """Epsilon is added to the deviation, not to the variance."""
    batchnorm(patch, inverse=lambda variance, eps: 1 / (np.sqrt(variance) + eps))


@mistake("operators", "batchnorm")
def epsilon_as_a_minimum(patch):
    """The variance is at least epsilon, instead of larger by it."""
    batchnorm(patch, inverse=lambda variance, eps: 1 / np.sqrt(np.maximum(variance, eps)))


@mistake("operators", "batchnorm")
def stored_statistics_in_training(patch):
    """Training normalises with the stored statistics."""
    batchnorm(patch, lambda at: (at.weights["mean"], at.weights["variance"]))


@mistake("operators", "batchnorm")
def batch_statistics_in_inference(patch):
    """Inference normalises with the statistics of the batch."""
    batchnorm(patch, lambda at: operators.moments(at.x))


@mistake("operators", "batchnorm")
def moving_statistics_in_training(patch):
    """Training normalises with the updated moving averages."""

    def moments(at):
        stored = at.weights["mean"], at.weights["variance"]
        if not at.training:
            return stored
        seen = operators.moments(at.x)
        return tuple(s * 9 / 10 + b / 10 for s, b in zip(stored, seen, strict=True))

    batchnorm(patch, moments)


@mistake("operators", "batchnorm")
def statistics_of_the_first_image(patch):
    """Statistics are those of the first image, as on one device of several."""

    def moments(at):
        if at.training:
            return operators.moments(at.x[:1])
        return at.weights["mean"], at.weights["variance"]

    batchnorm(patch, moments)


@mistake("operators", "batchnorm")
def batchnorm_gradient_not_through_the_statistics(patch):
    """The gradient of a batch normalisation takes the statistics for constants."""
    right = BACKWARD["batchnorm"]
    patch(BACKWARD, "batchnorm", lambda op, saved, dy: right(op, (*saved[:3], False), dy))


@mistake("operators", "batchnorm")
def batchnorm_gradient_not_through_the_variance(patch):
    """The gradient of a batch normalisation misses the variance's share."""
    right = BACKWARD["batchnorm"]

    def backward(op, saved, dy):
        _, inverse, scale, _ = saved
        dx = (dy - dy.mean((0, 2, 3), keepdims=True)) * channels(scale * inverse)
        return [dx], right(op, saved, dy)[1]

    patch(BACKWARD, "batchnorm", backward)


@mistake("operators", "batchnorm", same="a product taken in another order, but for rounding")
def batchnorm_folded(patch):
    """Scale and shift are folded with the statistics into one factor and one summand."""

    def forward(op, at):
        moments = operators.moments(at.x)
        stored = at.weights["mean"], at.weights["variance"]
        mean, variance = moments if at.training else stored
        inverse = 1 / np.sqrt(variance + at.x.dtype.type(op.eps))
        factor = at.weights["scale"] * inverse
        y = at.x * channels(factor) + channels(at.weights["shift"] - mean * factor)
        normal = (at.x - channels(mean)) * channels(inverse)
        return y, (normal, inverse, at.weights["scale"], at.training)

    patch(FORWARD, "batchnorm", forward)


# -- local response normalisation -----------------------------------------------------------------


def along(axis):
    """Sums of neighbours along another axis than the channels'."""
    right = operators.neighbours
    return lambda x, size: np.moveaxis(right(np.moveaxis(x, axis, 1), size), 1, axis)


@mistake("operators", "lrn")
def lrn_along_the_batch(patch):
    """Neighbours are other images, not other channels."""
    patch(operators, "neighbours", along(0))


@mistake("operators", "lrn")
def lrn_along_the_width(patch):
    """Neighbours are other columns, not other channels."""
    patch(operators, "neighbours", along(3))


@mistake("operators", "lrn")
def lrn_of_earlier_channels(patch):
    """The window ends at its channel in place of being centred on it."""
    right = operators.neighbours

    def neighbours(x, size):
        edge = size // 2
        wide = np.pad(x, [(0, 0), (edge, 0), (0, 0), (0, 0)])
        return right(wide, size)[:, : x.shape[1]]

    patch(operators, "neighbours", neighbours)


@mistake("operators", "lrn")
def lrn_averages_what_there_is(patch):
    """At the first and last channels alpha is divided by the channels that there are."""
    right = operators.neighbours

    def neighbours(x, size):
        there = right(np.ones_like(x[:1]), size)
        return right(x, size) * size / there

    patch(operators, "neighbours", neighbours)


@mistake("operators", "lrn")
def lrn_gradient_without_its_second_term(patch):
    """The gradient of a local response normalisation takes the denominator for constant."""
    patch(
        BACKWARD,
        "lrn",
        lambda op, saved, dy: ([dy * saved[1] ** saved[0].dtype.type(-op.beta)], {}),
    )


@mistake("operators", "lrn", same="the same power, computed otherwise")
def lrn_by_logarithm(patch):
    """The power is taken as the exponential of a logarithm."""

    def forward(op, at):
        base = op.k + op.alpha / op.size * operators.neighbours(at.x * at.x, op.size)
        base = base.astype(at.x.dtype)
        return at.x * np.exp(-at.x.dtype.type(op.beta) * np.log(base)), (at.x, base)

    patch(FORWARD, "lrn", forward)


# -- activations ----------------------------------------------------------------------------------


def activation(patch, kind, value, slope):
    patch(VALUES, kind, value)
    patch(SLOPES, kind, slope)


@mistake("operators", "relu")
def relu_leaks(patch):
    """ReLU lets 1% of what is negative through."""
    small = np.float32(0.01)
    activation(
        patch, "relu", lambda x: np.where(x > 0, x, small * x), lambda x: np.where(x > 0, 1, small)
    )


@mistake("operators", "relu")
def relu_softened(patch):
    """ReLU is an ELU."""
    activation(
        patch,
        "relu",
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.exp(np.minimum(x, 0)),
    )


@mistake("operators", "relu")
def relu_gradient_guided(patch):
    """A ReLU's gradient is cut off below 0, as for pictures of what a network sees."""
    right = BACKWARD["relu"]
    patch(BACKWARD, "relu", lambda op, saved, dy: right(op, saved, np.maximum(dy, 0)))


@mistake("operators", "relu", same="no input of a ReLU is exactly 0 where gradient arrives")
def relu_gradient_one_at_zero(patch):
    """A ReLU's gradient at 0 is 1."""
    patch(SLOPES, "relu", lambda x: x >= 0)


@mistake("operators", "relu6")
def relu6_gradient_above_six(patch):
    """ReLU6's gradient passes above 6."""
    patch(SLOPES, "relu6", lambda x: x > 0)


@mistake("operators", "sigmoid")
def sigmoid_slope_of_its_input(patch):
    """The sigmoid's slope s (1 - s) is taken of its input."""
    patch(SLOPES, "sigmoid", lambda x: x * (1 - x))


@mistake("operators", "hardsigmoid")
def hard_sigmoid_of_keras(patch):
    """Hard sigmoid is clip(0.2 x + 0.5), as in Keras and Theano."""
    slope = np.float32(0.2)
    activation(
        patch,
        "hardsigmoid",
        lambda x: np.clip(slope * x + slope.dtype.type(0.5), 0, 1),
        lambda x: (np.abs(x) < 2.5) * slope,
    )


@mistake("operators", "hardswish")
def hard_swish_with_a_gate_of_keras(patch):
    """Hard swish has the gate clip(0.2 x + 0.5)."""
    slope = np.float32(0.2)
    patch(VALUES, "hardswish", lambda x: x * np.clip(slope * x + np.float32(0.5), 0, 1))


@mistake("operators", "hardswish")
def hard_swish_gradient_of_its_gate_missing(patch):
    """Hard swish's slope is its gate alone."""
    patch(SLOPES, "hardswish", lambda x: np.clip(x + 3, 0, 6) / 6)


@mistake("operators", "swish")
def swish_gradient_of_its_gate_missing(patch):
    """Swish's slope is its gate alone."""
    patch(SLOPES, "swish", expit)


@mistake("operators", "swish")
def swish_as_gelu(patch):
    """Swish is x sigmoid(1.702 x), an approximate GELU."""
    b = np.float32(1.702)
    activation(
        patch,
        "swish",
        lambda x: x * expit(b * x),
        lambda x: expit(b * x) * (1 + b * x * expit(-b * x)),
    )


# -- pooling --------------------------------------------------------------------------------------


@mistake("operators", "maxpool")
def maxpool_padded_with_zeros(patch):
    """Maximum pooling pads with zeros, which win over negative values."""
    before(patch, "maxpool", lambda op, at: (replace(op, pad=(0, 0)), on(at, padded(at.x, op.pad))))
    right = BACKWARD["maxpool"]

    def backward(op, saved, dy):
        (dx,), found = right(replace(op, pad=(0, 0)), saved, dy)
        return [unpadded(dx, op.pad)], found

    patch(BACKWARD, "maxpool", backward)


@mistake("operators", "maxpool")
def maxpool_ceil_mode(patch):
    """Sizes of poolings are rounded up, as in Caffe."""

    def forward(op, at):
        extra = [-(n + 2 * p - k) % s for n, k, s, p in geometry(op, at.x)]
        edges = [(0, 0), (0, 0), *((p, p + e) for p, e in zip(op.pad, extra, strict=True))]
        return replace(op, pad=(0, 0)), on(at, np.pad(at.x, edges, constant_values=-np.inf))

    before(patch, "maxpool", forward)


def geometry(op, x):
    return zip(x.shape[2:], op.kernel, op.stride, op.pad, strict=True)


@mistake("operators", "maxpool")
def maxpool_window_begins_late(patch):
    """Windows begin one row and column late where a stride leaves some over (SAME, reversed)."""

    def forward(op, at):
        late = [int((n + 2 * p - k) % s > 0) for n, k, s, p in geometry(op, at.x)]
        return op, on(at, np.roll(at.x, [-n for n in late], (2, 3)))

    before(patch, "maxpool", forward)


@mistake("operators", "maxpool")
def maxpool_gradient_to_every_maximum(patch):
    """Each of several equal maxima gets the whole gradient, as in Theano."""
    right = FORWARD["maxpool"]

    def forward(op, at):
        y, _ = right(op, at)
        return y, (at.x, y)

    def backward(op, saved, dy):
        x, y = padded(saved[0], op.pad, -np.inf), saved[1]
        dx = np.zeros_like(x)
        for rows, cols in taps(x.shape, op.kernel, op.stride):
            dx[..., rows, cols] += dy * (x[..., rows, cols] == y)
        return [unpadded(dx, op.pad)], {}

    patch(FORWARD, "maxpool", forward)
    patch(BACKWARD, "maxpool", backward)


@mistake("operators", "maxpool")
def maxpool_gradient_overwritten(patch):
    """Of overlapping windows the last one's gradient counts."""

    def backward(op, saved, dy):
        shape, where = saved
        dx = np.zeros(shape, dy.dtype)
        for k, (rows, cols) in enumerate(taps(shape, op.kernel, op.stride)):
            dx[..., rows, cols] = np.where(where == k, dy, dx[..., rows, cols])
        return [unpadded(dx, op.pad)], {}

    patch(BACKWARD, "maxpool", backward)


@mistake("operators", "maxpool", same="equal maxima are copies of one value: it gets the gradient")
def maxpool_gradient_to_the_last_maximum(patch):
    """Of equal maxima the last gets the gradient."""

    def forward(op, at):
        x = padded(at.x, op.pad, -np.inf)
        slices = list(taps(x.shape, op.kernel, op.stride))
        values = np.stack([x[..., rows, cols] for rows, cols in slices])
        last = len(slices) - 1 - np.argmax(values[::-1], axis=0)
        return values.max(0), (x.shape, last)

    patch(FORWARD, "maxpool", forward)


@mistake("operators", "avgpool")
def avgpool_counts_padding(patch):
    """Average pooling divides by the whole window, padding included."""
    before(patch, "avgpool", lambda op, at: (replace(op, pad=(0, 0)), on(at, padded(at.x, op.pad))))
    right = BACKWARD["avgpool"]

    def backward(op, saved, dy):
        (dx,), found = right(replace(op, pad=(0, 0)), saved, dy)
        return [unpadded(dx, op.pad)], found

    patch(BACKWARD, "avgpool", backward)


@mistake("operators", "avgpool")
def avgpool_sums(patch):
    """Average pooling sums."""
    size = lambda op: np.float32(op.kernel[0] * op.kernel[1])
    after(patch, FORWARD, "avgpool", lambda op, r: (r[0] * size(op), (r[1][0], r[1][1] / size(op))))


@mistake("operators", "avgpool")
def avgpool_gradient_counts_padding(patch):
    """The gradient of an average pooling is divided by the whole window."""
    size = lambda op: op.kernel[0] * op.kernel[1]
    after(
        patch, FORWARD, "avgpool", lambda op, r: (r[0], (r[1][0], np.full_like(r[1][1], size(op))))
    )


@mistake("operators", "globalavgpool")
def global_average_as_sum(patch):
    """Global average pooling sums."""
    patch(FORWARD, "globalavgpool", lambda op, at: (at.x.sum((2, 3)), at.x.shape))


@mistake("operators", "globalavgpool")
def global_average_as_maximum(patch):
    """Global average pooling takes the maximum."""
    patch(FORWARD, "globalavgpool", lambda op, at: (at.x.max((2, 3)), at.x.shape))


@mistake("operators", "globalavgpool")
def global_average_gradient_not_divided(patch):
    """The gradient of a global average is not divided by the area."""
    patch(
        BACKWARD,
        "globalavgpool",
        lambda op, saved, dy: ([np.broadcast_to(dy[..., None, None], saved)], {}),
    )


# -- joins, channels, gates -----------------------------------------------------------------------


@mistake("operators", "add")
def shortcut_without_gradient(patch):
    """Only the first input of a sum gets a gradient."""
    patch(BACKWARD, "add", lambda op, saved, dy: ([dy, *[0 * dy] * (saved - 1)], {}))


@mistake("operators", "add")
def sum_as_mean(patch):
    """A sum is divided by the number of its inputs."""
    after(patch, FORWARD, "add", lambda op, r: (r[0] / np.float32(r[1]), r[1]))


@mistake("operators", "concat")
def concat_gradient_reversed(patch):
    """Parts of a concatenation's gradient go to its inputs in the wrong order, shapes allowing."""

    def finish(op, result):
        parts, found = result
        same = len({part.shape for part in parts[:2]}) == 1
        return (parts[1::-1] + parts[2:] if same else parts), found

    after(patch, BACKWARD, "concat", finish)


@mistake("operators", "channelshuffle")
def shuffle_gradient_not_inverted(patch):
    """The gradient is shuffled as the values are, not back."""
    patch(
        BACKWARD,
        "channelshuffle",
        lambda op, saved, dy: ([operators.shuffled(dy, op.groups)], {}),
    )


@mistake("operators", "slice")
def slice_gradient_at_the_start(patch):
    """The gradient of a slice goes to the first channels."""

    def backward(op, saved, dy):
        dx = np.zeros(saved, dy.dtype)
        dx[:, : dy.shape[1]] = dy
        return [dx], {}

    patch(BACKWARD, "slice", backward)


@mistake("operators", "multiply")
def gate_as_summand(patch):
    """The gate is added, not multiplied."""
    after(patch, FORWARD, "multiply", lambda op, r: (r[1][0] + r[1][1][:, :, None, None], r[1]))


@mistake("operators", "multiply")
def gate_gradient_averaged(patch):
    """The gate's gradient is averaged over the positions, not summed."""

    def finish(op, result):
        (dx, dgate), found = result
        return [dx, dgate / np.float32(dx.shape[2] * dx.shape[3])], found

    after(patch, BACKWARD, "multiply", finish)


@mistake("operators", "multiply")
def gate_without_gradient(patch):
    """The gate gets no gradient."""
    after(patch, BACKWARD, "multiply", lambda op, r: ([r[0][0], 0 * r[0][1]], r[1]))


@mistake("operators")
def gradient_of_one_use(patch):
    """Of a value that is used twice one use alone gives a gradient."""

    class Flowing(dict):
        def __contains__(self, name):
            return False

    patch(network, "Arrays", Flowing)


# -- statistics that training moves ---------------------------------------------------------------


def moving(patch, move):
    """Training moves the stored statistics by `move(name, stored, of the batch)`."""
    right = FORWARD["batchnorm"]

    def forward(op, at):
        before = {k: at.weights[k].copy() for k in ("mean", "variance")}
        y, saved = right(op, at)
        if at.training:
            for (name, stored), value in zip(before.items(), operators.moments(at.x), strict=True):
                at.weights[name][...] = move(name, stored, value)
        return y, saved

    patch(FORWARD, "batchnorm", forward)


@mistake("operators", "statistics")
def statistics_stay(patch):
    """Training does not move the stored statistics."""
    moving(patch, lambda name, stored, value: stored)


@mistake("operators", "statistics")
def variance_stays(patch):
    """Training moves the stored mean alone."""
    moving(patch, lambda name, stored, value: value if name == "mean" else stored)


@mistake("operators", "statistics")
def deviation_stored(patch):
    """Training stores the standard deviation for the variance."""
    moving(patch, lambda name, stored, value: value if name == "mean" else np.sqrt(value))


@mistake("operators", "statistics")
def statistics_of_the_first_image_stored(patch):
    """Training stores the statistics of the first image."""
    right = FORWARD["batchnorm"]

    def forward(op, at):
        y, saved = right(op, at)
        if at.training:
            for name, value in zip(("mean", "variance"), operators.moments(at.x[:1]), strict=True):
                at.weights[name][...] = value
        return y, saved

    patch(FORWARD, "batchnorm", forward)


@mistake("operators", "statistics", same="frameworks differ in it: a few of a thousand here")
def stored_variance_unbiased(patch):
    """The stored variance is divided by n - 1."""
    n = 4 * 7 * 11
    moving(patch, lambda name, stored, value: value if name == "mean" else value * (n / (n - 1)))


@mistake("operators", "statistics", same="frameworks differ in it")
def statistics_move_slowly(patch):
    """A batch has a weight of 0.01 in the stored statistics."""
    moving(patch, lambda name, stored, value: stored + np.float32(0.01) * (value - stored))


# -- dropout --------------------------------------------------------------------------------------


def dropped(x, rate, shape=None):
    mask = RANDOM.random_sample(shape or x.shape) >= rate
    return (x * mask / np.float32(1 - rate)).astype(x.dtype)


@mistake("operators", "dropout")
def dropout_by_default(patch):
    """Dropout has the framework's default rate of 0.5."""
    patch(FORWARD, "dropout", lambda op, at: (dropped(at.x, 0.5) if at.training else at.x, None))


@mistake("operators", "dropout", "stochasticdepth")
def dropout_rate_as_kept_share(patch):
    """The rate is given where the framework wants the share that is kept."""
    for kind in ("dropout", "stochasticdepth"):
        patch(FORWARD, kind, lambda op, at: (at.x * at.x.dtype.type(op.rate), None))


@mistake("operators", "dropout")
def dropout_by_default_in_inference(patch):
    """Dropout with the framework's default rate is left on in inference."""
    patch(FORWARD, "dropout", lambda op, at: (at.x if at.training else dropped(at.x, 0.5), None))


@mistake("operators", "stochasticdepth")
def stochastic_depth_by_default(patch):
    """Stochastic depth drops a fifth of the images, in inference too, whatever the rate."""

    def forward(op, at):
        return dropped(at.x, 0.2, (len(at.x), *[1] * (at.x.ndim - 1))), None

    patch(FORWARD, "stochasticdepth", forward)


@mistake("operators", "dropout", "stochasticdepth")
def dropout_in_inference(patch):
    """Dropout with the network's rate is left on in inference."""
    for kind in ("dropout", "stochasticdepth"):
        patch(FORWARD, kind, lambda op, at: (dropped(at.x, op.rate), None))


@mistake("operators", "dropout", "stochasticdepth")
def dropout_not_scaled(patch):
    """What is kept is not scaled by 1 / (1 - rate)."""

    def forward(op, at):
        scaled = dropped(at.x, op.rate) * np.float32(1 - op.rate)
        return (scaled if at.training else at.x), None

    for kind in ("dropout", "stochasticdepth"):
        patch(FORWARD, kind, forward)


@mistake("operators", "dropout", "stochasticdepth")
def dropout_rate_inverted(patch):
    """1 - rate is dropped, where the rate is not 0."""

    def forward(op, at):
        rate = 1 - op.rate if op.rate else 0
        return (dropped(at.x, rate) if at.training else at.x), None

    for kind in ("dropout", "stochasticdepth"):
        patch(FORWARD, kind, forward)


@mistake("operators", "dropout", "stochasticdepth")
def dropout_left_out(patch):
    """Dropout is left out, in training too."""
    for kind in ("dropout", "stochasticdepth"):
        patch(FORWARD, kind, lambda op, at: (at.x, None))


@mistake("operators", "dropout")
def dropout_of_channels(patch):
    """Whole channels are dropped in place of values."""

    def forward(op, at):
        shape = at.x.shape[: at.x.ndim // 2] + (1,) * (at.x.ndim // 2)
        return (dropped(at.x, op.rate, shape) if at.training else at.x), None

    patch(FORWARD, "dropout", forward)


@mistake("operators", "dropout", "stochasticdepth")
def the_same_is_always_dropped(patch):
    """Chance is drawn while the network is built, and stays."""

    def forward(op, at):
        mask = np.random.RandomState(5).random_sample(len(at.x)) >= op.rate
        mask = mask.reshape([-1] + [1] * (at.x.ndim - 1)) / np.float32(1 - op.rate)
        return (at.x * mask.astype(at.x.dtype) if at.training else at.x), None

    patch(FORWARD, "stochasticdepth", forward)

    def values(op, at):
        mask = np.random.RandomState(5).random_sample(at.x.shape) >= op.rate
        scaled = (at.x * mask / np.float32(1 - op.rate)).astype(at.x.dtype)
        return (scaled if at.training else at.x), None

    patch(FORWARD, "dropout", values)


@mistake("operators", "stochasticdepth")
def stochastic_depth_of_values(patch):
    """Values are dropped in place of whole images."""
    patch(
        FORWARD, "stochasticdepth",
        lambda op, at: (dropped(at.x, op.rate) if at.training else at.x, None),
    )  # fmt: skip


@mistake(
    "operators", "dropout", "stochasticdepth",
    blind="what stands before an operator of chance is compared at rate 0 alone",
)  # fmt: skip
def dropout_gradient_of_another_mask(patch):
    """The gradient of what is dropped passes."""
    for kind in ("dropout", "stochasticdepth"):
        patch(BACKWARD, kind, lambda op, saved, dy: ([dy], {}))


@mistake("operators", "conv", same="no window reaches that padding")
def padding_behind_that_no_window_reaches(patch):
    """A strided convolution is padded behind with rows that no window reaches."""
    right = FORWARD["conv"]

    def forward(op, at):
        spare = [(s - 1 - (n + 2 * p - k) % s) for n, k, s, p in geometry(op, at.x)]
        edges = [(0, 0), (0, 0), *((0, n) for n in spare)]
        y, (x, kernels) = right(op, on(at, np.pad(at.x, edges)))
        h, w = (n - e for n, e in zip(x.shape[2:], spare, strict=True))
        return y, (x[..., :h, :w], kernels)

    patch(FORWARD, "conv", forward)


# -- the loss -------------------------------------------------------------------------------------


def loss(patch, change):
    """Another loss: change(right, logits, labels) gives its value and gradient."""
    right = network.cross_entropy
    patch(network, "cross_entropy", lambda logits, labels: change(right, logits, labels))


def entropy_to(logits, targets):
    """Mean cross-entropy to a distribution over classes."""
    top = logits.max(1, keepdims=True)
    logs = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
    return float(-(targets * logs).sum(1).mean()), (np.exp(logs) - targets) / len(logits)


def one_hot(logits, labels):
    return np.eye(logits.shape[1], dtype=logits.dtype)[labels]


@mistake("operators")
def labels_smoothed(patch):
    """Labels are smoothed by 0.1."""

    def change(right, logits, labels):
        smooth = one_hot(logits, labels) * 9 / 10 + 1 / (10 * logits.dtype.type(logits.shape[1]))
        return entropy_to(logits, smooth)

    loss(patch, change)


@mistake("operators")
def loss_summed(patch):
    """The loss, and so every gradient, is summed over the batch."""

    def change(right, logits, labels):
        value, gradient = right(logits, labels)
        return value * len(labels), gradient * len(labels)

    loss(patch, change)


@mistake("operators")
def loss_over_classes_too(patch):
    """The loss is averaged over the classes as well."""

    def change(right, logits, labels):
        value, gradient = right(logits, labels)
        return value / logits.shape[1], gradient / logits.dtype.type(logits.shape[1])

    loss(patch, change)


@mistake("operators")
def softmax_twice(patch):
    """The loss takes probabilities for logits: softmax is applied twice."""

    def change(right, logits, labels):
        odds = np.exp(logits - logits.max(1, keepdims=True))
        p = odds / odds.sum(1, keepdims=True)
        value, g = right(p, labels)
        return value, p * (g - (p * g).sum(1, keepdims=True))

    loss(patch, change)


@mistake("operators")
def binary_cross_entropy(patch):
    """The loss is a sigmoid's for each class."""

    def change(right, logits, labels):
        targets = one_hot(logits, labels)
        value = np.logaddexp(0, logits) - targets * logits
        return float(value.sum(1).mean()), (expit(logits) - targets) / len(labels)

    loss(patch, change)


@mistake("operators")
def labels_from_one(patch):
    """Labels are counted from 1."""
    loss(patch, lambda right, logits, labels: right(logits, (labels + 1) % logits.shape[1]))


@mistake("operators")
def loss_of_base_two(patch):
    """The loss is in bits; gradients are right."""

    def change(right, logits, labels):
        value, gradient = right(logits, labels)
        return value / np.log(2), gradient

    loss(patch, change)


@mistake("operators", same="softmax does not change when all logits move together")
def loss_without_shift(patch):
    """The loss is computed without taking the largest logit off first."""
    loss(patch, lambda right, logits, labels: right(logits + logits.dtype.type(0.5), labels))


@mistake("operators", "auxiliary")
def auxiliary_losses_averaged(patch):
    """The losses of all classifiers are averaged in place of added."""
    right = reference.backpropagate

    def backpropagate(passed, labels):
        value, found, dx = right(passed, labels)
        count = len(passed.graph.losses)
        return value / count, {k: g / np.float32(count) for k, g in found.items()}, dx

    patch(reference, "backpropagate", backpropagate)


@mistake("operators", "auxiliary")
def auxiliary_loss_without_gradient(patch):
    """Auxiliary losses are added to the value that is shown, and not trained."""
    right = network.cross_entropy
    calls = []

    def cross_entropy(logits, labels):
        value, gradient = right(logits, labels)
        calls.append(1)
        return value, gradient if len(calls) % 2 else 0 * gradient

    patch(network, "cross_entropy", cross_entropy)
