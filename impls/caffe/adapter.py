# Python 3.9 syntax and Caffe 1.0 (Debian's build of August 2018, CPU).
"""Caffe: layers described in a prototxt, run by its own nets and trained by its own solver.

Activations are in place where no backward pass misses them, as in the networks its users publish.
A check that Caffe fails ends the process: a network that diverges to NaN dies in max pooling.
"""

import ctypes
import tempfile

import caffe
import numpy
from caffe import layers, params
from convmark import Adapter as Base
from convmark import Unsupported, consumers, operator

NAME = "caffe"
MODES = ("layers",)
MAX, AVE = params.Pooling.MAX, params.Pooling.AVE
FLOOR = params.Pooling.FLOOR  # Caffe rounds the sizes of pooling up unless told otherwise

# What an in-place layer may write over. Others' results are read in their own backward pass (LRN)
# or share memory with their input (flatten). A ReLU in place reads its result too: dropout and ReLU
# leave its zeros and signs as they are, batch normalisation does not.
FRESH = {"conv", "dense", "batchnorm", "maxpool", "add", "concat"}
ALIKE = FRESH | {"relu", "dropout"}
OVERWRITABLE = {"relu": ALIKE, "dropout": ALIKE, "batchnorm": FRESH}
STATE = ("mean", "variance", "divisor")  # what BatchNorm keeps: mean and variance times the divisor


def window(a, **others):
    """Kernel, stride and padding in Caffe's names, and other options."""
    names = ("kernel", "stride", "pad")
    return dict({n + axis: size for n in names for axis, size in zip(("_h", "_w"), a[n])}, **others)


def layer(kind, options=lambda a: {}):
    """A function that makes a layer of Caffe, with options from an operator's attributes."""
    make = getattr(layers, kind)
    return lambda node, x, in_place: make(*x, in_place=in_place, **options(node["attrs"]))


def batchnorm(node, x, in_place):
    eps, name = node["attrs"]["eps"], node["name"] + "/normal"
    normal = layers.BatchNorm(*x, name=name, eps=eps, in_place=in_place)
    return layers.Scale(normal, bias_term=True, in_place=True)


def avgpool(node, x, in_place):
    """Caffe's mean counts padding: where there is some, a constant puts it right."""
    average = layers.Pooling(*x, **window(node["attrs"], pool=AVE, round_mode=FLOOR))
    if not any(node["attrs"]["pad"]):
        return average
    factors = layers.Input(name=node["name"] + "/recount", shape={"dim": [1] + node["output"]})
    return layers.Eltwise(average, factors, operation=params.Eltwise.PROD)


def recount(node):
    """That constant, an array of (OH, OW): the window's size over its values within the image."""
    a, factors = node["attrs"], []
    sizes = zip(node["input_shapes"][0][1:], node["output"][1:], a["kernel"], a["stride"], a["pad"])
    for size, out, kernel, stride, pad in sizes:
        start = numpy.arange(out) * stride - pad
        factors.append(kernel / (numpy.minimum(start + kernel, size) - numpy.maximum(start, 0.0)))
    return numpy.outer(*factors)


LAYERS = {
    "conv": layer(
        "Convolution",
        lambda a: window(a, num_output=a["out"], group=a["groups"], bias_term=a["bias"]),
    ),
    "dense": layer("InnerProduct", lambda a: {"num_output": a["out"], "bias_term": a["bias"]}),
    "batchnorm": batchnorm,
    "relu": layer("ReLU"),
    "lrn": layer("LRN", lambda a: {"local_size" if k == "size" else k: a[k] for k in a}),
    "maxpool": layer("Pooling", lambda a: window(a, pool=MAX, round_mode=FLOOR)),
    "avgpool": avgpool,
    "globalavgpool": lambda node, x, in_place: layers.Flatten(
        layers.Pooling(*x, pool=AVE, global_pooling=True)
    ),
    "flatten": layer("Flatten"),
    "dropout": layer("Dropout", lambda a: {"dropout_ratio": a["rate"]}),
    "add": layer("Eltwise", lambda a: {"operation": params.Eltwise.SUM}),
    "concat": layer("Concat"),
}


