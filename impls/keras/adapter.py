"""Keras 3: a functional model on TensorFlow, JAX or PyTorch.

The plain modes are Keras's compiled step: the functions that make_train_function and
make_predict_function build and fit and predict call for each batch; `forward` and `train` are
train_steps of our own in it, as Keras's guides customise fit. The `-loop` modes are the guides'
loops written from scratch. The native adapter prepares the framework below, so that the two
differ by Keras alone.

Measured on three bottlenecks on images of 4x3x112x112 with one thread. TensorFlow: XLA, which is
jit_compile="auto", makes training on the CPU 1.6 times as slow as without (132 against 82 ms of
CPU time): it is off there, and on for CUDA. PyTorch: channels first; last is about 1.1 times as
slow, because Keras copies images between the layouts.
"""

import importlib.util
import os
import sys

from convmark import Adapter as Contract
from convmark import (
    DepthwiseLast,
    Unsupported,
    identifier,
    is_depthwise,
    keys,
    same_padding,
    total_loss,
    walk,
)

NAME = "keras"
MODES = ("tensorflow", "jax", "torch", "tensorflow-loop", "jax-loop", "torch-loop")
POLICIES = {"fp32": "float32", "tf32": "float32", "bf16": "mixed_bfloat16"}
UNSET = "zeros"  # weights come later; JAX compiles random ones for each shape, for half a second
NATIVE = {
    "weight": "kernel", "scale": "gamma", "shift": "beta",
    "mean": "moving_mean", "variance": "moving_variance",
}  # fmt: skip


