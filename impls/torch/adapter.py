"""PyTorch: nn layers called by a generated `forward`, eager or under torch.compile.

Layout: channels_last on both devices. It is the one PyTorch's own tutorial recommends for
convolutional networks; on the CPU it trains faster than NCHW.
"""

from collections import Counter

import torch
import torch.nn.functional as F
from convmark import Adapter as Base
from convmark import (
    Unsupported,
    consumers,
    define,
    identifier,
    keys,
    nodes_of,
    partitions,
    program,
    total_loss,
)
from torch import nn

NAME = "torch"
MODES = ("eager", "compile")
DTYPES = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
IN_PLACE = ("conv", "batchnorm", "add", "dense")  # their backward does not need their own output
FIELDS = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


class StochasticDepth(nn.Module):
    """As torchvision has it, in mode "row"."""

    def __init__(self, rate):
        super().__init__()
        self.keep = 1 - rate

    def forward(self, x):
        if not self.training or self.keep == 1:
            return x
        mask = x.new_empty([len(x)] + [1] * (x.dim() - 1))
        return x * mask.bernoulli_(self.keep).div_(self.keep)


def conv(node, attrs):
    c = node["input_shapes"][0][0]
    return nn.Conv2d(c, attrs["out"], attrs["kernel"], attrs["stride"], attrs["pad"],
                     groups=attrs["groups"], bias=attrs["bias"])  # fmt: skip


LAYERS = {
    "conv": conv,
    "dense": lambda node, a: nn.Linear(node["input_shapes"][0][0], a["out"], a["bias"]),
    "batchnorm": lambda node, a: nn.BatchNorm2d(node["output"][0], a["eps"]),
    "lrn": lambda node, a: nn.LocalResponseNorm(a["size"], a["alpha"], a["beta"], a["k"]),
    "maxpool": lambda node, a: nn.MaxPool2d(a["kernel"], a["stride"], a["pad"]),
    "avgpool": lambda node, a: nn.AvgPool2d(
        a["kernel"], a["stride"], a["pad"], count_include_pad=False
    ),
    "dropout": lambda node, a: nn.Dropout(a["rate"]),
    "stochasticdepth": lambda node, a: StochasticDepth(a["rate"]),
}
FUNCTIONS = {
    "sigmoid": lambda node, x: "F.sigmoid(%s)" % x[0],
    "hardsigmoid": lambda node, x: "F.hardsigmoid(%s)" % x[0],
    "swish": lambda node, x: "F.silu(%s)" % x[0],
    "hardswish": lambda node, x: "F.hardswish(%s)" % x[0],
    "globalavgpool": lambda node, x: "%s.mean((2, 3))" % x[0],
    "flatten": lambda node, x: "%s.flatten(1)" % x[0],
    "channelshuffle": lambda node, x: "F.channel_shuffle(%s, %d)" % (x[0], node["attrs"]["groups"]),
    "multiply": lambda node, x: "%s * %s[:, :, None, None]" % tuple(x),
    "concat": lambda node, x: "torch.cat([%s], 1)" % ", ".join(x),
}
SCOPE = {"torch": torch, "F": F}


class Network(nn.Module):
    """The layers of a graph, and a straight-line forward over them."""

    def __init__(self, graph):
        super().__init__()
        for node in graph["nodes"]:
            if node["op"] in LAYERS:
                layer = LAYERS[node["op"]](node, node["attrs"])
                self.add_module(identifier(node["name"]), layer)
        head = "def forward(self, x):"
        texts = [program(graph, expressions(graph, t), head, training=t) for t in (False, True)]
        self.infer, self.learn = (define(text, "forward", SCOPE) for text in texts)
        self.text = "\n".join(dict.fromkeys(reversed(texts)))  # differ by auxiliary classifiers

    def forward(self, x):
        return self.learn(self, x) if self.training else self.infer(self, x)


