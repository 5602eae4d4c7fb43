# Python 3.6 syntax, standard library and numpy only.
"""The contract between the worker and a framework, and what all adapters share.

An adapter is a file `impls/<framework>/adapter.py` with

    NAME = "torch"                  # the folder's name
    MODES = ("eager", "compile")    # literal; the first is the default
    class Adapter(convmark.Adapter) # the methods below, in this order

It runs in the framework's own interpreter, which imports this file under the name `convmark`:
`from convmark import Unsupported, program, ...`. Import the framework inside `Adapter.__init__`
or at the top of the file, never elsewhere: the worker times that import.

Semantics are those of the graph: activations (N, C, H, W), convolution kernels (O, I/groups, kh,
kw), dense weights (out, in), names `<node>/<weight>` such as `conv1/weight`. An adapter translates
layouts in both directions, once, in `build` or in the checking methods; never in a timed step.

What is timed must be what a good user of that framework writes: its own layers, its recommended
layout for the device, no walk over the graph in a step (generate code with `program`, or walk while
tracing), gradients of the parameters and none of the input, mean cross-entropy.
An adapter never reads a clock.
"""

import collections

import numpy

PHASES = ("inference", "forward", "train", "step")
ACTIVATIONS = ("relu", "relu6", "sigmoid", "hardsigmoid", "swish", "hardswish")
ELEMENTWISE = (*ACTIVATIONS, "dropout")


class Unsupported(Exception):
    """The framework cannot do this; the message is the reason, in its own words if it has any."""


class Adapter(object):
    """One framework in one mode, on one device. `rerun`: why `gradients` runs the program of the
    phase `train` once more, with more outputs, if the function that is timed does not keep them."""

    rerun = ""

    def __init__(self, mode, device, precision, threads):
        """Prepare the framework; `device` is "cpu" or "cuda", `precision` "fp32", "tf32", "bf16"
        or "fp16", `threads` the number of threads it may use (set every knob it has). fp32 means
        true fp32: reduced-precision shortcuts such as TF32 are switched off.
        Raises Unsupported."""
        raise NotImplementedError

    def versions(self):
        """Names and versions that explain a number: {"torch": "2.13.0", "mkldnn": "3.7.1"}."""
        raise NotImplementedError

    def build(self, graph, weights):
        """Make the native network, once. `graph` is `Graph.to_json()`, `weights` a dictionary of
        float32 arrays with every trainable parameter and every stored statistic
        (`batchnorm1/mean`, `batchnorm1/variance`). Raises Unsupported for what cannot be."""
        raise NotImplementedError

    def parameters(self):
        """The trainable parameters that the native network holds *now*, read back from the
        framework: {"conv1/weight": float32 array in the graph's layout}. For checking."""
        raise NotImplementedError

    def logits(self, x):
        """Evaluation mode: float32 (N, C, H, W) to float32 (N, classes), host to host. For
        checking: reads what `self.step("inference", x, y)()` gives, which is what is timed. The
        worker has called it, in the way it does for timing, and sees to it that this is read."""
        raise NotImplementedError

    def loss(self, x, y):
        """Training mode: the mean cross-entropy as a float, with auxiliary classifiers' by their
        weights. For checking: reads what `self.step("forward", x, y)()` gives or leaves behind."""
        raise NotImplementedError

    def gradients(self, x, y):
        """The same loss, and the gradient of every parameter in the graph's layout,
        {"conv1/weight": array}. For checking: reads what `self.step("train", x, y)()` gives or
        leaves behind; the parameters stay as they are."""
        raise NotImplementedError

    def step(self, phase, x, y):
        """A function without arguments that does one step and returns something for `wait`.

        x, float32 (N, C, H, W), and y, int64 (N,), are moved to the device here, not in the step.
        inference: logits in evaluation mode. forward: training mode up to the loss, keeping what a
        backward pass would need where the framework is eager. train: loss and gradients of all
        parameters. step: train, then SGD with momentum (v = m v + g; w = w - lr v) by the
        framework's own optimiser, with graph["training"]'s learning_rate and momentum; a step
        changes the parameters. The velocity belongs to the network: a function made for another
        batch goes on with it."""
        raise NotImplementedError

    def wait(self, result):
        """Return when `result`, and the work that was started before it, is computed."""
        raise NotImplementedError

    def memory(self):
        """The device allocator's figures in bytes, {"allocated_peak": ...}; {} where there are
        none (on the CPU the worker reads the process's)."""
        return {}

    def source(self):
        """The native program as text, for a reader."""
        return ""


