"""Caffe2: nets of operators built with brew, in NCHW, run by the workspace.

Mode "ideep" places the operators on Caffe2's IDEEP device (oneDNN and its blocked layouts), mode
"net" on the default one (MKL's matrix products on a CPU, cuDNN on a GPU). The ResNet-50 of Caffe2's
own models, batch 4, one thread of an AMD EPYC, processor time of inference / gradients: net 424 /
1507 ms with MKL_DEBUG_CPU_TYPE=5, ideep 343 / 1176 ms. oneDNN's fused operators (optimizeForMKLDNN)
give 7 % more in inference, but overwrite the weights that the phases share: not used.
"""

import numpy
from convmark import Adapter as Base
from convmark import Unsupported, consumers, keys, walk

NAME = "caffe2"
MODES = ("ideep", "net")
SUFFIXES = {"weight": "w", "bias": "b", "scale": "s", "shift": "b", "mean": "rm", "variance": "riv"}
FRESH = ("conv", "batchnorm", "add", "dense")  # their backward does not need their own output
BLOCK = 16  # channels that oneDNN's layouts keep together, at most


def blob(key):
    """The name that brew gives to a parameter: conv1/weight is conv1_w."""
    name, _, weight = key.rpartition("/")
    return name + "_" + SUFFIXES[weight]


def window(a):
    """Kernel, stride and padding (top, left, bottom, right) of a pooling layer."""
    return {"kernels": a["kernel"], "strides": a["stride"], "pads": a["pad"] * 2}


class Layers(object):
    """Adds operators of a graph to a model: a method for each op."""

    def __init__(self, brew, model, graph, training, device):
        self.brew, self.model, self.training = brew, model, training
        self.quirks, self.plain = (training and device == d for d in ("ideep", "cpu"))
        self.ops, self.uses = {n["name"]: n["op"] for n in graph["nodes"]}, consumers(graph)
        self.sources = {n["name"]: n["inputs"][0] for n in graph["nodes"]}

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
        source = node["inputs"][0]
        alone = self.uses[source] == 1 and self.ops.get(source) in FRESH
        return self.brew.relu(self.model, x[0], x[0] if alone else node["name"])

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
        size = node["input_shapes"][0][1:]  # IDEEP ignores global_pooling
        return self.brew.average_pool(self.model, x[0], node["name"], kernels=size)

    def flatten(self, node, x):
        return x[0]  # what can follow takes all axes but the first as one

    def dropout(self, node, x):
        rate, name = node["attrs"]["rate"], node["name"]
        if not (self.training and rate):
            return x[0]
        kept = self.brew.dropout(self.model, x[0], name + "_kept", ratio=rate, is_test=False)
        return kept if self.has_rows(node["inputs"][0]) else self.settled(kept, name)

    def add(self, node, x):
        return self.brew.sum(self.model, x, node["name"])

    def concat(self, node, x):
        widths = [shape[0] for shape in node["input_shapes"]]
        if self.quirks and any(width % BLOCK for width in widths[:-1]):
            reason = "IDEEP's gradient of Concat: could not construct a sub-memory (of channels %s;"
            raise Unsupported((reason + " multiples of %d it can)") % (widths, BLOCK))
        return self.brew.concat(self.model, x, node["name"])

    def has_rows(self, name):
        """Whether a result has two axes, as dense layers make it and those behind them keep it."""
        while self.ops.get(name) in ("relu", "dropout", "add"):
            name = self.sources[name]
        return self.ops.get(name) == "dense"

    def settled(self, x, name):
        """x, whose gradient comes in the layout of x. Without it IDEEP's gradients of LRN and
        dropout corrupt memory where another layout comes back, as from a dense layer. Pooling gives
        that layout: an average of 1x1, which changes no value."""
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
            device = "ideep" if self.ideep else "cuda" if self.cuda else "cpu"
            layers = Layers(self.brew, model, self.graph, phase != "inference", device)
            self.output = walk(self.graph, layers, "data")
            if phase != "inference":
                model.net.SoftmaxWithLoss([self.output, "label"], ["softmax", "loss"])
            if phase in ("train", "step"):
                model.AddGradientOperators(["loss"])
            if phase == "step":
                self.update(model)
        return model

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
            self.copy(model, "CopyIDEEPToCPU", name + "_grad", name + "_grad_cpu")
            with self.core.DeviceScope(self.host):
                sgd(model.net, model.param_init_net, name + "_cpu", name + "_grad_cpu")
            self.copy(model, "CopyCPUToIDEEP", name + "_cpu", name)

    def copy(self, model, kind, source, target):
        """Add a copy between devices that Caffe2's Python does not know by name."""
        model.net.Proto().op.extend([self.core.CreateOperator(kind, [source], [target])])

    def parameters(self):
        return {key: self.workspace.FetchBlob(name) for key, name in self.names.items()}

    def logits(self, x):
        self.step("inference", x, None)()
        return self.workspace.FetchBlob(self.output).reshape(len(x), -1)

    def gradients(self, x, y):
        self.step("train", x, y)()
        fetch = self.workspace.FetchBlob
        found = {key: fetch(name + "_grad") for key, name in self.names.items()}
        return float(fetch("loss")), found

    def step(self, phase, x, y):
        if phase not in self.models:
            self.models[phase] = self.describe(phase)
        feed, run, model = self.workspace.FeedBlob, self.workspace.RunNet, self.models[phase]
        feed("data", x, self.device)
        if phase != "inference":
            feed("label", y.astype(numpy.int32), self.device if self.cuda else self.host)
        if phase == "step":
            if self.ideep:
                for name in self.names.values():
                    feed(name + "_cpu", self.workspace.FetchBlob(name), self.host)
            self.workspace.RunNetOnce(model.param_init_net)
        self.workspace.CreateNet(model.net, overwrite=True)  # forgets weights that IDEEP kept
        return lambda: run(model.net)

    def wait(self, result):
        """RunNet returns when the net has run, on a GPU too."""

    def memory(self):
        if not self.cuda:
            return {}
        return {"allocated_peak": int(self.utils.GetGPUMemoryUsageStats()["max_total"])}

    def source(self):
        return str(self.describe("train").net.Proto())
