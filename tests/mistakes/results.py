"""Mistakes in what goes in and what comes back: pictures, logits, gradients, parameters."""

import numpy

from tests.mistakes import mistake
from tests.mistakes.weights import rounded

# -- pictures -------------------------------------------------------------------------------------


@mistake("inputs")
def channels_bgr(x):
    """Pictures are BGR."""
    return x[:, ::-1]


@mistake("inputs")
def pictures_reshaped(x):
    """Pictures are reshaped to channels last and back where they had to be transposed."""
    n, c, h, w = x.shape
    return x.reshape(n, h, w, c).transpose(0, 3, 1, 2)


@mistake("inputs")
def pictures_mirrored(x):
    """Training's mirroring of pictures is left on."""
    return x[..., ::-1]


@mistake("inputs")
def pictures_of_bytes(x):
    """Pictures are divided by 255 once more."""
    return x / numpy.float32(255)


@mistake("inputs")
def pictures_centred(x):
    """The mean of each picture is taken off."""
    return x - x.mean((1, 2, 3), keepdims=True)


@mistake("inputs")
def pictures_in_float16(x):
    """Pictures are handed over in half precision."""
    return x.astype(numpy.float16).astype(numpy.float32)


@mistake("inputs")
def one_picture_for_all(x):
    """The whole batch is its first picture."""
    return numpy.repeat(x[:1], len(x), axis=0)


# -- logits ---------------------------------------------------------------------------------------


