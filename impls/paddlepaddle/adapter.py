"""PaddlePaddle: nn layers in NCHW, called eagerly ("dynamic"), converted whole by
paddle.jit.to_static, described in a static Program for an Executor, or exported to the predictor
of paddle.inference.

On the CPU its own kernels call the wheel's MKL of 2019, which takes a slow path on AMD processors:
MKL_DEBUG_CPU_TYPE=5 makes a training step of ResNet-50 2.1 times faster (one thread, batch 2: 1828
to 876 ms of processor time) and LeNet-5's 1.6 times. Only the predictor computes with oneDNN (170
against 264 ms for MKL): FLAGS_use_onednn leaves dynamic mode as it is (DNNL_VERBOSE shows no call)
and fails in static training. AdaptiveAvgPool2D, because the gradient of mean is 12 times slower.
"""

import os
import tempfile

import numpy
import paddle
import paddle.nn.functional as F
from convmark import Adapter as Contract
from convmark import (
    Unsupported,
    define,
    identifier,
    keys,
    nodes_of,
    partitions,
    program,
    total_loss,
)
from paddle import inference, nn, static

NAME = "paddlepaddle"
MODES = ("dynamic", "to_static", "static", "predictor")
FIELDS = {"scale": "weight", "shift": "bias", "mean": "_mean", "variance": "_variance"}


def conv(node, a):
    c, bias = node["input_shapes"][0][0], None if a["bias"] else False
    return nn.Conv2D(c, a["out"], a["kernel"], a["stride"], a["pad"],
                     groups=a["groups"], bias_attr=bias)  # fmt: skip


def dense(node, a):
    bias = None if a["bias"] else False  # None: a bias with default attributes
    return nn.Linear(node["input_shapes"][0][0], a["out"], bias_attr=bias)


class StochasticDepth(nn.Layer):
    """nn.Dropout(rate, axis=0) means the same; with its gradient it takes 11 ms, this 3."""

    def __init__(self, rate, rank):
        super().__init__()
        self.dropout, self.axes = nn.Dropout(rate), list(range(1, rank + 1))

    def forward(self, x):
        if not self.training or not self.dropout.p:
            return x
        first = paddle.slice(x, self.axes, [0] * len(self.axes), [1] * len(self.axes))
        return x * self.dropout(paddle.ones_like(first))  # of static shape or not


LAYERS = {
    "conv": conv,
    "dense": dense,
    "batchnorm": lambda node, a: nn.BatchNorm2D(node["output"][0], epsilon=a["eps"]),
    "relu": lambda node, a: nn.ReLU(),
    "relu6": lambda node, a: nn.ReLU6(),
    "sigmoid": lambda node, a: nn.Sigmoid(),
    "swish": lambda node, a: nn.Silu(),
    "hardswish": lambda node, a: nn.Hardswish(),
    "lrn": lambda node, a: nn.LocalResponseNorm(a["size"], a["alpha"], a["beta"], a["k"]),
    "maxpool": lambda node, a: nn.MaxPool2D(a["kernel"], a["stride"], a["pad"]),
    "avgpool": lambda node, a: nn.AvgPool2D(a["kernel"], a["stride"], a["pad"], exclusive=True),
    "globalavgpool": lambda node, a: nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten()),
    "flatten": lambda node, a: nn.Flatten(),
    "dropout": lambda node, a: nn.Dropout(a["rate"]),
    "stochasticdepth": lambda node, a: StochasticDepth(a["rate"], len(node["output"])),
    "channelshuffle": lambda node, a: nn.ChannelShuffle(a["groups"]),
}
EXPRESSIONS = {
    **dict.fromkeys(LAYERS, lambda node, x: "self.%s(%s)" % (identifier(node["name"]), x[0])),
    "hardsigmoid": lambda node, x: "F.hardsigmoid(%s, slope=1 / 6)" % x[0],
    "multiply": lambda node, x: "%s * %s.unsqueeze([2, 3])" % tuple(x),
    "add": lambda node, x: " + ".join(x),
    "concat": lambda node, x: "paddle.concat([%s], 1)" % ", ".join(x),
}


def source_of(graph, training):
    """The network as the text of a method."""
    table = expressions(graph, training)
    return program(graph, table, "def forward(self, x):", training=training)


def expressions(graph, training):
    """One line of Python for each operator. Slices are parts of a split in training, all of one
    where they are the whole of a value: the gradients of two slices take 47 times longer. Not in
    inference: oneDNN's split and slice end in an exception where a part of a blocked layout begins
    inside a block, and with AVX-512 behind some grouped convolutions (MixNet-M) also elsewhere."""
    parts = partitions(nodes_of(graph, training))

    def part(node, x):
        source, start, stop = node["inputs"][0], node["attrs"]["start"], node["attrs"]["stop"]
        if not training:
            return "paddle.crop(%s, %s, %s)" % (x[0], [-1, *node["output"]], [0, start, 0, 0])
        three = [n for n in (start, stop - start, node["input_shapes"][0][0] - stop) if n]
        sizes, rest = parts.get(source, three), "parts_" + identifier(source)
        split = "paddle.split(%s, %s, 1)" % (x[0], sizes)
        if source not in parts:
            return "%s[%d]" % (split, start > 0)
        return "%s.pop(0)" % (rest if start else "(%s := %s)" % (rest, split))

    return dict(EXPRESSIONS, slice=part)


