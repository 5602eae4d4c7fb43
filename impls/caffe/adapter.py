# Python 3.9 syntax and Caffe 1.0 (Debian's build of August 2018, CPU).
"""Caffe: layers described in a prototxt, run by its own nets and trained by its own solver.

Activations are in place where no backward pass misses them, as in the networks its users publish.
A check that Caffe fails ends the process: a network that diverges to NaN dies in max pooling.
"""

import collections
import ctypes
import tempfile

import caffe
import numpy
from caffe import layers, params
from convmark import Adapter as Base
from convmark import Unsupported, counts, nodes_of, operator, outputs_of

NAME = "caffe"
MODES = ("layers",)
MAX, AVE = params.Pooling.MAX, params.Pooling.AVE
SUM, PROD = params.Eltwise.SUM, params.Eltwise.PROD
FLOOR = params.Pooling.FLOOR  # Caffe rounds the sizes of pooling up unless told otherwise

# What an in-place layer may write over. Others' results are read in their own backward pass (LRN,
# sigmoid, swish) or share memory with their input (flatten). A ReLU in place reads its result too:
# dropout and ReLU leave its zeros and signs as they are, others do not. Clip, whose backward pass
# reads its input, is never in place.
FRESH = {"conv", "dense", "batchnorm", "relu6", "hardsigmoid", "hardswish", "maxpool"}
FRESH |= {"multiply", "add", "concat"}
ALIKE = FRESH | {"relu", "dropout"}
OVERWRITABLE = {
    "relu": ALIKE, "dropout": ALIKE, "batchnorm": FRESH, "sigmoid": FRESH, "swish": FRESH
}  # fmt: skip
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


def hardsigmoid(node, x, in_place):
    return layers.Clip(layers.Power(*x, scale=1 / 6, shift=0.5), min=0, max=1)


def hardswish(node, x, in_place):
    return layers.Eltwise(*x, hardsigmoid(node, x, in_place), operation=PROD)


def avgpool(node, x, in_place):
    """Caffe's mean counts padding: where there is some, a constant puts it right."""
    average = layers.Pooling(*x, **window(node["attrs"], pool=AVE, round_mode=FLOOR))
    if not any(node["attrs"]["pad"]):
        return average
    factors = layers.Input(name=node["name"] + "/recount", shape={"dim": [1] + node["output"]})
    return layers.Eltwise(average, factors, operation=PROD)


def recount(node):
    """That constant, an array of (OH, OW): the window's size over its values within the image."""
    return numpy.prod(node["attrs"]["kernel"]) / counts(node)


def stochasticdepth(node, x, in_place):
    """The images times a dropout of ones, one for each image."""
    if not node["attrs"]["rate"]:
        return x[0]
    ones = layers.Input(name=node["name"] + "/ones", shape={"dim": [1]})
    kept = layers.Dropout(ones, dropout_ratio=node["attrs"]["rate"])
    return layers.Scale(*x, kept, axis=0)


def channelshuffle(node, x, in_place):
    """There is no transposing layer. Groups stacked along H leave the rows of channel i of each
    group side by side in memory, which is the order wanted."""
    groups, (c, h, w) = node["attrs"]["groups"], node["output"]
    if groups == 1:
        return x[0]
    stacked = layers.Concat(*layers.Slice(*x, ntop=groups, axis=1), axis=2)
    return layers.Reshape(stacked, shape={"dim": [0, c, h, w]})


def cut(x, nodes):
    """Results of all nodes that slice x, by one layer which cuts it at all their ends."""
    ends = {0, nodes[0]["input_shapes"][0][0]}
    ends = sorted(ends.union(*[node["attrs"].values() for node in nodes]))
    pieces = layers.Slice(x, ntop=len(ends) - 1, axis=1, slice_point=ends[1:-1])
    pieces, tops = dict(zip(ends, pieces if len(ends) > 2 else [x])), {}
    unread = set(ends[:-1])
    for node in nodes:
        own = [end for end in pieces if node["attrs"]["start"] <= end < node["attrs"]["stop"]]
        unread.difference_update(own)
        parts = [pieces[end] for end in own]
        tops[node["name"]] = parts[0] if len(parts) == 1 else layers.Concat(*parts)
    if unread:  # else they would be outputs of the net
        rest = [pieces[end] for end in sorted(unread)]
        tops[nodes[0]["name"] + "/rest"] = layers.Silence(*rest, ntop=0)
    return tops


