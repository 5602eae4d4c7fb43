# Python 3.6 syntax: Keras 2.3.1, the last release with backends other than TensorFlow.
"""Keras 2.3.1 on Theano and on CNTK: a functional model and the functions that Keras makes of it.

Channels first, both backends' own layout. The learning phase is fixed when a model is made, as one
does for a model of one purpose; two models share the layers. Fed at each call, which is Keras's
default, it costs both backends 1.6 times the time in inference and 1.3 in training (three
convolutions with batch normalisation: 61 and 96 ms, 234 and 389 ms on Theano; 26 and 41 ms, 218
and 301 ms on CNTK).

A step calls what `predict_on_batch` and `train_on_batch` call, with NumPy arrays, as these do:
Theano computes on them where they are, CNTK copies them. `train` is the training function with
the gradients assigned to variables in the optimiser's place, so that only the loss is copied out.
On CNTK, Keras evaluates the network once more in every training step for the moving statistics of
batch normalisation.
"""

import collections
import collections.abc
import functools
import os
import sys
import tempfile

import numpy
from convmark import Adapter as Base
from convmark import Unsupported, axes, counts, keys, operator, walk

NAME = "keras"
MODES = ("theano", "cntk")
SMALLEST = 1.0001e-5  # Theano refuses an epsilon below 1e-5, and float32 rounds 1e-5 down
NATIVE = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}  # axes of the graph's layout in Keras's, by ndim
GRAPH = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}


def load(backend):
    """Keras on a backend, without the settings of a user's home."""
    os.environ["KERAS_BACKEND"] = backend
    for name in ("Iterable", "Mapping", "Sequence"):  # where Keras seeks them: moved by Python 3.10
        setattr(collections, name, getattr(collections.abc, name))
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERAS_HOME"] = home
        import keras
    keras.backend.set_image_data_format("channels_first")
    if backend == "cntk":
        mend(keras.backend.cntk_backend)
    return keras


def mend(backend):
    """Keras's normalize_batch_in_training passes epsilon to this function as the axis: in training
    the default of 1e-3 would be used, whatever a layer says."""
    normalise = backend.batch_normalization

    def batch_normalization(x, mean, var, beta, gamma, epsilon):
        return normalise(x, mean, var, beta, gamma, epsilon=epsilon)

    backend.batch_normalization = batch_normalization