class Network(nn.Layer):
    """The layers of a graph: in evaluation mode `net(x)` gives the logits, in training
    mode `net(x, y)` the loss."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph
        for node in graph["nodes"]:
            if node["op"] in LAYERS:
                layer = LAYERS[node["op"]](node, node["attrs"])
                self.add_sublayer(identifier(node["name"]), layer)
        texts = [source_of(graph, training) for training in (True, False)]
        scope = {"paddle": paddle, "F": F}
        self.text = "\n".join(dict.fromkeys(texts))  # two where training differs
        self.learn, self.infer = (define(text, "forward", scope) for text in texts)

    def forward(self, x, y=None):
        if not self.training:
            return self.infer(self, x)
        return total_loss(self.graph, self.learn(self, x), lambda z: F.cross_entropy(z, y))

    def tensor(self, key):
        """A parameter or statistic by the graph's name."""
        name, _, weight = key.rpartition("/")
        return getattr(getattr(self, identifier(name)), FIELDS.get(weight, weight))


def swapped(array):
    """A weight in the other layout: Paddle's dense ones are (in, out), others as in the graph."""
    return numpy.ascontiguousarray(array.T) if array.ndim == 2 else array


def momentum(training, net):
    """Paddle's own optimizer."""
    return paddle.optimizer.Momentum(
        training["learning_rate"], training["momentum"], parameters=net.parameters()
    )


class Dynamic:
    """The network as a Layer, called eagerly or converted as a whole."""

    def __init__(self, graph, weights, convert=False):
        self.keys, self.net = keys(graph), Network(graph)
        for key, array in weights.items():
            self.net.tensor(key).set_value(swapped(array))
        self.optimizer = momentum(graph["training"], self.net)
        if convert:  # full_graph: an error, never a silent return to eager
            paddle.jit.to_static(self.net, full_graph=True)

    def bind(self, phase, x, y=None):
        (self.net.eval if phase == "inference" else self.net.train)()
        x, y = paddle.to_tensor(x), y if y is None else paddle.to_tensor(y)

        def infer():
            with paddle.no_grad():
                return self.net(x)

        def forward():
            return self.net(x, y)

        def train():
            self.optimizer.clear_grad(set_to_zero=False)  # the default adds to zeros
            loss = forward()
            loss.backward()
            return loss

        def step():
            loss = train()
            self.optimizer.step()
            return loss

        return {"inference": infer, "forward": forward, "train": train, "step": step}[phase]

    def parameter(self, key):
        return self.net.tensor(key).numpy()

    def value(self, result):
        return result.numpy()

    def gradients(self, bind, x, y):
        loss = bind("train", x, y)()
        return loss, {key: self.net.tensor(key).grad.numpy() for key in self.keys}

    def source(self):
        return self.net.text


class Static:
    """A Program for each phase, run by an Executor. Layers get the same names each time, so that
    the programs share the parameters in the scope."""

    def __init__(self, graph, weights, place):
        self.graph, self.keys, self.place = graph, keys(graph), place
        self.scope, self.executor = static.Scope(), static.Executor(place)
        main, startup = self.describe("inference")
        self.programs = {"inference": main}
        self.start(startup, {key: swapped(array) for key, array in weights.items()})

    def start(self, startup, values):
        """Make what a Program needs: parameters, which get `values`, and velocities."""
        self.executor.run(startup, scope=self.scope)
        for key, array in values.items():
            self.variable(self.net.tensor(key).name).set(array, self.place)

    def program(self, phase):
        """What `describe` says of a phase, when it is asked for: velocities, as large as the
        weights, are no part of what inference needs."""
        if phase not in self.programs:
            self.programs[phase], startup = self.describe(phase)
            if phase == "step":
                held = [*self.keys, *keys(self.graph, "state")]
                self.start(startup, {key: self.parameter(key) for key in held})
        return self.programs[phase]

    def describe(self, phase):
        """The Program of a phase and what to fetch from it, its result and the gradients; and its
        startup."""
        main, startup = static.Program(), static.Program()
        with static.program_guard(main, startup), paddle.utils.unique_name.guard():
            self.net = net = Network(self.graph)
            x = static.data("x", [None] + self.graph["input"])
            if phase == "inference":
                net.eval()
                return (main, net(x), []), startup
            loss, gradients = net(x, static.data("y", [None], "int64")), []
            if phase == "train":
                weights = [net.tensor(key) for key in self.keys]
                gradients = [g for _, g in static.append_backward(loss, weights)]
            if phase == "step":
                momentum(self.graph["training"], net).minimize(loss)
        return (main, loss, gradients), startup

    def variable(self, name):
        """The tensor of a parameter or an input in the scope."""
        return self.scope.var(name).get_tensor()

    def bind(self, phase, x, y=None, check=False):
        main, result, gradients = self.program(phase)
        feed = {"x": x} if phase == "inference" else {"x": x, "y": y}
        for name, array in feed.items():
            feed[name] = self.variable("input_" + name)
            feed[name].set(array, self.place)
        fetch = [result, *gradients] if check else [result]
        run, scope = self.executor.run, self.scope
        return lambda: run(main, feed, fetch, scope=scope, return_numpy=False)

    def parameter(self, key):
        return numpy.array(self.variable(self.net.tensor(key).name))

    def value(self, result):
        return numpy.array(result[0])

    def gradients(self, bind, x, y):
        loss, *found = map(numpy.array, self.bind("train", x, y, check=True)())
        return loss, dict(zip(self.keys, found))

    def source(self):
        return str(self.program("train")[0])