def load(framework):
    """The native adapter's file, as a module."""
    impls = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(impls, framework, "adapter.py")
    spec = importlib.util.spec_from_file_location("convmark_" + framework, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class ChannelsFirst(DepthwiseLast):
    """Keras keeps kernels as HWIO in both layouts; here a flattened image is in CHW order."""

    def __init__(self, graph):
        self.nodes, self.flat = {node["name"]: node for node in graph["nodes"]}, {}


class Operators:
    """What each operator is in Keras: one method per operator."""

    def __init__(self, keras, lrn):
        self.ops, self.layers, self.local_norm = keras.ops, keras.layers, lrn
        self.axis = 1 if keras.config.image_data_format() == "channels_first" else -1

    def pad(self, node, x, value=0.0):
        """The input of a sliding window, and "same" where that pads as the graph does."""
        a, size, out = node["attrs"], node["input_shapes"][0][1:], node["output"][1:]
        if not any(a["pad"]):
            return x, "valid"
        if all(map(same_padding, size, a["kernel"], a["stride"], a["pad"], out)):
            return x, "same"
        if not value:
            return self.layers.ZeroPadding2D(a["pad"])(x), "valid"
        widths = [(0, 0)] + [(p, p) for p in a["pad"]]
        widths.insert(self.axis % 4, (0, 0))
        return self.ops.pad(x, widths, constant_values=value), "valid"

    def conv(self, node, x):
        a, (x, padding) = node["attrs"], self.pad(node, x[0])
        options = {"use_bias": a["bias"], "name": identifier(node["name"])}
        window = a["kernel"], a["stride"], padding
        if is_depthwise(node):  # on TensorFlow XLA compiles groups, many times as slow
            multiplier = a["out"] // a["groups"]
            return self.layers.DepthwiseConv2D(
                *window, multiplier, depthwise_initializer=UNSET, **options
            )(x)
        return self.layers.Conv2D(
            a["out"], *window, groups=a["groups"], kernel_initializer=UNSET, **options
        )(x)

    def dense(self, node, x):
        a, name = node["attrs"], identifier(node["name"])
        options = {"use_bias": a["bias"], "name": name, "kernel_initializer": UNSET}
        return self.layers.Dense(a["out"], **options)(x[0])

    def batchnorm(self, node, x):
        eps, name = node["attrs"]["eps"], identifier(node["name"])
        return self.layers.BatchNormalization(self.axis, epsilon=eps, name=name)(x[0])

    def relu(self, node, x):
        return self.layers.ReLU()(x[0])

    def relu6(self, node, x):
        return self.layers.ReLU(6.0)(x[0])

    def sigmoid(self, node, x):
        return self.layers.Activation("sigmoid")(x[0])

    def hardsigmoid(self, node, x):
        return self.layers.Activation("hard_sigmoid")(x[0])

    def swish(self, node, x):
        return self.layers.Activation("silu")(x[0])

    def hardswish(self, node, x):
        return self.layers.Activation("hard_silu")(x[0])

    def lrn(self, node, x):  # Keras has none
        return self.layers.Lambda(self.local_norm, arguments=node["attrs"], dtype="float32")(x[0])

    def maxpool(self, node, x):
        a, (x, padding) = node["attrs"], self.pad(node, x[0], float("-inf"))
        return self.layers.MaxPooling2D(a["kernel"], a["stride"], padding)(x)

    def avgpool(self, node, x):
        a, (padded, padding) = node["attrs"], self.pad(node, x[0])
        pool = self.layers.AveragePooling2D(a["kernel"], a["stride"], padding)
        if padding == "same" or not any(a["pad"]):  # "same" does not count its padding
            return pool(padded)
        ones, _ = self.pad(node, self.ops.ones((1, *x[0].shape[1:])))
        return pool(padded) / pool(ones)

    def globalavgpool(self, node, x):
        return self.layers.GlobalAveragePooling2D()(x[0])

    def flatten(self, node, x):
        return self.layers.Flatten("channels_last")(x[0])  # of an image as it lies, either way

    def dropout(self, node, x):
        return self.layers.Dropout(node["attrs"]["rate"])(x[0])

    def stochasticdepth(self, node, x):
        rate, ones = node["attrs"]["rate"], (1,) * len(node["output"])
        return self.layers.Dropout(rate, (None, *ones))(x[0]) if rate else x[0]

    def channelshuffle(self, node, x):
        groups, (c, h, w) = node["attrs"]["groups"], node["output"]
        parts, image, order = (groups, c // groups, h * w), (c, h, w), (2, 1, 3)
        if self.axis == -1:
            parts, image, order = (h * w, groups, c // groups), (h, w, c), (1, 3, 2)
        x = self.layers.Permute(order)(self.layers.Reshape(parts)(x[0]))
        return self.layers.Reshape(image)(x)

    def slice(self, node, x):
        channels = slice(node["attrs"]["start"], node["attrs"]["stop"])
        return x[0][:, channels] if self.axis == 1 else x[0][..., channels]

    def multiply(self, node, x):
        c = node["output"][0]
        gate = self.layers.Reshape((c, 1, 1) if self.axis == 1 else (1, 1, c))(x[1])
        return self.layers.Multiply()([x[0], gate])

    def add(self, node, x):
        return self.layers.Add()(x)

    def concat(self, node, x):
        return self.layers.Concatenate(self.axis)(x)


class TensorFlow:
    native_mode, data_format = "function", "channels_last"

    def __init__(self, native, device):
        self.tf, self.jit = native.tf, device == "cuda"

    def lrn(self, x, size, alpha, beta, k):
        return self.tf.nn.local_response_normalization(x, size // 2, k, alpha / size, beta)

    def functions(self, model, evaluated, loss, optimizer):
        """The phases as functions of a batch; `evaluated` is the model without what only auxiliary
        classifiers need."""

        def inference(data):
            return evaluated(*data, training=False)

        def forward(data):
            x, y = data
            return loss(y, model(x, training=True))

        def train(data):
            with self.tf.GradientTape() as tape:
                value = forward(data)
            return value, tape.gradient(value, model.trainable_weights)

        def step(data):
            value, gradients = train(data)
            optimizer.apply(gradients, model.trainable_weights)
            return value

        return inference, forward, train, step

    def looped(self, function):
        """A phase as a loop of one's own has it."""
        compiled = self.tf.function(function, jit_compile=self.jit)
        return lambda batches: compiled(batches[0])

    def bind(self, phase, function, metrics, batch):
        return lambda: function([batch])

    def weights(self, model):
        return model.trainable_weights


class Torch(TensorFlow):
    native_mode, data_format = "eager", "channels_first"
    jit = False  # torch.compile breaks the graph of a Keras model dozens of times

    def __init__(self, native, device):
        self.torch = native.torch

    def lrn(self, x, size, alpha, beta, k):
        return self.torch.nn.functional.local_response_norm(x, size, alpha, beta, k)

    def functions(self, model, evaluated, loss, optimizer):
        def inference(data):
            with self.torch.no_grad():
                return evaluated(*data, training=False)

        def forward(data):
            x, y = data
            return loss(y, model(x, training=True))

        def train(data):
            model.zero_grad()
            value = forward(data)
            value.backward()
            return value, [weight.value.grad for weight in model.trainable_weights]

        def step(data):
            value, gradients = train(data)
            with self.torch.no_grad():
                optimizer.apply(gradients, model.trainable_weights)
            return value

        return inference, forward, train, step

    def looped(self, function):
        return lambda batches: function(batches[0])


class Jax:
    """Here a phase takes and returns what a step changes: lists of trainable variables and of the
    others, and for `step` those of the optimiser and of the metrics. They live here, since a
    step's outputs take the place of its inputs."""

    native_mode, data_format = "nnx", "channels_last"
    jit = True

    def __init__(self, native, device):
        self.jax, self.lrn = native.jax, native.lrn

    def functions(self, model, evaluated, loss, optimizer):
        self.model, self.evaluated = model, evaluated
        self.optimizer, self.state = optimizer, None
        self.kept = []  # where the variables of `evaluated` are among those of `model`
        for whole, part in zip(self.parts(model), self.parts(evaluated)):
            places = {id(v): i for i, v in enumerate(whole)}
            self.kept.append([places[id(v)] for v in part])

        def inference(state, data):
            logits, others = evaluated.stateless_call(*state, *data, training=False)
            return logits, (state[0], others)

        def losses(trainable, others, x, y):
            logits, others = model.stateless_call(trainable, others, x, training=True)
            return loss(y, logits), others

        def forward(state, data):
            value, others = losses(*state, *data)
            return value, (state[0], others)

        def train(state, data):
            differentiate = self.jax.value_and_grad(losses, has_aux=True)
            (value, others), gradients = differentiate(*state, *data)
            return (value, gradients), (state[0], others)

        def step(state, data):
            trainable, others, slots, metrics = state
            (value, gradients), (_, others) = train((trainable, others), data)
            trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
            return value, (trainable, others, slots, metrics)

        return inference, forward, train, step

    def looped(self, function):
        compiled = self.jax.jit(function, donate_argnums=0)
        return lambda state, batches: compiled(state, next(batches))

    def bind(self, phase, function, metrics, batch):
        if self.state is None:
            self.state = [[v.value for v in part] for part in self.parts(self.model)]
        if phase == "step" and len(self.state) == 2:
            parts = self.optimizer.variables, metrics
            self.state += [[v.value for v in part] for part in parts]
        count = 4 if phase == "step" else 2

        def step():
            result, state = function(tuple(self.state[:count]), iter([batch]))
            self.state[:count] = state
            return result

        if phase == "inference" and self.evaluated is not self.model:
            return lambda: self.infer(function, batch)
        return step

    def infer(self, function, batch):
        """An inference step of a model that has a part of the variables only."""
        state = tuple([part[i] for i in kept] for part, kept in zip(self.state, self.kept))
        result, state = function(state, iter([batch]))
        for part, kept, values in zip(self.state, self.kept, state):
            for i, value in zip(kept, values):
                part[i] = value
        return result

    def parts(self, model):
        return model.trainable_variables, model.non_trainable_variables

    def weights(self, model):
        return self.state[0] if self.state else model.trainable_weights


BACKENDS = {"tensorflow": TensorFlow, "jax": Jax, "torch": Torch}


class Adapter(Contract):
    def __init__(self, mode, device, precision, threads):
        if precision not in POLICIES:
            raise Unsupported("loss scaling, which %s needs, is not implemented" % precision)
        name, _, self.loop = mode.partition("-")
        os.environ["KERAS_BACKEND"], os.environ["KERAS_TORCH_DEVICE"] = name, device
        native = load(name)
        self.native = native.Adapter(BACKENDS[name].native_mode, device, precision, threads)
        self.backend = BACKENDS[name](native, device)
        import keras

        self.keras, self.precision = keras, precision
        keras.config.set_dtype_policy(POLICIES[precision])
        keras.config.set_image_data_format(self.backend.data_format)

    def versions(self):
        return dict(self.native.versions(), keras=self.keras.__version__)

    def build(self, graph, weights):
        keras, self.phases = self.keras, {}
        keras.utils.clear_session()
        last = self.backend.data_format == "channels_last"
        self.layout = DepthwiseLast(graph) if last else ChannelsFirst(graph)
        c, h, w = graph["input"]
        x = keras.Input((h, w, c) if last else (c, h, w))
        outputs = walk(graph, Operators(keras, self.backend.lrn), x, training=True)
        if self.precision == "bf16":
            linear = keras.layers.Activation("linear", dtype="float32")
            outputs = keras.tree.map_structure(linear, outputs)
        self.model = self.evaluated = keras.Model(x, outputs)
        if graph["auxiliary"]:
            self.evaluated = keras.Model(x, outputs[0])
        for key, array in weights.items():
            self.variable(key).assign(self.layout.to_native(key, array))
        named = {id(self.variable(key)): key for key in keys(graph)}
        self.keys = [named.get(id(v), v.path) for v in self.model.trainable_weights]
        self.sgd = keras.optimizers.SGD(**graph["training"])
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.losses, self.outputs = (entropy, None), 1  # what compile takes
        if graph["auxiliary"]:
            weights = [1.0, *(weight for _, weight in graph["auxiliary"])]
            self.losses, self.outputs = ([entropy] * len(weights), weights), len(weights)

        def loss(y, outputs):
            return total_loss(graph, outputs, lambda logits: entropy(y, logits))

        functions = self.backend.functions(self.model, self.evaluated, loss, self.sgd)
        self.functions = {function.__name__: function for function in functions}

    def variable(self, key):
        name, _, weight = key.rpartition("/")
        return getattr(self.model.get_layer(identifier(name)), NATIVE.get(weight, weight))

    def parameters(self):
        return self.named(self.backend.weights(self.model))

    def named(self, values):
        arrays = [self.keras.ops.convert_to_numpy(v) for v in values]
        return {k: self.layout.to_graph(k, a).copy() for k, a in zip(self.keys, arrays)}

    def logits(self, x):
        return self.keras.ops.convert_to_numpy(self.step("inference", x, None)())

    def loss(self, x, y):
        return float(self.step("forward", x, y)())

    def gradients(self, x, y):
        loss, gradients = self.step("train", x, y)()
        return float(loss), self.named(gradients)

    def step(self, phase, x, y):
        if self.backend.data_format == "channels_last":
            x = x.transpose(0, 2, 3, 1)
        arrays = (x,) if phase == "inference" else (x, y)
        batch = tuple(self.keras.ops.convert_to_tensor(a) for a in arrays)
        if phase == "step":
            self.sgd.build(self.model.trainable_variables)
            if not self.loop and self.outputs > 1:  # labels for each of the losses
                batch = batch[0], [batch[1]] * self.outputs
        if phase not in self.phases:
            self.phases[phase] = self.looped(phase) if self.loop else self.fitted(phase)
        return self.backend.bind(phase, *self.phases[phase], batch)

    def looped(self, phase):
        """A phase in a loop of one's own, and the variables of metrics in it."""
        return self.backend.looped(self.functions[phase]), []

    def fitted(self, phase):
        """What fit or predict call for each batch, and the variables of metrics in it."""
        function = self.functions[phase]

        class Custom(self.keras.Model):
            def train_step(self, *arguments):
                return function(*arguments)

        kind = Custom if phase in ("forward", "train") else self.keras.Model
        original = self.evaluated if phase == "inference" else self.model
        model = kind(original.inputs, original.outputs)
        model.compile(self.sgd, *self.losses, jit_compile=self.backend.jit)
        if phase == "inference":
            model.make_predict_function()
            return model.predict_function, []
        model.make_train_function()
        return model.train_function, model.metrics_variables

    def wait(self, result):
        self.native.wait(result)

    def memory(self):
        return self.native.memory()

    def source(self):
        lines = []
        self.model.summary(100, print_fn=lines.append)
        return "\n".join(lines)
