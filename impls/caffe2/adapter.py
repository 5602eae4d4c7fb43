"""Caffe2: nets of operators built with brew, in NCHW, run by the workspace.

Mode "ideep" places the operators on Caffe2's IDEEP device (oneDNN and its blocked layouts), mode
"net" on the default one (MKL's matrix products on a CPU, cuDNN on a GPU). The ResNet-50 of Caffe2's
own models, batch 4, one thread of an AMD EPYC, processor time of inference / gradients: net 424 /
1507 ms with MKL_DEBUG_CPU_TYPE=5, ideep 343 / 1176 ms. oneDNN's fused operators (optimizeForMKLDNN)
give 7 % more in inference, but overwrite the weights that the phases share: not used.

What the IDEEP device lacks, or differentiates wrongly, the CPU's operators do there between copies,
as in Caffe2's own fallback operators.
"""

import collections
import functools

import numpy
from convmark import ACTIVATIONS, Unsupported, keys, nodes_of, outputs_of, walk
from convmark import Adapter as Base

NAME = "caffe2"
MODES = ("ideep", "net")
SUFFIXES = {"weight": "w", "bias": "b", "scale": "s", "shift": "b", "mean": "rm", "variance": "riv"}
# Their backward does not need their own output.
FRESH = ("conv", "dense", "batchnorm", "hardswish", "multiply", "add")
BLOCK = 16  # channels that oneDNN's layouts keep together, at most
HARD = {"alpha": 1 / 6, "beta": 0.5}  # HardSigmoid is max(0, min(1, alpha x + beta))


def blob(key):
    """The name that brew gives to a parameter: conv1/weight is conv1_w."""
    name, _, weight = key.rpartition("/")
    return name + "_" + SUFFIXES[weight]


def window(a):
    """Kernel, stride and padding (top, left, bottom, right) of a pooling layer."""
    return {"kernels": a["kernel"], "strides": a["stride"], "pads": a["pad"] * 2}


def to_host(core, source, target, **options):
    """Operators that copy from IDEEP. Caffe2's copy takes what is NHWC inside for NCHW; Cast, here
    from float to float, is a fallback operator and makes it NCHW."""
    plain = target + "_nchw"
    return [
        core.CreateOperator("Cast", [source], [plain], to=1, **options),
        core.CreateOperator("CopyIDEEPToCPU", [plain], [target], **options),
    ]


def has_avx512():
    """Whether the processor has it."""
    with open("/proc/cpuinfo") as text:
        return "avx512f" in text.read()


def to_ideep(core, source, target, **options):
    return [core.CreateOperator("CopyCPUToIDEEP", [source], [target], **options)]


def register_gradients(core):
    """Gradients of the operators that copy, for which Caffe2 has none."""

    def copied(operators, op, gradients):
        target = op.input[0] + "_grad"
        return operators(core, gradients[0], target, device_option=op.device_option), [target]

    register = core.GradientRegistry.RegisterGradient
    register("Cast")(lambda op, gradients: ([], gradients))
    register("CopyIDEEPToCPU")(functools.partial(copied, to_ideep))
    register("CopyCPUToIDEEP")(functools.partial(copied, to_host))