class Predictor:
    """The network exported, and run as it is deployed: inference only. The predictor has weights of
    its own; those of what was exported stay on the disk, where its memory does not count them."""

    def __init__(self, graph, weights, device, threads):
        exported, self.folder = Dynamic(graph, weights), tempfile.TemporaryDirectory(dir=".")
        for key in exported.keys:
            numpy.save(self.file(key), exported.parameter(key))
        self.text = exported.net.text
        exported.net.eval()
        spec = static.InputSpec([None] + graph["input"], name="x")
        paddle.jit.save(exported.net, self.folder.name + "/net", [spec])
        config = inference.Config(self.folder.name, "net")
        config.disable_glog_info()
        if device == "cuda":
            config.enable_use_gpu(100, 0)
        else:
            config.set_cpu_math_library_num_threads(threads)
            config.enable_mkldnn()
            # "Not found attr. The drr attr [fuse_activation]" for two convolutions and a ReLU
            config.delete_pass("conv_concat_activation_onednn_fuse_pass")
        self.predictor = inference.create_predictor(config)

    def file(self, key):
        return os.path.join(self.folder.name, key.replace("/", ".") + ".npy")

    def parameter(self, key):
        return numpy.load(self.file(key))

    def source(self):
        return self.text

    def bind(self, phase, x, y=None):
        if phase != "inference":
            raise Unsupported("paddle.inference has no training: its predictor runs inference only")
        self.predictor.get_input_handle("x").copy_from_cpu(x)
        result = self.predictor.get_output_handle(self.predictor.get_output_names()[0])

        def infer():
            self.predictor.run()
            return result

        return infer

    def value(self, result):
        return result.copy_to_cpu()

    def gradients(self, bind, x, y):
        return bind("train", x, y)


class Adapter(Contract):
    def __init__(self, mode, device, precision, threads):
        if precision != "fp32":
            raise Unsupported("%s is not implemented for paddlepaddle" % precision)
        if device == "cuda" and not paddle.device.is_compiled_with_cuda():
            raise Unsupported("paddle.device.is_compiled_with_cuda() is False")
        if device == "cuda" and not paddle.device.cuda.device_count():
            raise Unsupported("paddle.device.cuda.device_count() is 0")
        self.place = paddle.set_device("gpu:0" if device == "cuda" else "cpu")
        self.mode, self.device, self.threads = mode, device, threads
        if mode == "static":
            self.rerun = "what a program computes is kept only if it is fetched, which copies it"
            paddle.enable_static()

    def versions(self):
        found = {"paddle": paddle.__version__}
        if self.device == "cuda":
            found["cuda"], found["cudnn"] = paddle.version.cuda(), paddle.version.cudnn()
            found["gpu"] = paddle.device.cuda.get_device_name(0)
        return found

    def build(self, graph, weights):
        self.keys, self.network = keys(graph), None  # frees the one before
        if self.mode == "static":
            self.network = Static(graph, weights, self.place)
        elif self.mode == "predictor":
            self.network = Predictor(graph, weights, self.device, self.threads)
        else:
            self.network = Dynamic(graph, weights, self.mode == "to_static")

    def parameters(self):
        return {key: swapped(self.network.parameter(key)) for key in self.keys}

    def logits(self, x):
        return self.network.value(self.step("inference", x, None)())

    def loss(self, x, y):
        return float(self.network.value(self.step("forward", x, y)()))

    def gradients(self, x, y):
        loss, found = self.network.gradients(self.step, x, y)
        return float(loss), {key: swapped(array) for key, array in found.items()}

    def step(self, phase, x, y):
        return self.network.bind(phase, x, y)

    def wait(self, result):
        if self.device == "cuda":
            paddle.device.cuda.synchronize()

    def memory(self):
        if self.device == "cpu":
            return {}
        cuda = paddle.device.cuda
        peak, reserved = cuda.max_memory_allocated(), cuda.max_memory_reserved()
        return {"allocated_peak": peak, "reserved_peak": reserved}

    def source(self):
        return self.network.source()
