"""A real framework with one mistake in it: the adapter in CONVMARK_REAL is given the network
changed as the network's name says (`epsilon`, `relu`, ...), as if its author had got it wrong."""

import copy
import importlib.util
import os
import sys

NAME = "wrong"
MODES = ("plain",)

spec = importlib.util.spec_from_file_location("convmark_real", os.environ["CONVMARK_REAL"])
real = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = real  # MindSpore's compiler imports a class's module by its name
spec.loader.exec_module(real)


def first(graph, op):
    """The first node of a kind; a copy that is thrown away where there is none, as in a prefix."""
    nothing = {"attrs": {"size": 1, "alpha": 1.0}, "inputs": []}
    return next((node for node in graph["nodes"] if node["op"] == op), nothing)


def padding(graph):
    first(graph, "conv")["attrs"]["pad"] = [0, 0]


def pooling_stride(graph):
    first(graph, "maxpool")["attrs"]["stride"] = [1, 1]


def pooling_padding(graph):
    first(graph, "maxpool")["attrs"]["pad"] = [0, 0]


def epsilon(graph):
    first(graph, "batchnorm")["attrs"]["eps"] = 1e-3


def lrn_alpha(graph):
    attrs = first(graph, "lrn")["attrs"]
    attrs["alpha"] *= attrs["size"]  # as if it were not divided


def lrn_constant(graph):
    first(graph, "lrn")["attrs"]["k"] = 1.0


def relu(graph):
    missing = first(graph, "relu")
    if missing not in graph["nodes"]:
        return
    graph["nodes"].remove(missing)
    for node in graph["nodes"]:
        replaced = [missing["inputs"][0] if i == missing["name"] else i for i in node["inputs"]]
        node["inputs"] = replaced


def concat_order(graph):
    first(graph, "concat")["inputs"].reverse()


MISTAKES = {f.__name__: f for f in (
    padding, pooling_stride, pooling_padding, epsilon, lrn_alpha, lrn_constant, relu, concat_order,
)}  # fmt: skip


class Adapter(real.Adapter):
    def build(self, graph, weights):
        self.mistake = graph["name"]
        graph = copy.deepcopy(graph)
        MISTAKES.get(self.mistake, lambda graph: None)(graph)
        real.Adapter.build(self, graph, weights)

    def logits(self, x):
        found = real.Adapter.logits(self, x)
        return found[:, ::-1] if self.mistake == "classes_reversed" else found

    def gradients(self, x, y):
        loss, found = real.Adapter.gradients(self, x, y)
        if self.mistake == "gradient_not_divided":
            found = {k: v * len(y) for k, v in found.items()}
        if self.mistake == "gradient_missing":
            found.pop(sorted(found)[0])
        if self.mistake == "not_a_number":
            found[sorted(found)[0]][...] = float("nan")
        return loss, found

    def parameters(self):
        found = real.Adapter.parameters(self)
        if self.mistake == "parameter_too_many":
            found["extra"] = found[sorted(found)[0]]
        return found