class Layers(object):
    """Adds operators of a graph to a model: a method for each op."""

    def __init__(self, adapter, model, training):
        self.core, self.brew, self.model, self.net = adapter.core, adapter.brew, model, model.net
        self.training, self.near, self.ideep = training, adapter.near, adapter.ideep
        self.quirks = training and self.ideep
        self.aligned = self.ideep and (training or not has_avx512())
        self.plain = training and not (self.ideep or adapter.cuda)
        self.nodes, self.cut = nodes_of(adapter.graph, training), set()
        self.ops = {node["name"]: node["op"] for node in self.nodes}
        self.sources = {node["name"]: node["inputs"][0] for node in self.nodes}
        self.uses = collections.Counter(i for node in self.nodes for i in node["inputs"])
        self.uses.update(outputs_of(adapter.graph, training))

    def conv(self, node, x):
        a, options = node["attrs"], {}
        if node["inputs"] == ["input"]:
            options["no_gradient_to_input"] = 1
        if self.quirks:  # otherwise IDEEP keeps the weights that it saw first, in its own layout
            options["training_mode"] = 1
        return self.brew.conv(
            self.model, x[0], node["name"], node["input_shapes"][0][0], a["out"], a["kernel"],
            strides=a["stride"], pads=a["pad"] * 2, group=a["groups"], no_bias=not a["bias"],
            **options
        )  # fmt: skip

    def dense(self, node, x):
        size = node["input_shapes"][0][0]
        return self.brew.fc(self.model, x[0], node["name"], size, node["attrs"]["out"])

    def batchnorm(self, node, x):
        return self.brew.spatial_bn(
            self.model, x[0], node["name"], node["output"][0], epsilon=node["attrs"]["eps"],
            momentum=0.9, is_test=not self.training,
        )  # fmt: skip

    def relu(self, node, x):
        def relu(x, names):
            return self.brew.relu(self.model, x[0], names[0])

        return self.activation(node, x, relu)

    def relu6(self, node, x):
        clip = functools.partial(self.net.Clip, min=0.0, max=6.0)
        return self.activation(node, x, clip, self.ideep)

    def sigmoid(self, node, x):  # IDEEP's gradient takes the result for the input
        return self.activation(node, x, self.net.Sigmoid, self.quirks)

    def hardsigmoid(self, node, x):
        function = functools.partial(self.net.HardSigmoid, **HARD)
        return self.activation(node, x, function, self.ideep)

    def swish(self, node, x):
        return self.placed(x, [node["name"]], self.net.Swish, self.ideep)

    def hardswish(self, node, x):
        def product(x, names):
            return self.net.Mul([*x, self.net.HardSigmoid(x, names[0] + "_gate", **HARD)], names)

        return self.placed(x, [node["name"]], product, self.ideep)

    def lrn(self, node, x):
        a, name = node["attrs"], node["name"]
        options = {"size": a["size"], "alpha": a["alpha"], "beta": a["beta"], "bias": a["k"]}
        return self.settled(self.brew.lrn(self.model, x[0], name + "_normal", **options), name)

    def maxpool(self, node, x):
        if self.plain and self.ops.get(node["inputs"][0]) == "maxpool":
            raise Unsupported(
                "MaxPoolGradient of Caffe2's CPU device gives the whole gradient to each of equal "
                "maxima, and %s has such behind another pooling" % node["name"]
            )
        return self.brew.max_pool(self.model, x[0], node["name"], **window(node["attrs"]))

    def avgpool(self, node, x):
        return self.brew.average_pool(self.model, x[0], node["name"], **window(node["attrs"]))

    def globalavgpool(self, node, x):
        """IDEEP ignores global_pooling. Its gradient of one window is wrong where channels that
        fill no block come from the CPU."""
        (channels, *size), (x,), name = node["input_shapes"][0], x, node["name"]
        x = self.settled(x, name + "_settled") if channels % BLOCK else x
        return self.brew.average_pool(self.model, x, name, kernels=size)

    def flatten(self, node, x):
        return x[0]  # what can follow takes all axes but the first as one

    def dropout(self, node, x):
        """Not IDEEP's: it draws the same numbers in all steps of about a second."""
        rate = node["attrs"]["rate"]
        if not (self.training and rate):
            return x[0]

        def dropout(x, names):
            return self.brew.dropout(self.model, x[0], names[0], ratio=rate, is_test=False)

        return self.placed(x, [node["name"]], dropout, self.ideep)

    def stochasticdepth(self, node, x):
        """The images times a dropout of ones, one for each image."""
        rate, name = node["attrs"]["rate"], node["name"]
        if not (self.training and rate):
            return x[0]
        with self.core.DeviceScope(self.near):
            names = [name + "_kept", name + "_mask"]
            kept, _ = self.net.Dropout(name + "_ones", names, ratio=rate, is_test=0)
            kept = self.net.StopGradient(kept, kept)
        return self.net.Mul([x[0], kept], name, broadcast=1, axis=0)

    def channelshuffle(self, node, x):
        """IDEEP's gradient: could not create a descriptor for a shuffle forward propagation."""
        options = {"group": node["attrs"]["groups"], "kernel": 1}
        shuffle = functools.partial(self.net.ChannelShuffle, **options)
        return self.placed(x, [node["name"]], shuffle, self.quirks)

    def slice(self, node, x):
        """One Split for all slices of an input where they are its parts; otherwise Slice."""
        a, name, source = node["attrs"], node["name"], node["inputs"]
        if name in self.cut:
            return name
        parts = [n for n in self.nodes if n["op"] == "slice" and n["inputs"] == source]
        parts.sort(key=lambda n: n["attrs"]["start"])
        starts, stops = ([n["attrs"][end] for n in parts] for end in ("start", "stop"))
        if len(parts) > 1 and [*starts, node["input_shapes"][0][0]] == [0, *stops]:
            return self.split(x, parts, name)
        options = {"starts": [0, a["start"], 0, 0], "ends": [-1, a["stop"], -1, -1]}
        return self.placed(x, [name], functools.partial(self.net.Slice, **options), self.quirks)

    def split(self, x, parts, name):
        widths, names = [n["output"][0] for n in parts], [n["name"] for n in parts]
        split = functools.partial(self.net.Split, axis=1, split=widths)
        self.placed(x, names, split, self.unaligned(widths))
        self.cut.update(names)
        return name

    def multiply(self, node, x):
        """The gate has axes N and C, or with two axes of one element as well."""
        options = {"broadcast": 1, "axis": 0} if self.has_rows(node["inputs"][1]) else {}
        return self.net.Mul(x, node["name"], **options)

    def add(self, node, x):
        return self.brew.sum(self.model, x, node["name"])

    def concat(self, node, x):
        widths = [shape[0] for shape in node["input_shapes"]]

        def concat(x, names):
            return self.brew.concat(self.model, x, names[0])

        return self.placed(x, [node["name"]], concat, self.unaligned(widths))

    def unaligned(self, widths):
        """Whether IDEEP could not construct a sub-memory: in the gradient of Concat or Split, and
        without AVX-512, where its blocks are others, in the forward pass too."""
        return self.aligned and any(width % BLOCK for width in widths[:-1])

    def activation(self, node, x, function, lacks=False):
        """One whose backward reads its result: in place where nobody else reads its input."""
        source = node["inputs"][0]
        alone = self.uses[source] == 1 and self.ops.get(source) in FRESH and not lacks
        return self.placed(x, [x[0] if alone else node["name"]], function, lacks)

    def placed(self, x, names, function, lacks):
        """Add `function(x, names)`; on the CPU, between copies, if the device lacks it."""
        if not lacks:
            function(x, names)
            return names[0]
        hosts = ["%s_host%d" % (names[0], i) for i, _ in enumerate(x)]
        for source, host in zip(x, hosts):
            self.net._ExtendOps(to_host(self.core, source, host))
        with self.core.DeviceScope(self.near):
            function(hosts, [name + "_host" for name in names])
        for name in names:
            self.net._ExtendOps(to_ideep(self.core, name + "_host", name))
        return names[0]

    def has_rows(self, name):
        """Whether a result has two axes, as dense layers make it and those behind them keep it."""
        while self.ops.get(name) in (*ACTIVATIONS, "dropout", "stochasticdepth", "add"):
            name = self.sources[name]
        return self.ops.get(name) == "dense"

    def settled(self, x, name):
        """x, whose gradient comes in the layout of x. Without it IDEEP's gradient of LRN
        corrupts memory where another layout comes back, as from a dense layer. Pooling gives that
        layout: an average of 1x1, which changes no value."""
        return self.brew.average_pool(self.model, x, name, kernel=1) if self.quirks else x


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        if precision != "fp32":
            raise Unsupported("%s is not implemented for caffe2" % precision)
        if mode == "ideep" and device == "cuda":
            raise Unsupported("IDEEP is a device of Caffe2 by itself, on the CPU: take mode net")
        from caffe2.proto import caffe2_pb2
        from caffe2.python import brew, core, model_helper, optimizer, utils, workspace

        self.brew, self.core, self.utils, self.workspace = brew, core, utils, workspace
        self.Model, self.Sgd = model_helper.ModelHelper, optimizer.SgdOptimizer
        if device == "cuda" and not workspace.has_gpu_support:
            raise Unsupported("caffe2.python.workspace.has_gpu_support is False")
        self.ideep, self.cuda = mode == "ideep", device == "cuda"
        kind = caffe2_pb2.IDEEP if self.ideep else caffe2_pb2.CPU
        self.device = core.DeviceOption(workspace.GpuDeviceType if self.cuda else kind)
        self.host = core.DeviceOption(caffe2_pb2.CPU)
        self.near = self.host if self.ideep else self.device  # what the device lacks is done there
        register_gradients(core)
        flags = ["--caffe2_omp_num_threads=%d" % threads, "--caffe2_mkl_num_threads=%d" % threads]
        flags += ["--caffe2_log_level=2", "--caffe2_gpu_memory_tracking=%d" % self.cuda]
        workspace.GlobalInit(["caffe2", *flags])

    def versions(self):
        options = self.workspace.C.get_build_options()
        found = {"torch": options["TORCH_VERSION"], "blas": options["BLAS_INFO"]}
        if self.cuda:
            found["cuda"], found["cudnn"] = options["CUDA_VERSION"], options["CUDNN_VERSION"]
            found["gpu"] = self.workspace.GetDeviceProperties(0)["name"]
        return found

    def build(self, graph, weights):
        self.graph, self.names = graph, {key: blob(key) for key in keys(graph)}
        self.workspace.ResetWorkspace()
        for key, array in weights.items():
            self.workspace.FeedBlob(blob(key), array, self.device)
        for node in graph["nodes"]:  # FC always has a bias
            if node["op"] == "dense" and not node["attrs"]["bias"]:
                zeros = numpy.zeros(node["output"], numpy.float32)
                self.workspace.FeedBlob(blob(node["name"] + "/bias"), zeros, self.device)
        self.models = {}

    def describe(self, phase):
        """The model of a phase; all work on the same parameters."""
        model = self.Model(name=phase, arg_scope={"order": "NCHW"}, init_params=False)
        if self.cuda:
            model.arg_scope.update(use_cudnn=True, cudnn_exhaustive_search=True)
            model.net.Proto().type = "async_scheduling"  # the default waits for each operator
        with self.core.DeviceScope(self.device):
            training = phase != "inference"
            found = walk(self.graph, Layers(self, model, training), "data", training)
            if not training:
                self.output = found
                return model
            self.add_losses(model, found if self.graph["auxiliary"] else [found])
            if phase in ("train", "step"):
                model.AddGradientOperators(self.losses)
            if phase == "step":
                self.update(model)
        return model

    def add_losses(self, model, logits):
        """Add the loss of each classifier, times its weight, to a model."""
        self.losses = ["loss"] + [head + "_loss" for head, _ in self.graph["auxiliary"]]
        weights = [1.0] + [weight for _, weight in self.graph["auxiliary"]]
        for x, loss, weight in zip(logits, self.losses, weights):
            outputs = [loss + "_softmax", loss]
            model.net.SoftmaxWithLoss([x, "label"], outputs, scale=weight)

    def update(self, model):
        """Add SGD to a model. IDEEP's own goes through the memory of gradient, momentum and
        parameter as if all had one layout, which makes wrong parameters: there it is the CPU's."""
        training = self.graph["training"]
        options = {"momentum": training["momentum"], "nesterov": 0}
        sgd = self.Sgd(training["learning_rate"], **options)
        for name in self.names.values():
            if not self.ideep:
                sgd(model.net, model.param_init_net, name, name + "_grad")
                continue
            names = [name + "_grad"], [name + "_grad_cpu"]  # in the graph's order, says the gate
            model.net._ExtendOps([self.core.CreateOperator("CopyIDEEPToCPU", *names)])
            with self.core.DeviceScope(self.host):
                sgd(model.net, model.param_init_net, name + "_cpu", name + "_grad_cpu")
            model.net._ExtendOps(to_ideep(self.core, name + "_cpu", name))

    def parameters(self):
        return {key: self.workspace.FetchBlob(name) for key, name in self.names.items()}

    def logits(self, x):
        self.step("inference", x, None)()
        return self.workspace.FetchBlob(self.output).reshape(len(x), -1)

    def loss(self, x, y):
        self.step("forward", x, y)()
        return self.total()

    def gradients(self, x, y):
        self.step("train", x, y)()
        fetch = self.workspace.FetchBlob
        return self.total(), {key: fetch(name + "_grad") for key, name in self.names.items()}

    def total(self):
        """The loss that the last net in training mode left behind."""
        return sum(float(self.workspace.FetchBlob(loss)) for loss in self.losses)

    def step(self, phase, x, y):
        self.feed(phase, x, y)
        if phase not in self.models:
            self.models[phase] = self.describe(phase)
            self.workspace.RunNetOnce(self.models[phase].param_init_net)  # the velocity is zero
        run, model = self.workspace.RunNet, self.models[phase]
        self.workspace.CreateNet(model.net, overwrite=True)  # forgets weights that IDEEP kept
        return lambda: run(model.net)

    def feed(self, phase, x, y):
        """Put what the operators of a phase read into the workspace."""
        feed = self.workspace.FeedBlob
        feed("data", x, self.device)
        if phase == "inference":
            return
        feed("label", y.astype(numpy.int32), self.device if self.cuda else self.host)
        for node in self.graph["nodes"]:
            if node["op"] == "stochasticdepth":
                feed(node["name"] + "_ones", numpy.ones(len(x), numpy.float32), self.near)
        if phase == "step" and self.ideep:
            for name in self.names.values():
                feed(name + "_cpu", self.workspace.FetchBlob(name), self.host)

    def wait(self, result):
        """RunNet returns when the net has run, on a GPU too."""

    def memory(self):
        if not self.cuda:
            return {}
        return {"allocated_peak": int(self.utils.GetGPUMemoryUsageStats()["max_total"])}

    def source(self):
        return str(self.describe("train").net.Proto())