def nodes_of(graph, training):
    """The nodes of a pass: inference leaves out what only auxiliary classifiers need."""
    return [node for node in graph["nodes"] if training or node["evaluated"]]


def outputs_of(graph, training):
    """The nodes that a pass returns: the logits, in training those of auxiliary classifiers too."""
    heads = [name for name, _ in graph["auxiliary"]] if training else []
    return [graph["nodes"][-1]["name"], *heads]


def total_loss(graph, outputs, loss):
    """The loss of what a training pass returned: `loss(logits)`, and where there are auxiliary
    classifiers theirs by their weights."""
    if not graph["auxiliary"]:
        return loss(outputs)
    total = loss(outputs[0])
    for logits, (_, weight) in zip(outputs[1:], graph["auxiliary"]):
        total = total + weight * loss(logits)
    return total


def program(graph, expressions, head, indent="    ", training=False):
    """Source of a straight-line function: one assignment per node, then the return of the logits,
    or in training of a tuple where the graph has auxiliary classifiers: see `total_loss`.

    `expressions` has a function (node, argument names) -> expression for each op: see `operator`.
    Variables are reused as soon as their value is dead, as in code written by hand, so that
    activations are freed at the same point. `head` is the first line; its argument is `x`."""
    lines, names, free = [head], {"input": "x"}, []
    nodes, outputs = nodes_of(graph, training), outputs_of(graph, training)
    uses = collections.Counter(i for node in nodes for i in node["inputs"])
    uses.update(outputs)
    for node in nodes:
        arguments = [names[i] for i in node["inputs"]]
        uses.subtract(node["inputs"])
        dead = [names[i] for i in sorted(set(node["inputs"])) if not uses[i]]
        expression = operator(expressions, node["op"])
        target = dead.pop(0) if dead else free.pop() if free else "x%d" % len(set(names.values()))
        free.extend(dead)
        names[node["name"]] = target
        lines.append("%s%s = %s" % (indent, target, expression(node, arguments)))
    lines.append("%sreturn %s" % (indent, ", ".join(names[name] for name in outputs)))
    return "\n".join(lines) + "\n"


def walk(graph, table, x, training=False):
    """The logits, for frameworks in which a network is described once and not at each step:
    `table` has a function (node, results of its inputs) -> result for each op: see `operator`.
    In training a list where the graph has auxiliary classifiers: see `total_loss`."""
    values, outputs = {"input": x}, outputs_of(graph, training)
    for node in nodes_of(graph, training):
        function = operator(table, node["op"])
        values[node["name"]] = function(node, [values[i] for i in node["inputs"]])
    found = [values[name] for name in outputs]
    return found if len(found) > 1 else found[0]


def operator(table, op):
    """What `table` has for an op: a dictionary's entry, or an object's method of that name."""
    found = table.get(op) if isinstance(table, dict) else getattr(table, op, None)
    if found is None:
        raise Unsupported("the adapter has no operator %s" % op)
    return found


def define(source, name, scope):
    """The function `name` that `source` defines, with `scope` as its globals."""
    scope = dict(scope)
    exec(compile(source, "<%s>" % name, "exec"), scope)
    return scope[name]


def identifier(name):
    """A node's name as an identifier: `inception_3a.conv1` -> `inception_3a_conv1`."""
    return name.replace(".", "_")


def keys(graph, kind="weights"):
    """`node/weight` for each trainable parameter (or each entry of `state`), in order."""
    return [n["name"] + "/" + w for n in graph["nodes"] for w in n[kind]]


def consumers(graph):
    """How many times each node's result is used: {"conv1": 1, ...}."""
    return collections.Counter(i for node in graph["nodes"] for i in node["inputs"])


def partitions(nodes):
    """Sizes of the slices of each value that are the whole of it, in order: one split, whose
    backward is one join, where that of each slice fills a tensor of zeros and adds it to the
    others."""
    found = collections.defaultdict(list)
    for node in nodes:
        if node["op"] == "slice":
            found[node["inputs"][0]].append(node)
    return {source: [n["output"][0] for n in p] for source, p in found.items() if are_whole(p)}