class Operators(object):
    """Each operator as layers of Keras, to be applied one after the other: one method per operator.
    `holders` are those that have a node's weights."""

    def __init__(self, keras, graph):
        self.K, self.layers, self.holders = keras.backend, keras.layers, {}
        self.ops = {node["name"]: node["op"] for node in graph["nodes"]}
        self.theano = self.K.backend() == "theano"

    def conv(self, node):
        a, c, groups = node["attrs"], node["input_shapes"][0][0], node["attrs"]["groups"]
        pads, options = self.window(node, "kernel_size")
        options["use_bias"] = a["bias"]
        if is_depthwise(node):
            options.update(unset("depthwise", "bias"), depth_multiplier=a["out"] // c)
            return pads + self.hold(node, self.layers.DepthwiseConv2D(**options))
        options.update(unset("kernel", "bias"))
        parts = [self.layers.Conv2D(a["out"] // groups, **options) for _ in range(groups)]
        self.hold(node, *parts)
        return pads + (parts if groups == 1 else [self.side_by_side(parts, c // groups)])

    def hold(self, node, *layers):
        self.holders[node["name"]] = layers
        return list(layers)

    def window(self, node, kernel="pool_size", native=True):
        """Layers that pad, and the options of a layer with a window, which may pad by itself."""
        a = node["attrs"]
        options = {kernel: tuple(a["kernel"]), "strides": tuple(a["stride"]), "padding": "valid"}
        if not any(a["pad"]):
            return [], options
        # CNTK refuses to pad for a window that is larger than the image, as MixNet has them
        fit = (k == 2 * p + 1 and (self.theano or k <= n) for n, k, _, p, _ in axes(node))
        if native and all(fit):
            return [], dict(options, padding="same")
        return [self.layers.ZeroPadding2D(tuple(a["pad"]))], options

    def side_by_side(self, parts, width):
        """Keras 2 has no convolution in groups: each part sees its slice of the channels."""

        def grouped(x):
            shape = (width, *self.K.int_shape(x)[2:])
            slices = [
                self.layers.Lambda(lambda x, i=i: x[:, i : i + width], shape)(x)
                for i in range(0, width * len(parts), width)
            ]
            return self.layers.Concatenate(1)([part(s) for part, s in zip(parts, slices)])

        return grouped

    def function(self, function):
        """A function that keeps the shape, as a layer."""
        return self.layers.Lambda(function, lambda shape: shape)

    def constant(self, array):
        return self.K.constant(array, shape=array.shape)

    def dense(self, node):
        a = node["attrs"]
        options = unset("kernel", "bias")
        return self.hold(node, self.layers.Dense(a["out"], use_bias=a["bias"], **options))

    def batchnorm(self, node):
        eps = node["attrs"]["eps"]
        eps = max(eps, SMALLEST) if self.theano else eps
        options = unset("gamma", "beta", "moving_mean", "moving_variance")
        return self.hold(node, self.layers.BatchNormalization(axis=1, epsilon=eps, **options))

    def relu(self, node):
        return [self.layers.Activation("relu")]

    def relu6(self, node):
        return [self.layers.ReLU(6)]

    def sigmoid(self, node):
        return [self.layers.Activation("sigmoid")]

    def hardsigmoid(self, node):
        return [self.layers.Activation(self.gate)]

    def gate(self, x):
        """The hard sigmoid; Keras's has a slope of 0.2."""
        return self.K.clip(x + 3, 0, 6) / 6

    def swish(self, node):
        return [self.layers.Activation(lambda x: x * self.K.sigmoid(x))]

    def hardswish(self, node):
        return [self.layers.Activation(lambda x: x * self.gate(x))]

    def lrn(self, node):
        """Keras has none: squares between channels of zeros, and the sum of their slices."""
        a, c = node["attrs"], node["output"][0]

        def normalise(x):
            zeros = [self.K.zeros_like(x[:, :1])] * (a["size"] // 2)
            squares = self.K.concatenate([*zeros, self.K.square(x), *zeros], axis=1)
            total = sum(squares[:, i : i + c] for i in range(a["size"]))
            scale = a["k"] + a["alpha"] / a["size"] * total
            return x * self.K.exp(-a["beta"] * self.K.log(scale))  # CNTK's pow: a wrong gradient

        return [self.function(normalise)]

    def maxpool(self, node):
        small = max(node["attrs"]["kernel"]) < 5  # Theano's "same" pads more than half of others
        tied = self.theano and self.ops.get(node["inputs"][0]) == "maxpool"
        pads, options = self.window(node, native=not tied and (small or not self.theano))
        if pads:  # its zeros must not win
            border = self.constant(numpy.where(inside(node), 0, -numpy.inf)[None])
            pads.append(self.function(lambda x: x + border))
        pool = self.maxima(node) if tied else self.layers.MaxPooling2D(**options)
        return [*pads, pool]

    def maxima(self, node):
        """Max pooling that chooses one of equal values, of which max pooling itself makes many.
        Theano's gives the gradient to all of them (its issue 4761)."""
        a = node["attrs"]

        def pool(x):
            for k, s, n in zip(a["kernel"], a["stride"], node["output"][1:]):
                rows = [x[:, :, i : i + (n - 1) * s + 1 : s] for i in range(k)]
                x = self.K.permute_dimensions(functools.reduce(self.K.maximum, rows), (0, 1, 3, 2))
            return x

        return self.layers.Lambda(pool, tuple(node["output"]))

    def avgpool(self, node):
        pads, options = self.window(node, native=not self.theano)  # whose "same" has no gradient
        layers = [*pads, self.layers.AveragePooling2D(**options)]
        if pads:
            share = self.constant((counts(node) / numpy.prod(options["pool_size"]))[None])
            layers.append(self.function(lambda x: x / share))
        return layers

    def globalavgpool(self, node):
        return [self.layers.GlobalAveragePooling2D()]

    def flatten(self, node):
        return [self.layers.Flatten("channels_last")]  # leaves the order as it is

    def dropout(self, node):
        return [self.layers.Dropout(node["attrs"]["rate"])]

    def stochasticdepth(self, node):
        """A dropout with one number for an image; CNTK's ignores `noise_shape`."""
        rate = node["attrs"]["rate"]
        if self.theano or not rate:
            return [self.layers.Dropout(rate, noise_shape=(None, 1, 1, 1))]

        def drop(x):
            return x * self.K.dropout(self.K.ones_like(x[:, :1, :1, :1]), rate)

        return [self.function(lambda x: self.K.in_train_phase(lambda: drop(x), x))]

    def channelshuffle(self, node):
        (c, h, w), groups, layers = node["output"], node["attrs"]["groups"], self.layers
        parts = layers.Reshape((groups, c // groups, h, w))
        return [parts, layers.Permute((2, 1, 3, 4)), layers.Reshape((c, h, w))]

    def slice(self, node):
        start, stop = node["attrs"]["start"], node["attrs"]["stop"]
        return [self.layers.Lambda(lambda x: x[:, start:stop], tuple(node["output"]))]

    def multiply(self, node):
        reshape = self.layers.Reshape((node["output"][0], 1, 1))
        multiply = self.layers.Multiply()
        return [lambda x: multiply([x[0], reshape(x[1])])]

    def add(self, node):
        return [self.layers.Add()]

    def concat(self, node):
        return [self.layers.Concatenate(1)]


def unset(*names):
    """Options of a layer whose weights come later: for any initialiser of Keras Theano compiles a
    function."""
    return {name + "_initializer": numpy.zeros for name in names}


def is_depthwise(node):
    return node["op"] == "conv" and node["attrs"]["groups"] == node["input_shapes"][0][0] > 1


def inside(node):
    """1 in the image and 0 in its padding."""
    return numpy.pad(
        numpy.ones(node["input_shapes"][0][1:]), [(p, p) for p in node["attrs"]["pad"]], "constant"
    )


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        if precision != "fp32":
            raise Unsupported("%s is not implemented for keras on %s" % (precision, mode))
        os.environ["OMP_NUM_THREADS"] = str(threads)
        getattr(self, "use_" + mode)(device, threads)
        self.mode, self.keras = mode, load(mode)
        self.K = self.keras.backend

    def use_theano(self, device, threads):
        if device != "cpu":
            raise Unsupported("theano's GPU backend needs pygpu, which no package index has")

    def use_cntk(self, device, threads):
        """Choose the device, which Keras takes as it finds it."""
        import cntk

        cntk.cntk_py.set_max_num_cputhreads(threads)
        try:
            chosen = cntk.gpu(0) if device == "cuda" else cntk.cpu()
        except ValueError as error:
            raise Unsupported("cntk.gpu(0): %s" % str(error).split("\n")[0])
        cntk.device.try_set_default_device(chosen)

    def versions(self):
        backend = sys.modules[self.mode]
        return {"keras": self.keras.__version__, self.mode: backend.__version__}

    def build(self, graph, weights):
        self.graph, self.functions, self.kept = graph, {}, {}
        self.nodes = {node["name"]: node for node in graph["nodes"]}
        operators = Operators(self.keras, graph)
        layers = {k: operator(operators, node["op"])(node) for k, node in self.nodes.items()}
        self.evaluated, self.trained = [self.model(layers, phase) for phase in (0, 1)]
        shares = [1] + [weight for _, weight in graph["auxiliary"]]
        self.trained.compile(self.optimizer(), self.entropy, loss_weights=shares)
        self.variables = {key: self.held(operators.holders, key) for key in weights}
        for key, variables in self.variables.items():
            parts = numpy.split(weights[key], len(variables))
            values = [self.to_native(key, part) for part in parts]
            self.K.batch_set_value(list(zip(variables, values)))

    def model(self, layers, phase):
        """The network in inference (phase 0) or in training (1)."""

        def apply(node, x):
            x = x[0] if len(x) == 1 else x
            for layer in layers[node["name"]]:
                x = layer(x)
            return x

        self.K.set_learning_phase(phase)
        x = self.keras.layers.Input(tuple(self.graph["input"]))
        table = {node["op"]: apply for node in self.graph["nodes"]}
        return self.keras.models.Model(x, walk(self.graph, table, x, training=phase == 1))

    def optimizer(self):
        training = self.graph["training"]
        return self.keras.optimizers.SGD(training["learning_rate"], training["momentum"])

    def entropy(self, y, logits):
        """On Theano, Keras's own makes probabilities and clips them, whatever `from_logits` says:
        an image that is much mistaken would have no gradient."""
        if self.mode == "cntk":
            return self.K.categorical_crossentropy(y, logits, from_logits=True)
        return self.K.logsumexp(logits, axis=-1) - self.K.sum(y * logits, axis=-1)

    def held(self, holders, key):
        """The variables of a weight: one, or one for each group of a convolution."""
        name, _, weight = key.rpartition("/")
        names = list(self.nodes[name]["weights"]) + list(self.nodes[name]["state"])
        return [layer.weights[names.index(weight)] for layer in holders[name]]

    def to_native(self, key, array):
        array = numpy.ascontiguousarray(self.flipped(key, array).transpose(NATIVE[array.ndim]))
        shape = self.K.int_shape(self.variables[key][0])
        return array.reshape(shape)  # depthwise: (h, w, 1, out) to (h, w, channels, out / channels)

    def to_graph(self, key, arrays):
        node, _, weight = key.rpartition("/")
        shape = self.nodes[node]["weights"][weight]
        if len(shape) == 4:
            arrays = [a.reshape((*a.shape[:2], shape[1], -1)) for a in arrays]
        array = numpy.concatenate([a.transpose(GRAPH[a.ndim]) for a in arrays])
        return self.flipped(key, array)

    def flipped(self, key, array):
        """Keras on Theano convolves, where the graph and depthwise layers correlate."""
        if (
            self.mode == "cntk"
            or array.ndim != 4
            or is_depthwise(self.nodes[key.rpartition("/")[0]])
        ):
            return array
        return array[:, :, ::-1, ::-1]

    def read(self, variables):
        """What lists of variables hold, in the graph's layout."""
        return {k: self.to_graph(k, self.K.batch_get_value(v)) for k, v in variables.items()}

    def parameters(self):
        return self.read({key: self.variables[key] for key in keys(self.graph)})

    def logits(self, x):
        return self.step("inference", x, None)()[0]

    def loss(self, x, y):
        return float(self.step("forward", x, y)()[0])

    def gradients(self, x, y):
        loss = self.step("train", x, y)()[0]
        return float(loss), self.read(self.kept)

    def step(self, phase, x, y):
        if phase not in self.functions:
            self.K.set_learning_phase(int(phase != "inference"))
            self.functions[phase] = getattr(self, "make_" + phase)()
        function, arguments = self.functions[phase], [x]
        if phase != "inference":  # labels as to_categorical makes them, and weights of the images
            classes = numpy.eye(*self.graph["nodes"][-1]["output"], dtype="float32")
            n = len(self.trained.outputs)
            arguments = [x] + n * [classes[y]] + n * [numpy.ones(len(x), "float32")]
        return lambda: function(arguments)

    def make_inference(self):
        self.evaluated._make_predict_function()
        return self.evaluated.predict_function

    def make_forward(self, updates=()):
        model = self.trained
        inputs = model._feed_inputs + model._feed_targets + model._feed_sample_weights
        return self.K.function(inputs, [model.total_loss], updates=list(updates))

    def make_train(self):
        """The train function with gradients assigned to variables in the optimiser's place."""
        named = [(key, v) for key in keys(self.graph) for v in self.variables[key]]
        variables = [v for _, v in named]
        gradients = self.K.gradients(self.trained.total_loss, variables)
        if self.mode == "cntk":  # wants to see the parameter in an update
            gradients = [g + 0 * v for g, v in zip(gradients, variables)]
        kept = [self.K.zeros(self.K.int_shape(v)) for v in variables]
        self.kept = {k: [] for k in keys(self.graph)}
        for (key, _), k in zip(named, kept):
            self.kept[key].append(k)
        updates = [self.K.update(*pair) for pair in zip(kept, gradients)]
        return self.make_forward(self.trained.updates + updates)

    def make_step(self):
        self.trained._make_train_function()
        return self.trained.train_function

    def wait(self, result):
        """Keras returns NumPy arrays: it has computed."""

    def source(self):
        lines = []
        self.trained.summary(print_fn=lines.append)
        return "\n".join(lines)