LAYERS = {
    "conv": layer(
        "Convolution",
        lambda a: window(a, num_output=a["out"], group=a["groups"], bias_term=a["bias"]),
    ),
    "dense": layer("InnerProduct", lambda a: {"num_output": a["out"], "bias_term": a["bias"]}),
    "batchnorm": batchnorm,
    "relu": layer("ReLU"),
    "relu6": lambda node, x, in_place: layers.Clip(*x, min=0, max=6),
    "sigmoid": layer("Sigmoid"),
    "hardsigmoid": hardsigmoid,
    "swish": layer("Swish"),
    "hardswish": hardswish,
    "lrn": layer("LRN", lambda a: {"local_size" if k == "size" else k: a[k] for k in a}),
    "maxpool": layer("Pooling", lambda a: window(a, pool=MAX, round_mode=FLOOR)),
    "avgpool": avgpool,
    "globalavgpool": lambda node, x, in_place: layers.Flatten(
        layers.Pooling(*x, pool=AVE, global_pooling=True)
    ),
    # Not Flatten: its backward pass moves the gradient of its input elsewhere, where a Reshape
    # before it, as in channelshuffle, does not look.
    "flatten": layer("Reshape", lambda a: {"shape": {"dim": [0, -1]}}),
    "dropout": layer("Dropout", lambda a: {"dropout_ratio": a["rate"]}),
    "stochasticdepth": stochasticdepth,
    "channelshuffle": channelshuffle,
    "multiply": lambda node, x, in_place: layers.Scale(*x, axis=0),  # the gate has axes N and C
    "add": layer("Eltwise", lambda a: {"operation": SUM}),
    "concat": layer("Concat"),
}


def losses(graph):
    """The logits of each loss and its weight, by the name of its blob."""
    heads = {head + "/loss": (head, weight) for head, weight in graph["auxiliary"]}
    return dict(heads, loss=(graph["nodes"][-1]["name"], 1.0))


def describe(graph, training):
    """The network as Caffe's own NetParameter; with the loss, for training."""
    spec = caffe.NetSpec()
    spec["input"] = layers.Input(shape={"dim": [1] + graph["input"]})
    tops = network(spec, graph, training)
    if training:
        spec["label"] = layers.Input(shape={"dim": [1]})
        for name, (logits, weight) in losses(graph).items():
            options = {"loss_weight": weight}
            spec[name] = layers.SoftmaxWithLoss(tops[logits], spec["label"], **options)
    return spec.to_proto()


def network(spec, graph, training):
    """Add the nodes' layers to a description; their results."""
    tops, nodes = {"input": spec["input"]}, nodes_of(graph, training)
    overwriting = in_place(graph, training)
    for node in nodes:
        name, op, inputs = node["name"], node["op"], [tops[i] for i in node["inputs"]]
        if name in tops:
            continue
        if op == "slice":
            same = [n for n in nodes if n["op"] == op and n["inputs"] == node["inputs"]]
            found = cut(inputs[0], same)
        elif op == "stochasticdepth" and not training:
            found = {name: inputs[0]}
        else:
            found = {name: operator(LAYERS, op)(node, inputs, name in overwriting)}
        tops.update(found)
        for name, top in found.items():
            if top not in inputs:  # else it has its name
                spec[name] = top
    return tops


def in_place(graph, training):
    """Names of the nodes that write over their input."""
    nodes = nodes_of(graph, training)
    ops = {node["name"]: node["op"] for node in nodes}
    uses = collections.Counter(i for node in nodes for i in node["inputs"])
    uses.update(outputs_of(graph, training))
    single = [(node, node["inputs"][0]) for node in nodes if uses[node["inputs"][0]] == 1]
    return {n["name"] for n, source in single if ops.get(source) in OVERWRITABLE.get(n["op"], ())}


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
        for key, blob in self.blobs(self.holder()).items():
            blob.data[...] = 1 if key.endswith("/divisor") else weights[key]

    def holder(self):
        """A net with all parameters; that of inference has none of auxiliary classifiers."""
        return self.trainer().net if self.graph["auxiliary"] else self.net

    def trainer(self):
        """The solver; its net keeps its own activations, and shares the parameters."""
        if self.solver is None:
            self.solver = load(caffe.SGDSolver, self.settings())
            self.solver.net.share_with(self.net)
        return self.solver

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
        return self.trained(self.holder(), "data")

    def logits(self, x):
        self.step("inference", x, None)()
        return self.net.blobs[self.net.outputs[0]].data.copy()

    def loss(self, x, y):
        self.step("forward", x, y)()
        return self.total()

    def gradients(self, x, y):
        self.step("train", x, y)()
        return self.total(), self.trained(self.solver.net, "diff")

    def total(self):
        """The loss that the training net's last pass left behind."""
        blobs, weights = self.solver.net.blobs, losses(self.graph)
        return sum(weight * float(blobs[name].data) for name, (_, weight) in weights.items())

    def step(self, phase, x, y):
        if phase == "inference":
            self.feed(self.net, x, y)
            return self.net.forward
        solver, net = self.trainer(), self.trainer().net
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
        for node in self.graph["nodes"]:
            if node["op"] == "avgpool":
                values[node["name"] + "/recount"] = recount(node)
            elif node["op"] == "stochasticdepth":
                values[node["name"] + "/ones"] = 1
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