def are_whole(slices):
    starts, stops = ([node["attrs"][end] for node in slices] for end in ("start", "stop"))
    return [*starts, slices[0]["input_shapes"][0][0]] == [0, *stops]


def axes(node):
    """For height and width of a sliding window: size, kernel, stride, padding, output's size."""
    a = node["attrs"]
    return zip(node["input_shapes"][0][1:], a["kernel"], a["stride"], a["pad"], node["output"][1:])


def counts(node):
    """How many values of the image each window of a pooling holds: an array (OH, OW)."""
    found = []
    for size, kernel, stride, pad, out in axes(node):
        start = numpy.arange(out) * stride - pad
        found.append(numpy.minimum(start + kernel, size) - numpy.maximum(start, 0))
    return numpy.outer(*found)


def same_padding(n, k, s, p, out):
    """Whether "SAME" pads an axis as the graph does: half of what is missing, rounded down, in
    front. (What the graph pads behind and no window reaches does not matter.)"""
    return out == -(-n // s) and max((out - 1) * s + k - n, 0) // 2 == p


class ChannelsLast(object):
    """Weights between the graph's layout and that of a framework which computes in NHWC: kernels
    OIHW and HWIO, dense (out, in) and (in, out), with the rows of a dense layer behind a flatten
    permuted from CHW to HWC order, so that flattening needs no transpose at run time."""

    def __init__(self, graph):
        self.nodes = {node["name"]: node for node in graph["nodes"]}
        self.flat = {}
        for node in graph["nodes"]:
            if node["op"] == "flatten":
                self.flat[node["name"]] = node["input_shapes"][0]
            elif node["op"] in ELEMENTWISE and node["inputs"][0] in self.flat:
                self.flat[node["name"]] = self.flat[node["inputs"][0]]
            elif node["op"] != "dense" and self.flat.keys() & set(node["inputs"]):
                raise Unsupported("%s of a flattened image in NHWC order" % node["op"])
        if graph["nodes"][-1]["name"] in self.flat:
            raise Unsupported("logits that are a flattened image in NHWC order")

    def to_native(self, key, array):
        node, weight = self._split(key)
        if weight != "weight" or node["op"] not in ("conv", "dense"):
            return array
        if node["op"] == "conv":
            return array.transpose(2, 3, 1, 0)
        if node["inputs"][0] in self.flat:
            chw = self.flat[node["inputs"][0]]
            array = array.reshape([-1, *chw]).transpose(0, 2, 3, 1).reshape(array.shape)
        return array.T

    def to_graph(self, key, array):
        node, weight = self._split(key)
        array = numpy.asarray(array)
        if weight != "weight" or node["op"] not in ("conv", "dense"):
            return array
        if node["op"] == "conv":
            return array.transpose(3, 2, 0, 1)
        array = array.T
        if node["inputs"][0] in self.flat:
            c, h, w = self.flat[node["inputs"][0]]
            array = array.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(array.shape)
        return array

    def _split(self, key):
        name, _, weight = key.rpartition("/")
        return self.nodes[name], weight


def is_depthwise(node):
    """Whether the depthwise operators of frameworks in NHWC can do a convolution: one input channel
    a group, equal strides."""
    attrs = node["attrs"]
    h, w = attrs["stride"]
    return h == w and 1 < attrs["groups"] == node["input_shapes"][0][0]


class DepthwiseLast(ChannelsLast):
    """Depthwise kernels too: (kh, kw, channels, outputs of each)."""

    def to_native(self, key, array):
        array, node = super(DepthwiseLast, self).to_native(key, array), self._split(key)[0]
        if array.ndim == 4 and is_depthwise(node):
            array = array.reshape((*array.shape[:2], node["attrs"]["groups"], -1))
        return array

    def to_graph(self, key, array):
        array = numpy.asarray(array)
        if array.ndim == 4 and is_depthwise(self._split(key)[0]):
            array = array.reshape((*array.shape[:2], 1, -1))
        return super(DepthwiseLast, self).to_graph(key, array)
