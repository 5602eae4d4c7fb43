"""MindSpore: nn layers called by a generated `construct`, in NCHW, the layout of its CPU kernels.

graph: each phase is one function under `mindspore.jit`. pynative: the same functions, operator by
operator, each of which waits for its kernel (`launch_blocking`): handing every operator to a second
thread made training LeNet-5, batch 8, 7 to 10 times slower (275 and 35 ms, 337 and 44, 383 and 39,
202 and 29 in four pairs of runs on two busy processors).
"""

import linecache

import mindspore as ms
import numpy
from convmark import Adapter as Base
from convmark import Unsupported, define, identifier, keys, program, total_loss
from mindspore import nn, ops

NAME = "mindspore"
MODES = ("graph", "pynative")
FIELDS = {
    "scale": "gamma", "shift": "beta", "mean": "moving_mean", "variance": "moving_variance",
}  # fmt: skip


def conv(node, a):
    h, w = a["pad"]
    return nn.Conv2d(node["input_shapes"][0][0], a["out"], tuple(a["kernel"]), tuple(a["stride"]),
                     "pad", (h, h, w, w), group=a["groups"], has_bias=a["bias"])  # fmt: skip


def window(a):
    """Kernel, stride and padding as arguments of a pooling layer."""
    sizes = tuple(a["kernel"]), tuple(a["stride"])
    return sizes + (("pad", tuple(a["pad"])) if any(a["pad"]) else ())


class ResponseNorm(nn.Cell):
    """LRN. MindSpore's own, ops.LRN, fails from 16 channels on ("could not execute a primitive"):
    it gives oneDNN no workspace. The sums of neighbours are a product with a band matrix."""

    def __init__(self, channels, size, alpha, beta, k):
        super().__init__()
        place = numpy.arange(channels)
        near = abs(place[:, None] - place) <= size // 2
        self.near = ms.Tensor((near * alpha / size).astype("float32"))
        self.beta, self.k = beta, k

    def construct(self, x):
        squares = (x * x).reshape(x.shape[0], x.shape[1], -1)
        sums = ops.matmul(self.near, squares).reshape(x.shape)
        return x * ops.exp(ops.log(sums + self.k) * -self.beta)


class StochasticDepth(nn.Cell):
    """The images times a dropout of ones, one for each image."""

    def __init__(self, rate, rank):
        super().__init__()
        self.rate, self.dropout, self.ones = rate, nn.Dropout(p=rate), (1,) * rank

    def construct(self, x):
        if not self.training or not self.rate:
            return x
        return x * self.dropout(ops.ones((x.shape[0], *self.ones), x.dtype))


LAYERS = {
    "conv": conv,
    "dense": lambda node, a: nn.Dense(node["input_shapes"][0][0], a["out"], has_bias=a["bias"]),
    "batchnorm": lambda node, a: nn.BatchNorm2d(node["output"][0], a["eps"]),
    "relu": lambda node, a: nn.ReLU(),
    "relu6": lambda node, a: nn.ReLU6(),
    "sigmoid": lambda node, a: nn.Sigmoid(),
    "hardsigmoid": lambda node, a: nn.HSigmoid(),
    "swish": lambda node, a: nn.SiLU(),
    "hardswish": lambda node, a: nn.HSwish(),
    "lrn": lambda node, a: ResponseNorm(node["output"][0], **a),
    "maxpool": lambda node, a: nn.MaxPool2d(*window(a)),
    "avgpool": lambda node, a: nn.AvgPool2d(*window(a), count_include_pad=not any(a["pad"])),
    "flatten": lambda node, a: nn.Flatten(),
    "dropout": lambda node, a: nn.Dropout(p=a["rate"]),
    "stochasticdepth": lambda node, a: StochasticDepth(a["rate"], len(node["output"])),
    "channelshuffle": lambda node, a: nn.ChannelShuffle(a["groups"]),
}
FUNCTIONS = {
    "globalavgpool": lambda node, x: "ops.mean(%s, (2, 3))" % x[0],
    "slice": lambda node, x: "%s[:, %d:%d]" % (x[0], node["attrs"]["start"], node["attrs"]["stop"]),
    "multiply": lambda node, x: "%s * %s.expand_dims(2).expand_dims(3)" % tuple(x),
    "add": lambda node, x: " + ".join(x),
    "concat": lambda node, x: "ops.cat((%s), 1)" % ", ".join(x),
}


def layer(node, x):
    return "self.%s(%s)" % (identifier(node["name"]), x[0])


def method(graph, name, training):
    """The network's pass in training or in inference as a method, and its text."""
    expressions = dict(FUNCTIONS, **dict.fromkeys(LAYERS, layer))
    text = program(graph, expressions, "def %s(self, x):" % name, training=training)
    # the compiler asks `inspect` for the source of what it compiles
    file = "<%s>" % name
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    return define(text, name, {"ops": ops, "__name__": __name__}), text