def softmax(x):
    odds = numpy.exp(x - x.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


@mistake("logits")
def softmax_returned(logits):
    """Probabilities are returned for logits."""
    return softmax(logits)


@mistake("logits")
def log_softmax_returned(logits):
    """Logarithms of probabilities are returned for logits."""
    return numpy.log(softmax(logits))


@mistake("logits")
def logits_shifted(logits):
    """The largest logit is taken off."""
    return logits - logits.max(1, keepdims=True)


@mistake("logits")
def classes_reversed(logits):
    """Classes are in the reverse order."""
    return logits[:, ::-1]


@mistake("logits")
def pictures_reversed(logits):
    """Pictures come back in the reverse order."""
    return logits[::-1]


@mistake("logits")
def logits_in_bfloat16(logits):
    """Logits are computed in bfloat16."""
    return rounded(logits, 16)


@mistake("logits")
def logits_in_float16(logits):
    """Logits are computed in half precision."""
    return logits.astype(numpy.float16).astype(numpy.float32)


@mistake("logits")
def logits_of_one_picture(logits):
    """Logits of the first picture alone are returned."""
    return logits[:1]


# -- gradients ------------------------------------------------------------------------------------


def scaled(found, factor):
    return {key: g * numpy.float32(factor) for key, g in found.items()}


@mistake("gradients")
def gradient_summed(adapter, loss, found, y):
    """Gradients are summed over the batch."""
    return loss, scaled(found, len(y))


@mistake("gradients")
def gradient_of_a_loss_scale(adapter, loss, found, y):
    """The loss scale of mixed precision stays in the gradients."""
    return loss, scaled(found, 1024)


@mistake("gradients")
def gradient_negative(adapter, loss, found, y):
    """Gradients have the direction of descent."""
    return loss, scaled(found, -1)


@mistake("gradients")
def gradient_missing(adapter, loss, found, y):
    """The gradient of one parameter is missing."""
    found.pop(min(found))
    return loss, found


@mistake("gradients")
def gradient_zero(adapter, loss, found, y):
    """The gradient of one parameter is zero: it was taken for frozen."""
    found[min(found)] = 0 * found[min(found)]
    return loss, found


@mistake("gradients")
def gradient_not_a_number(adapter, loss, found, y):
    """One gradient is not a number."""
    found[min(found)] = found[min(found)] * numpy.float32("nan")
    return loss, found


@mistake("gradients")
def one_entry_not_a_number(adapter, loss, found, y):
    """One entry of one gradient is infinite."""
    found[max(found)] = found[max(found)].copy()
    found[max(found)].flat[-1] = numpy.float32("inf")
    return loss, found


@mistake("gradients")
def gradient_for_too_much(adapter, loss, found, y):
    """There is a gradient for something that is no parameter."""
    return loss, dict(found, input=y.astype(numpy.float32))


@mistake("gradients")
def weights_decayed_in_the_gradient(adapter, loss, found, y):
    """Weight decay of 1e-4 is in the gradients."""
    decay, weights = numpy.float32(1e-4), adapter.parameters()
    return loss, {key: g + decay * weights[key] for key, g in found.items()}


@mistake("gradients")
def decay_in_the_loss(adapter, loss, found, y):
    """The loss shown has a regularisation term of 1e-4; gradients have none."""
    squares = sum(float(numpy.square(w).sum()) for w in adapter.parameters().values())
    return loss + 0.5e-4 * squares, found


@mistake("gradients")
def gradient_clipped(adapter, loss, found, y):
    """Gradients are clipped to 0.1."""
    return loss, {key: numpy.clip(g, -0.1, 0.1) for key, g in found.items()}


@mistake("gradients")
def gradient_in_bfloat16(adapter, loss, found, y):
    """Gradients are rounded to bfloat16."""
    return loss, {key: rounded(g, 16) for key, g in found.items()}


@mistake("gradients")
def gradient_in_float16(adapter, loss, found, y):
    """Gradients are rounded to half precision."""
    halves = {key: g.astype(numpy.float16).astype(numpy.float32) for key, g in found.items()}
    return loss, halves


@mistake("gradients", "conv")
def gradient_kernels_transposed(adapter, loss, found, y):
    """Gradients of square kernels come back with height and width swapped."""
    return loss, {k: turned(g, 2, 3) if g.ndim == 4 else g for k, g in found.items()}


@mistake("gradients", "conv")
def gradient_kernels_iohw(adapter, loss, found, y):
    """Gradients of kernels come back IOHW where there are as many inputs as outputs."""
    return loss, {k: turned(g, 0, 1) if g.ndim == 4 else g for k, g in found.items()}


@mistake("gradients", "dense")
def gradient_dense_transposed(adapter, loss, found, y):
    """Gradients of square dense weights come back as (in, out)."""
    return loss, {k: turned(g, 0, 1) if g.ndim == 2 else g for k, g in found.items()}


def turned(g, one, other):
    return g.swapaxes(one, other) if g.shape[one] == g.shape[other] else g


@mistake("gradients", "batchnorm")
def gradients_of_scale_and_shift_swapped(adapter, loss, found, y):
    """Gradients of scale and shift are swapped."""
    other = {"scale": "shift", "shift": "scale"}

    def source(key):
        node, _, weight = key.rpartition("/")
        return node + "/" + other.get(weight, weight)

    return loss, {key: found[source(key)] for key in found}


@mistake("gradients", "batchnorm")
def scale_without_gradient(adapter, loss, found, y):
    """Scales are not trained: MXNet's fix_gamma."""
    return loss, {k: 0 * g if k.endswith("/scale") else g for k, g in found.items()}


@mistake("gradients")
def loss_summed_alone(adapter, loss, found, y):
    """The loss is summed over the batch, gradients are not."""
    return loss * len(y), found


@mistake("gradients")
def loss_in_float16(adapter, loss, found, y):
    """The loss is returned in half precision."""
    return float(numpy.float16(loss)), found


@mistake("gradients")
def loss_not_a_number(adapter, loss, found, y):
    """The loss is not a number; gradients are right."""
    return float("nan"), found


# -- parameters -----------------------------------------------------------------------------------


@mistake("parameters")
def parameter_too_many(adapter, found):
    """The native network has a bias that the network does not have."""
    return dict(found, extra=numpy.zeros(3, numpy.float32))


@mistake("parameters")
def parameter_missing(adapter, found):
    """One parameter is not among the native network's."""
    return {key: w for key, w in found.items() if key != min(found)}


@mistake("parameters", "batchnorm")
def statistics_counted(adapter, found):
    """Stored statistics count as parameters."""
    scales = {key: w for key, w in found.items() if key.endswith("/scale")}
    return dict(found, **{key + "/mean": w for key, w in scales.items()})


@mistake("parameters")
def parameters_before_training(adapter, found):
    """Parameters are those that were loaded, not those that the framework holds now."""
    return adapter.given


@mistake("parameters")
def parameter_renamed(adapter, found):
    """One parameter has another name."""
    return {("other/weight" if key == min(found) else key): w for key, w in found.items()}
