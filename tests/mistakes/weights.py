"""Mistakes in bringing the weights into a framework's layout."""

import numpy

from tests.mistakes import mistake
from tests.mistakes.graph import of


def change(graph, weights, op, weight, function):
    """Give function(node, array) for each weight of that name of an operator; None keeps it."""
    for node in of(graph, op):
        key = node["name"] + "/" + weight
        if key in weights:
            found = function(node, weights[key])
            weights[key] = weights[key] if found is None else numpy.ascontiguousarray(found)


def is_square(array):
    return array.shape[-1] == array.shape[-2]


def rounded(x, bits):
    """x with the last `bits` of its 23 mantissa bits rounded away."""
    raw = numpy.asarray(x, numpy.float32).view(numpy.uint32)
    half = numpy.uint32(1 << (bits - 1))
    mask = numpy.uint32(0xFFFFFFFF ^ ((1 << bits) - 1))
    return ((raw + half) & mask).view(numpy.float32)


@mistake("weights", "conv")
def kernels_flipped(graph, weights):
    """Kernels are turned round, as for a true convolution."""
    change(graph, weights, "conv", "weight", lambda node, w: w[..., ::-1, ::-1])


@mistake("weights", "conv")
def kernels_transposed(graph, weights):
    """Height and width of square kernels are swapped."""
    change(
        graph, weights, "conv", "weight", lambda node, w: w.swapaxes(2, 3) if is_square(w) else None
    )


@mistake("weights", "conv")
def kernels_iohw(graph, weights):
    """Input and output channels are swapped where there are as many of each."""

    def swapped(node, w):
        return w.swapaxes(0, 1) if w.shape[0] == w.shape[1] else None

    change(graph, weights, "conv", "weight", swapped)


@mistake("weights", "conv")
def kernels_read_as_hwio(graph, weights):
    """Kernels are reshaped to HWIO where they had to be transposed."""

    def misread(node, w):
        o, i, h, v = w.shape
        return w.reshape(h, v, i, o).transpose(3, 2, 0, 1)

    change(graph, weights, "conv", "weight", misread)


@mistake("weights", "conv")
def group_order_interleaved(graph, weights):
    """Output channels of grouped convolutions are interleaved over the groups."""

    def interleaved(node, w):
        order = numpy.arange(len(w)).reshape(node["attrs"]["groups"], -1).T.ravel()
        return w[order]

    change(graph, weights, "conv", "weight", interleaved)


@mistake("weights", "conv")
def biases_not_loaded(graph, weights):
    """Biases of convolutions stay at zero."""
    change(graph, weights, "conv", "bias", lambda node, b: 0 * b)


@mistake("weights", "dense")
def dense_biases_not_loaded(graph, weights):
    """Biases of dense layers stay at zero."""
    change(graph, weights, "dense", "bias", lambda node, b: 0 * b)


@mistake("weights", "dense")
def dense_transposed(graph, weights):
    """Dense weights are (in, out) where they are square."""
    change(graph, weights, "dense", "weight", lambda node, w: w.T if is_square(w) else None)


@mistake("weights", "dense")
def dense_read_as_in_out(graph, weights):
    """Dense weights are reshaped to (in, out) where they had to be transposed."""
    change(graph, weights, "dense", "weight", lambda node, w: w.reshape(w.shape[::-1]).T)


@mistake("weights", "flatten")
def flatten_hwc(graph, weights):
    """Rows of a dense layer behind a flatten are in HWC order."""
    images = {node["name"]: node["input_shapes"][0] for node in of(graph, "flatten")}

    def permuted(node, w):
        if node["inputs"][0] in images:
            shape = [-1, *images[node["inputs"][0]]]
            return w.reshape(shape).transpose(0, 2, 3, 1).reshape(w.shape)
        return None

    change(graph, weights, "dense", "weight", permuted)


@mistake("weights", "batchnorm")
def scale_and_shift_swapped(graph, weights):
    """Scale and shift of a batch normalisation are swapped."""
    swap(graph, weights, "scale", "shift")


@mistake("weights", "batchnorm")
def mean_and_variance_swapped(graph, weights):
    """The stored mean and variance are swapped."""
    swap(graph, weights, "mean", "variance")


def swap(graph, weights, one, other):
    for node in of(graph, "batchnorm"):
        a, b = node["name"] + "/" + one, node["name"] + "/" + other
        weights[a], weights[b] = weights[b], weights[a]


@mistake("weights", "batchnorm")
def scale_fixed(graph, weights):
    """Scales are 1: MXNet's fix_gamma, on by default."""
    change(graph, weights, "batchnorm", "scale", lambda node, w: 0 * w + 1)


@mistake("weights", "batchnorm")
def shift_left_out(graph, weights):
    """Shifts are 0."""
    change(graph, weights, "batchnorm", "shift", lambda node, w: 0 * w)


@mistake("weights", "batchnorm")
def statistics_not_loaded(graph, weights):
    """Stored statistics stay at mean 0 and variance 1."""
    change(graph, weights, "batchnorm", "mean", lambda node, w: 0 * w)
    change(graph, weights, "batchnorm", "variance", lambda node, w: 0 * w + 1)


@mistake("weights", "batchnorm")
def variance_as_deviation(graph, weights):
    """The stored variance is taken for a standard deviation."""
    change(graph, weights, "batchnorm", "variance", lambda node, w: w * w)


@mistake("weights", "batchnorm")
def variance_not_scaled(graph, weights):
    """Caffe's scale factor of the stored statistics is left at 0.999."""
    change(graph, weights, "batchnorm", "mean", lambda node, w: w / 0.999)
    change(graph, weights, "batchnorm", "variance", lambda node, w: w / 0.999)


@mistake("weights")
def weights_in_bfloat16(graph, weights):
    """Weights are rounded to bfloat16."""
    weights.update({key: rounded(w, 16) for key, w in weights.items()})


@mistake("weights")
def weights_in_tf32(graph, weights):
    """Weights are rounded to TF32's 10 bits of mantissa."""
    weights.update({key: rounded(w, 13) for key, w in weights.items()})


@mistake("weights")
def weights_in_float16(graph, weights):
    """Weights went through a file of half precision."""
    halves = {key: w.astype(numpy.float16).astype(numpy.float32) for key, w in weights.items()}
    weights.update(halves)


@mistake("weights")
def weights_with_five_digits(graph, weights):
    """Weights went through a text file of five digits."""
    weights.update({key: numpy.around(w, 5) for key, w in weights.items()})


@mistake("weights", "conv")
def weights_of_its_own(graph, weights):
    """One convolution keeps the framework's own initialisation."""

    def drawn(node, w):
        random = numpy.random.RandomState(0)
        return random.standard_normal(w.shape).astype(numpy.float32) * w.std()

    last = {"nodes": of(graph, "conv")[-1:]}
    change(last, weights, "conv", "weight", drawn)


@mistake("weights", same="a float64 copy of a float32 number is that number")
def weights_through_float64(graph, weights):
    """Weights went through double precision."""
    weights.update({k: w.astype(numpy.float64).astype(numpy.float32) for k, w in weights.items()})
