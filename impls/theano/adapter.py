"""Theano: theano.function in its default mode, FAST_RUN with the C linker `cvm`, in NCHW.

FAST_COMPILE runs without C code: it is for debugging. OpenMP over the images of a batch with one
thread in OpenBLAS trains LeNet-5 (batch 8, 2 threads) in 0.75 ms, two threads in OpenBLAS alone in
1.18, both in 0.81, and far worse on a busy machine; allow_gc=False changes nothing.

Batch normalisation is bn.batch_normalization with the batch's mean and variance. In
batch_normalization_train Theano computes the variance by powf (it optimises powers before it writes
that layer out) and takes 1.8 times as long, forward and backward; it also refuses eps < 1e-5.
"""

import functools
import os

import numpy
import theano
import theano.tensor as tt
from convmark import Adapter as Contract
from convmark import Unsupported, counts, keys, total_loss, walk
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.nnet import bn
from theano.tensor.signal.pool import pool_2d

NAME = "theano"
MODES = ("function",)
MOVING = numpy.float32(0.1)  # weight of a batch in the moving statistics
SPATIAL = (0, 2, 3)


class Layers(object):
    """What each operator is in Theano: one method per operator. `updates` collects the moving
    statistics of batch normalisation."""

    def __init__(self, graph, shared, training):
        self.ops = {node["name"]: node["op"] for node in graph["nodes"]}
        self.shared, self.training, self.updates = shared, training, []
        self.random = MRG_RandomStreams(1)

    def weights(self, node, kind="weights"):
        return [self.shared["%s/%s" % (node["name"], name)] for name in node[kind]]

    def conv(self, node, x):
        a, (weight, *bias) = node["attrs"], self.weights(node)
        y = tt.nnet.conv2d(
            x[0], weight, [None] + node["input_shapes"][0], weight.get_value(True).shape,
            border_mode=tuple(a["pad"]), subsample=tuple(a["stride"]), filter_flip=False,
            num_groups=a["groups"],
        )  # fmt: skip
        return y + bias[0].dimshuffle("x", 0, "x", "x") if bias else y

    def dense(self, node, x):
        weight, *bias = self.weights(node)
        y = tt.dot(x[0], weight)
        return y + bias[0] if bias else y

    def batchnorm(self, node, x):
        scale, shift = self.weights(node)
        mean, variance = state = self.weights(node, "state")
        if self.training:
            mean, variance = batch = x[0].mean(SPATIAL), x[0].var(SPATIAL)
            self.updates += [(s, s + MOVING * (b - s)) for s, b in zip(state, batch)]
        deviation = tt.sqrt(variance + numpy.float32(node["attrs"]["eps"]))
        vectors = [v.dimshuffle("x", 0, "x", "x") for v in (scale, shift, mean, deviation)]
        return bn.batch_normalization(x[0], *vectors, mode="high_mem")

    def relu(self, node, x):
        return tt.nnet.relu(x[0])

    def relu6(self, node, x):
        return tt.clip(x[0], 0, 6)

    def sigmoid(self, node, x):
        return tt.nnet.sigmoid(x[0])

    def hardsigmoid(self, node, x):
        return tt.clip(x[0] + 3, 0, 6) / 6  # tt.nnet.hard_sigmoid has a slope of 0.2

    def swish(self, node, x):
        return x[0] * tt.nnet.sigmoid(x[0])

    def hardswish(self, node, x):
        return x[0] * self.hardsigmoid(node, x)

    def lrn(self, node, x):
        a, half = node["attrs"], node["attrs"]["size"] // 2
        c, h, w = node["output"]
        padded = tt.alloc(numpy.float32(0), x[0].shape[0], c + 2 * half, h, w)
        squares = tt.set_subtensor(padded[:, half : half + c], tt.sqr(x[0]))
        total = sum(squares[:, i : i + c] for i in range(a["size"]))
        return x[0] / (a["k"] + a["alpha"] / a["size"] * total) ** a["beta"]

    def pool(self, node, x, mode):
        a = node["attrs"]
        return pool_2d(x[0], a["kernel"], True, a["stride"], a["pad"], mode)

    def maxpool(self, node, x):
        tied = self.ops.get(node["inputs"][0]) == "maxpool"
        return maxima(node, x[0]) if tied else self.pool(node, x, "max")

    def avgpool(self, node, x):
        if not any(node["attrs"]["pad"]):
            return self.pool(node, x, "average_inc_pad")
        return self.pool(node, x, "sum") / counts(node).astype("float32")

    def globalavgpool(self, node, x):
        return x[0].mean((2, 3))

    def flatten(self, node, x):
        return x[0].flatten(2)

    def dropout(self, node, x):
        keep = 1 - node["attrs"]["rate"]
        if not self.training or keep == 1:
            return x[0]
        return x[0] * self.random.binomial(x[0].shape, p=keep, dtype="float32") / keep

    def stochasticdepth(self, node, x):
        keep = 1 - node["attrs"]["rate"]
        if not self.training or keep == 1:
            return x[0]
        kept = self.random.binomial(x[0].shape[:1], p=keep, dtype="float32") / keep
        return x[0] * kept.dimshuffle(0, "x", "x", "x")

    def channelshuffle(self, node, x):
        (c, h, w), groups = node["output"], node["attrs"]["groups"]
        parts = x[0].reshape((-1, groups, c // groups, h, w))
        return parts.dimshuffle(0, 2, 1, 3, 4).reshape((-1, c, h, w))

    def slice(self, node, x):
        return x[0][:, node["attrs"]["start"] : node["attrs"]["stop"]]

    def multiply(self, node, x):
        return x[0] * x[1].dimshuffle(0, 1, "x", "x")

    def add(self, node, x):
        return tt.add(*x)

    def concat(self, node, x):
        return tt.concatenate(x, 1)


def maxima(node, x):
    """Max pooling behind max pooling, where one maximum stands in a window several times: Theano's
    own gives the whole gradient to each of them (its issue 4761), `maximum` to one."""
    a, (c, h, w), (top, left) = node["attrs"], node["input_shapes"][0], node["attrs"]["pad"]
    if top or left:
        border = tt.alloc(numpy.float32("-inf"), x.shape[0], c, h + 2 * top, w + 2 * left)
        x = tt.set_subtensor(border[:, :, top : top + h, left : left + w], x)
    for axis, (k, s, n) in enumerate(zip(a["kernel"], a["stride"], node["output"][1:]), 2):
        rest = (slice(None),) * axis
        ranges = [slice(i, i + (n - 1) * s + 1, s) for i in range(k)]
        x = functools.reduce(tt.maximum, [x[(*rest, each)] for each in ranges])
    return x


class Adapter(Contract):
    def __init__(self, mode, device, precision, threads):
        if device != "cpu":
            raise Unsupported("theano's GPU backend needs pygpu, which no package index has")
        if precision != "fp32":
            raise Unsupported("%s is not implemented for theano" % precision)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        theano.config.floatX = "float32"

    def versions(self):
        flags = {k: str(getattr(theano.config, k)) for k in ("cxx", "openmp", "allow_gc")}
        return dict(flags, theano=theano.__version__, blas=theano.config.blas.ldflags)

    def build(self, graph, weights):
        self.graph, self.keys, self.functions = graph, keys(graph), {}
        self.shared = {k: theano.shared(native(k, v), k) for k, v in weights.items()}

    def expressions(self, phase):
        """Inputs, outputs and updates of a phase, made when it is asked for: gradients, and
        velocities as large as the weights, are no part of what inference needs."""
        x, y = tt.tensor4("x"), tt.lvector("y")
        layers = Layers(self.graph, self.shared, phase != "inference")
        outputs = walk(self.graph, layers, x, training=phase != "inference")
        if phase == "inference":
            return [x], [outputs], []
        loss = total_loss(self.graph, outputs, lambda logits: cross_entropy(logits, y))
        if phase == "forward":
            return [x, y], [loss], layers.updates
        weights = [self.shared[k] for k in self.keys]
        gradients = theano.grad(loss, weights)
        if phase == "train":
            return [x, y], [loss, *gradients], layers.updates
        return [x, y], [loss], layers.updates + sgd(weights, gradients, **self.graph["training"])

    def function(self, phase):
        """The compiled function of a phase; compiled when it is first asked for."""
        if phase not in self.functions:
            inputs, outputs, updates = self.expressions(phase)
            outputs = [theano.Out(o, borrow=True) for o in outputs]
            self.functions[phase] = theano.function(inputs, outputs, updates=updates)
            self.functions[phase].trust_input = True
        return self.functions[phase]

    def parameters(self):
        return {k: native(k, self.shared[k].get_value()) for k in self.keys}

    def logits(self, x):
        return self.step("inference", x, None)()[0].copy()

    def loss(self, x, y):
        return float(self.step("forward", x, y)()[0])

    def gradients(self, x, y):
        loss, *gradients = self.step("train", x, y)()
        return float(loss), {k: native(k, g).copy() for k, g in zip(self.keys, gradients)}

    def step(self, phase, x, y):
        arguments = (x,) if phase == "inference" else (x, y)
        return lambda: self.function(phase)(*arguments)

    def wait(self, result):
        """Theano on the CPU returns when it has computed."""

    def source(self):
        return "\n".join(map(str, self.function("inference").maker.fgraph.toposort()))


def native(key, array):
    """A dense weight is (in, out) in Theano, (out, in) in the graph; the rest is the same."""
    return numpy.ascontiguousarray(array.T) if array.ndim == 2 else array


def cross_entropy(logits, y):
    return tt.nnet.categorical_crossentropy(tt.nnet.softmax(logits), y).mean()


def sgd(weights, gradients, learning_rate, momentum, **rest):
    """Momentum as Theano's tutorials write it: an update of each velocity and each weight."""
    updates = []
    for weight, gradient in zip(weights, gradients):
        velocity = theano.shared(numpy.zeros_like(weight.get_value(True)))
        moved = numpy.float32(momentum) * velocity + gradient
        updates += [(velocity, moved), (weight, weight - numpy.float32(learning_rate) * moved)]
    return updates