def expressions(graph, training):
    """One line of Python for each operator; a ReLU and a sum work in place where nobody else looks,
    other activations do not, for their backward needs their input."""
    ops = {node["name"]: node["op"] for node in graph["nodes"]}
    uses = consumers(graph) + Counter(name for name, _ in graph["auxiliary"])
    parts = partitions(nodes_of(graph, training))

    def layer(node, x):
        return "self.%s(%s)" % (identifier(node["name"]), x[0])

    def alone(source):
        return uses[source] == 1 and ops.get(source) in IN_PLACE

    def relu(node, x):
        place = ", inplace=True" if alone(node["inputs"][0]) else ""
        return "F.%s(%s%s)" % (node["op"], x[0], place)

    def add(node, x):
        own = next((i for i, source in enumerate(node["inputs"]) if alone(source)), None)
        if own is None:
            return " + ".join(x)
        others = [other for i, other in enumerate(x) if i != own]
        return x[own] + "".join(".add_(%s)" % other for other in others)

    def part(node, x):
        source, start, stop = node["inputs"][0], node["attrs"]["start"], node["attrs"]["stop"]
        if source not in parts:
            return "%s[:, %d:%d]" % (x[0], start, stop)
        rest = "parts_" + identifier(source)
        whole = "(%s := list(%s.split(%s, 1)))" % (rest, x[0], parts[source])
        return (rest if start else whole) + ".pop(0)"

    table = dict(FUNCTIONS, relu=relu, relu6=relu, add=add, slice=part)
    return dict(table, **dict.fromkeys(LAYERS, layer))


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        if device == "cuda" and not torch.cuda.is_available():
            raise Unsupported("torch.cuda.is_available() is False in torch " + torch.__version__)
        if precision == "tf32" and device == "cpu":
            raise Unsupported("tf32 is a mode of NVIDIA's matrix units; the CPU has none")
        self.mode, self.device, self.dtype = mode, torch.device(device), DTYPES[precision]
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True  # the shapes never change

    def versions(self):
        found = {"torch": torch.__version__, "threads": str(torch.get_num_threads())}
        if self.device.type == "cuda":
            found["cuda"], found["cudnn"] = torch.version.cuda, str(torch.backends.cudnn.version())
            found["gpu"] = torch.cuda.get_device_name()
        return found

    def build(self, graph, weights):
        self.graph = graph
        self.native = Network(graph)
        for key, array in weights.items():
            self.tensor(key).data.copy_(torch.from_numpy(array))
        self.native.to(self.device, memory_format=torch.channels_last)
        self.network = self.native
        rate, momentum = graph["training"]["learning_rate"], graph["training"]["momentum"]
        self.sgd = torch.optim.SGD(self.native.parameters(), rate, momentum)
        if self.mode == "compile":  # fullgraph: an error, never a silent return to eager
            torch._dynamo.reset()
            self.network = torch.compile(self.native, fullgraph=True)

    def tensor(self, key):
        name, _, weight = key.rpartition("/")
        return getattr(getattr(self.native, identifier(name)), FIELDS.get(weight, weight))

    def parameters(self):
        named = {id(self.tensor(key)): key for key in keys(self.graph)}
        found = self.native.named_parameters()
        return {named.get(id(p), n): p.detach().cpu().numpy() for n, p in found}

    def logits(self, x):
        return self.step("inference", x, None)().float().cpu().numpy()

    def loss(self, x, y):
        return self.step("forward", x, y)().item()

    def gradients(self, x, y):
        loss = self.step("train", x, y)()
        return loss.item(), {k: self.tensor(k).grad.cpu().numpy() for k in keys(self.graph)}

    def step(self, phase, x, y):
        self.native.train(phase != "inference")
        x = torch.from_numpy(x).to(self.device, memory_format=torch.channels_last)
        if phase == "inference":
            return lambda: self.infer(x)
        y = torch.from_numpy(y).to(self.device)
        if phase == "forward":
            return lambda: self.forward(x, y)
        return lambda: self.train(x, y, phase == "step")

    def infer(self, x):
        with torch.inference_mode(), self.precision():
            return self.network(x)

    def forward(self, x, y):
        with self.precision():
            return total_loss(self.graph, self.network(x), lambda z: F.cross_entropy(z, y))

    def train(self, x, y, update):
        self.sgd.zero_grad()
        loss = self.forward(x, y)
        loss.backward()
        if update:
            self.sgd.step()
        return loss

    def precision(self):
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    def wait(self, result):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def memory(self):
        if self.device.type == "cpu":
            return {}
        peak, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        return {"allocated_peak": peak, "reserved_peak": reserved}

    def source(self):
        return self.native.text