def describe(graph, training):
    """The network as Caffe's own NetParameter; with the loss, for training."""
    ops, uses = {node["name"]: node["op"] for node in graph["nodes"]}, consumers(graph)
    spec = caffe.NetSpec()
    spec["input"] = layers.Input(shape={"dim": [1] + graph["input"]})
    for node in graph["nodes"]:
        op, source = node["op"], node["inputs"][0]
        in_place = uses[source] == 1 and ops.get(source) in OVERWRITABLE.get(op, ())
        spec[node["name"]] = operator(LAYERS, op)(node, [spec[i] for i in node["inputs"]], in_place)
    if training:
        spec["label"] = layers.Input(shape={"dim": [1]})
        spec["loss"] = layers.SoftmaxWithLoss(spec[node["name"]], spec["label"])
    return spec.to_proto()


def load(kind, description, *arguments):
    """A net or a solver; Caffe reads descriptions from files only."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        print(description, file=file, flush=True)
        return kind(file.name, *arguments)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        if device != "cpu":
            raise Unsupported("Debian's caffe is built CPU_ONLY")
        if precision != "fp32":
            raise Unsupported("Caffe computes in float32 only")
        self.blas = ctypes.CDLL("libopenblas.so.0")  # the one that Caffe is linked with
        self.blas.openblas_set_num_threads(threads)

    def versions(self):
        self.blas.openblas_get_config.restype = ctypes.c_char_p
        blas, threads = self.blas.openblas_get_config(), self.blas.openblas_get_num_threads()
        return {"caffe": caffe.__version__, "blas": blas.decode(), "threads": str(threads)}

    def build(self, graph, weights):
        self.graph, self.net, self.solver = graph, None, None  # frees the previous ones first
        self.net = load(caffe.Net, describe(graph, training=False), caffe.TEST)
        for key, blob in self.blobs(self.net).items():
            blob.data[...] = 1 if key.endswith("/divisor") else weights[key]

    def blobs(self, net):
        """All that a net holds, under the graph's names."""
        nodes, found = {node["name"]: node for node in self.graph["nodes"]}, {}
        for title, blobs in net.params.items():
            name, _, normal = title.partition("/")
            names = STATE if normal else list(nodes[name]["weights"])
            found.update(("%s/%s" % (name, names[i]), blob) for i, blob in enumerate(blobs))
        return found

    def trained(self, net, part):
        """`data` or `diff` of the parameters among that, statistics left out."""
        blobs = self.blobs(net).items()
        return {k: getattr(b, part).copy() for k, b in blobs if k.rpartition("/")[2] not in STATE}

    def parameters(self):
        return self.trained(self.net, "data")

    def logits(self, x):
        self.step("inference", x, None)()
        return self.net.blobs[self.net.outputs[0]].data.copy()

    def gradients(self, x, y):
        self.step("train", x, y)()
        loss = self.solver.net.blobs["loss"].data
        return float(loss), self.trained(self.solver.net, "diff")

    def step(self, phase, x, y):
        if phase == "inference":
            self.feed(self.net, x, y)
            return self.net.forward
        if self.solver is None:  # its net keeps its own activations, and shares the parameters
            self.solver = load(caffe.SGDSolver, self.settings())
            self.solver.net.share_with(self.net)
        solver, net = self.solver, self.solver.net
        self.feed(net, x, y)

        def train():
            net.clear_param_diffs()  # backward adds to them
            net.forward()
            net.backward()

        return {"forward": net.forward, "train": train, "step": lambda: solver.step(1)}[phase]

    def settings(self):
        """The solver's description, with the training network in it."""
        training = self.graph["training"]
        return caffe.proto.caffe_pb2.SolverParameter(
            net_param=describe(self.graph, training=True), lr_policy="fixed",
            base_lr=training["learning_rate"], momentum=training["momentum"],
        )  # fmt: skip

    def feed(self, net, x, y):
        """Put a batch into a net, where it stays, for all phases that run this net."""
        values = {"input": x, "label": y}
        averages = [node for node in self.graph["nodes"] if node["op"] == "avgpool"]
        values.update((node["name"] + "/recount", recount(node)) for node in averages)
        for name, tops in net.top_names.items():
            if name in values:
                blob = net.blobs[tops[0]]
                blob.reshape(len(x), *blob.shape[1:])
                blob.data[...] = values[name]
        net.reshape()

    def wait(self, result):
        """Caffe on the CPU returns when it has computed."""

    def source(self):
        return str(self.settings())
