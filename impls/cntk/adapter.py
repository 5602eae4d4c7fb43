# Python 3.6 syntax and CNTK 2.7.
"""CNTK: a function of cntk.ops that CNTK compiles, in its one layout, CHW behind the batch axis.

Its `cpueval_optimization`, on by default, is switched off: it makes ReLU two calls of MKL, on an
AMD EPYC eight times as slow as CNTK's own loop. CPU time at one thread without and with it: LeNet-5
at batch 64, inference, 3.5 and 6.4 ms; ResNet-50 at batch 2, 229 and 335 ms, training 1.62 and
1.70 s.
"""

import ctypes
import warnings

import numpy
from convmark import Adapter as Base
from convmark import Unsupported, axes, total_loss, walk

warnings.simplefilter("ignore")  # the import tells of Linux distributions that it does not know
try:
    import cntk as C
    from cntk.internal import typemap
except ImportError as error:  # the CUDA build needs a library of NVIDIA's driver
    C, MISSING = None, str(error)

NAME = "cntk"
MODES = ("graph",)


class Operators(object):
    """What each operator is in CNTK: one method per operator. Keeps the parameters and statistics
    it makes, which training and inference share."""

    def __init__(self, weights, device):
        self.weights, self.device, self.parameters, self.state = weights, device, {}, {}
        self.training = True

    def parameter(self, node, weight, shape=None):
        key = node["name"] + "/" + weight
        if key not in self.parameters:
            array = self.weights[key].T if node["op"] == "dense" else self.weights[key]
            array = numpy.ascontiguousarray(array).reshape(shape or array.shape)
            self.parameters[key] = C.parameter(init=array, device=self.device)
        return self.parameters[key]

    def statistics(self, node):
        """Mean, variance and the number of images behind them, which CNTK keeps in constants."""
        name = node["name"]
        if name not in self.state:
            arrays = self.weights[name + "/mean"], self.weights[name + "/variance"], 0
            self.state[name] = [C.constant(array, device=self.device) for array in arrays]
        return self.state[name]

    def conv(self, node, x):
        a = node["attrs"]
        x, padding = pad(node, x[0])
        result = C.convolution(
            self.parameter(node, "weight"), x,
            strides=a["stride"], auto_padding=[False, *padding], groups=a["groups"],
        )  # fmt: skip
        return result + self.parameter(node, "bias", (a["out"], 1, 1)) if a["bias"] else result

    def dense(self, node, x):
        result = C.times(x[0], self.parameter(node, "weight"))
        return result + self.parameter(node, "bias") if node["attrs"]["bias"] else result

    def batchnorm(self, node, x):
        scale, shift = self.parameter(node, "scale"), self.parameter(node, "shift")
        mean, variance, count = self.statistics(node)
        return C.batch_normalization(
            x[0], scale, shift, mean, variance, running_count=count, spatial=True,
            epsilon=node["attrs"]["eps"], use_cudnn_engine=self.device != C.cpu()
        )  # fmt: skip

    def relu(self, node, x):
        return C.relu(x[0])

    def relu6(self, node, x):
        return C.element_min(C.relu(x[0]), 6)  # forward and backward 3 times as fast as C.clip

    def sigmoid(self, node, x):
        return C.sigmoid(x[0])

    def hardsigmoid(self, node, x):
        return C.clip(x[0] + 3, 0, 6) / 6  # C.hard_sigmoid is a composition of twice as many

    def swish(self, node, x):
        return x[0] * C.sigmoid(x[0])

    def hardswish(self, node, x):
        return x[0] * self.hardsigmoid(node, x)

    def lrn(self, node, x):
        """CNTK divides alpha by the size, contrary to its documentation."""
        a = node["attrs"]
        return C.local_response_normalization(x[0], a["size"] // 2, a["k"], a["alpha"], a["beta"])

    def maxpool(self, node, x):
        return pool(C.MAX_POOLING, node, x[0])

    def avgpool(self, node, x):
        return pool(C.AVG_POOLING, node, x[0])

    def globalavgpool(self, node, x):
        mean = C.pooling(x[0], C.AVG_POOLING, node["input_shapes"][0][1:])
        return C.reshape(mean, node["output"])

    def flatten(self, node, x):
        return C.reshape(x[0], node["output"])

    def dropout(self, node, x):
        return C.dropout(x[0], node["attrs"]["rate"])

    def stochasticdepth(self, node, x):
        """One random number for an image: a dropout of ones, which take the batch axis from x."""
        if not self.training or not node["attrs"]["rate"]:
            return x[0]
        one = C.constant(1, (1, 1, 1), device=self.device)
        ones = C.reconcile_dynamic_axes(one, x[0])
        return x[0] * C.dropout(ones, node["attrs"]["rate"])

    def channelshuffle(self, node, x):
        (c, h, w), groups = node["output"], node["attrs"]["groups"]
        parts = C.reshape(x[0], (groups, c // groups, h, w))
        return C.reshape(C.swapaxes(parts, 0, 1), (c, h, w))

    def slice(self, node, x):
        return C.slice(x[0], 0, node["attrs"]["start"], node["attrs"]["stop"])

    def multiply(self, node, x):
        return x[0] * C.reshape(x[1], (node["output"][0], 1, 1))

    def add(self, node, x):
        return C.plus(*x)

    def concat(self, node, x):
        return C.splice(*x, axis=0)


def pad(node, x):
    """The input of a convolution, and for its two axes whether CNTK is to pad it.

    It can only be told to pad half of the kernel on either side, and then refuses a kernel that is
    larger than the image, as MixNet has them. Other padding is a layer."""
    padding = []
    for size, kernel, stride, p, out in axes(node):
        middle = (size - 1) % stride < 2  # else CNTK moves the first window inwards
        padding.append(p > 0 and kernel == 2 * p + 1 and kernel <= size and middle)
    if all(done or not p for done, p in zip(padding, node["attrs"]["pad"])):
        return x, padding
    return C.pad(x, [(0, 0)] + [(p, p) for p in node["attrs"]["pad"]]), [False, False]


def pool(kind, node, x):
    """Pooling with explicit padding, which only the C++ function behind cntk.pooling takes.

    CNTK insists that windows fill a padded axis: nothing behind the last window is padded."""
    before, behind = [0], [0]
    for axis, (size, kernel, stride, p, out) in enumerate(axes(node)):
        rest = (out - 1) * stride + kernel - size - p if p else 0
        if rest < 0:
            x = C.slice(x, axis + 1, 0, size + rest)
        before.insert(0, p)  # in C++ the order of the axes is reversed
        behind.insert(0, max(rest, 0))
    kernel, stride = tuple(node["attrs"]["kernel"]), tuple(node["attrs"]["stride"])
    pooling = typemap(C.cntk_py.pooling)  # else Python's functions cannot take its result
    return pooling(x, kind, kernel, stride, before, behind, False, False, "")


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        if C is None:
            raise Unsupported(MISSING)
        if precision != "fp32":
            raise Unsupported("%s is not implemented for cntk" % precision)
        gpus = [found for found in C.all_devices() if found != C.cpu()]
        if device == "cuda" and not gpus:
            raise Unsupported("cntk.all_devices() is %s" % (C.all_devices(),))
        self.device = gpus[0] if device == "cuda" else C.cpu()
        C.try_set_default_device(self.device)
        C.cntk_py.set_max_num_cputhreads(threads)
        C.cntk_py.disable_cpueval_optimization()

    def versions(self):
        mkl = ctypes.create_string_buffer(200)
        ctypes.CDLL("libmklml_intel.so").MKL_Get_Version_String(mkl, len(mkl))
        threads = C.cntk_py.get_max_num_cputhreads()
        return {"cntk": C.__version__, "mkl": mkl.value.decode().strip(), "threads": str(threads)}

    def build(self, graph, weights):
        self.training, operators = graph["training"], Operators(weights, self.device)
        self.x = C.input_variable(tuple(graph["input"]))
        outputs = walk(graph, operators, self.x, training=True)
        operators.training = False
        self.network = walk(graph, operators, self.x)
        self.y = C.input_variable(self.network.shape)
        self.losses = total_loss(
            graph, outputs, lambda logits: C.cross_entropy_with_softmax(logits, self.y)
        )
        self.mean = C.reduce_mean(self.losses, axis=C.Axis.all_axes())
        self.native, self.trainer = operators.parameters, None
        self.shapes = {key: weights[key].shape for key in self.native}

    def to_graph(self, key, array):
        return (array.T if array.ndim == 2 else array).reshape(self.shapes[key])

    def parameters(self):
        return {key: self.to_graph(key, p.value) for key, p in self.native.items()}

    def logits(self, x):
        return self.step("inference", x, None)().asarray()

    def loss(self, x, y):
        (loss,) = self.step("forward", x, y)()[1].values()
        return float(loss.asarray())

    def gradients(self, x, y):
        gradients, loss = self.step("train", x, y)()
        found = {k: self.to_graph(k, gradients[p].asarray()) for k, p in self.native.items()}
        return float(loss.asarray()), found

    def step(self, phase, x, y):
        """All that goes in and out is a Value, an array of CNTK on the device."""
        inputs = {self.x: C.Value(x, device=self.device)}
        if phase == "inference":
            return lambda: self.network.eval(inputs, as_numpy=False)
        one_hot = numpy.eye(self.network.shape[0], dtype=numpy.float32)[y]
        inputs[self.y] = C.Value(one_hot, device=self.device)
        weights, loss = list(self.native.values()), self.mean.output
        if phase == "forward":
            return lambda: self.mean.forward(inputs, [loss], {loss}, as_numpy=False)
        if phase == "train":
            return lambda: self.mean.grad(inputs, weights, [loss], as_numpy=False)
        self.trainer = self.trainer or self.make_trainer(weights)
        return lambda: self.trainer.train_minibatch(inputs)

    def make_trainer(self, weights):
        """CNTK's own; it divides the sum of the gradients of `losses` by their number."""
        rate, momentum = self.training["learning_rate"], self.training["momentum"]
        sgd = C.momentum_sgd(
            weights, rate, momentum, unit_gain=False, minibatch_size=C.learners.IGNORE
        )
        return C.Trainer(None, self.losses, sgd)

    def wait(self, result):
        """On the CPU CNTK returns when it has computed."""
        if self.device != C.cpu():
            ctypes.CDLL("libcudart.so.10.0").cudaDeviceSynchronize()

    def memory(self):
        if self.device == C.cpu():
            return {}
        gpu = C.device.get_gpu_properties(self.device)
        return {"device_in_use": (gpu.total_memory - gpu.free_memory) << 20}  # it counts in MiB

    def source(self):
        """CNTK's own words on each function, in the order of computation."""
        found = C.logging.graph.depth_first_search(
            self.network, lambda node: hasattr(node, "op_name")
        )
        return "\n".join(map(str, reversed(found)))