class Network(nn.Cell):
    """The layers of a graph; a subclass has the generated `learn` and `infer` over them."""

    def __init__(self, graph):
        super().__init__()
        for node in graph["nodes"]:
            if node["op"] in LAYERS:
                made = LAYERS[node["op"]](node, node["attrs"])
                setattr(self, identifier(node["name"]), made)

    def construct(self, x):
        return self.learn(x) if self.training else self.infer(x)


class Loss(nn.Cell):
    """The loss of a batch."""

    def __init__(self, graph, network):
        super().__init__()
        self.network, self.entropy = network, nn.CrossEntropyLoss()
        self.graph = {"auxiliary": graph["auxiliary"]}  # all that total_loss reads

    def construct(self, x, y):
        return total_loss(self.graph, self.network(x), lambda z: self.entropy(z, y))


def select_gpu(tf32):
    """Compute on the first GPU. Raises Unsupported in MindSpore's words."""
    try:
        ms.set_device("GPU", 0)
    except (RuntimeError, ValueError) as error:
        raise Unsupported(" ".join(str(error).split("\n")[:1]))
    ms.device_context.gpu.op_precision.conv_allow_tf32(tf32)
    ms.device_context.gpu.op_precision.matmul_allow_tf32(tf32)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        if precision not in ("fp32", "tf32") or (device, precision) == ("cpu", "tf32"):
            raise Unsupported("%s is not implemented for mindspore on %s" % (precision, device))
        self.mode, self.device = mode, device
        if device == "cuda":
            select_gpu(precision == "tf32")
        elif mode == "pynative":
            ms.runtime.launch_blocking()
        ms.runtime.synchronize()  # the first call on a CPU only says that it need not be used there

    def versions(self):
        return {"mindspore": ms.__version__, "numpy": numpy.__version__}

    def build(self, graph, weights):
        self.graph = graph
        learn, self.text = method(graph, "learn", training=True)
        infer, text = method(graph, "infer", training=False)
        self.text += "\n" + text
        self.native = type("Native", (Network,), {"learn": learn, "infer": infer})(graph)
        for key, array in weights.items():
            self.parameter(key).set_data(ms.Tensor(array))
        self.phases = self.phases_of(self.native)

    def phases_of(self, network):
        """The phases that change no weight, as functions of a batch."""
        loss = Loss(self.graph, network)
        self.trained = network.trainable_params()
        train = self.train = ms.value_and_grad(loss, None, self.trained)

        def inference(x):
            return network(x)

        def forward(x, y):
            return loss(x, y)

        def gradients(x, y):
            return train(x, y)

        phases = {"inference": inference, "forward": forward, "train": gradients}
        return {phase: self.compiled(function) for phase, function in phases.items()}

    def whole_step(self, learning_rate, momentum):
        """Made when it is asked for: SGD keeps two tensors as large as each weight, which are no
        part of what inference needs."""
        train, optimizer = self.train, nn.SGD(self.trained, learning_rate, momentum)

        def step(x, y):
            value, gradients = train(x, y)
            optimizer(gradients)
            return value

        return self.compiled(step)

    def compiled(self, function):
        return function if self.mode == "pynative" else ms.jit(function)

    def parameter(self, key):
        name, _, weight = key.rpartition("/")
        return getattr(getattr(self.native, identifier(name)), FIELDS.get(weight, weight))

    def parameters(self):
        return {key: self.parameter(key).asnumpy() for key in keys(self.graph)}

    def logits(self, x):
        return self.step("inference", x, None)().asnumpy()

    def loss(self, x, y):
        return float(self.step("forward", x, y)().asnumpy())

    def gradients(self, x, y):
        loss, gradients = self.step("train", x, y)()
        found = {id(p): g.asnumpy() for p, g in zip(self.trained, gradients)}
        return float(loss.asnumpy()), {k: found[id(self.parameter(k))] for k in keys(self.graph)}

    def step(self, phase, x, y):
        self.native.set_train(phase != "inference")
        if phase not in self.phases:
            self.phases[phase] = self.whole_step(**self.graph["training"])
        function = self.phases[phase]
        x = ms.Tensor(x)
        if phase == "inference":
            return lambda: function(x)
        y = ms.Tensor(y.astype("int32"))
        return lambda: function(x, y)

    def wait(self, result):
        ms.runtime.synchronize()

    def memory(self):
        if self.device == "cpu":
            return {}
        allocated, reserved = ms.runtime.max_memory_allocated(), ms.runtime.max_memory_reserved()
        return {"allocated_peak": allocated, "reserved_peak": reserved}

    def source(self):
        return self.text
