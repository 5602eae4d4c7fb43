"""A correct framework: the referee itself in float32, in the harness's own interpreter."""

import os
import sys

import numpy
from convmark import Adapter as Base

sys.path.insert(0, os.environ["CONVMARK_REPOSITORY"])  # a test may; a real adapter may not

from bench import reference
from bench.graph import Graph, Node
from bench.ops import OPS

NAME = "toy"
MODES = ("plain", "other", "every_maximum")

MOVING = numpy.float32(0.1)  # weight of a batch in the stored statistics
RANDOM = numpy.random.default_rng(1)


def by_chance(op, at):
    """Dropout and stochastic depth, which the referee leaves out."""
    if not at.training or not op.rate:
        return at.x, None
    whole = op.kind == "stochasticdepth"
    shape = (len(at.x), *[1] * (at.x.ndim - 1)) if whole else at.x.shape
    factors = (RANDOM.random(shape) >= op.rate) / numpy.float32(1 - op.rate)
    return at.x * factors, factors


def chance_backward(op, saved, dy):
    return [dy if saved is None else dy * saved], {}


def moving_batchnorm(op, at):
    """Batch normalisation, which in training moves the stored statistics, in place."""
    if at.training:
        for name, value in zip(("mean", "variance"), reference.moments(at.x), strict=True):
            at.weights[name] += MOVING * (value - at.weights[name])
    return batchnorm(op, at)


batchnorm, reference.FORWARD["batchnorm"] = reference.FORWARD["batchnorm"], moving_batchnorm
for kind in ("dropout", "stochasticdepth"):
    reference.FORWARD[kind], reference.BACKWARD[kind] = by_chance, chance_backward


def graph_from(data):
    """The graph that `Graph.to_json` described."""
    nodes = []
    for entry in data["nodes"]:
        attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in entry["attrs"].items()}
        shapes = tuple(tuple(shape) for shape in entry["input_shapes"])
        op = OPS[entry["op"]](**attrs)
        nodes.append(Node(entry["name"], op, tuple(entry["inputs"]), shapes, op.output(*shapes)))
    auxiliary = tuple((name, weight) for name, weight in data["auxiliary"])
    shape, training = tuple(data["input"]), data["training"].values()
    return Graph(data["name"], shape, tuple(nodes), "", *training, auxiliary)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        self.mode = mode

    def versions(self):
        return {"numpy": numpy.__version__}

    def build(self, graph, weights):
        self.graph = graph_from(graph)
        self.weights = {k: v.copy() for k, v in weights.items()}
        self.velocity = {}

    def parameters(self):
        names = [f"{n.name}/{w}" for n in self.graph.nodes for w in n.weights]
        return {name: self.weights[name] for name in names}

    def logits(self, x):
        return self.step("inference", x, None)()

    def loss(self, x, y):
        return self.step("forward", x, y)()[0]

    def gradients(self, x, y):
        return self.step("train", x, y)()

    def step(self, phase, x, y):
        if phase == "inference":
            return lambda: self.infer(x)
        return lambda: self.train(x, y, phase == "step")

    def infer(self, x):
        return reference.run(self.graph, self.weights, x, dtype=numpy.float32).logits

    def learn(self, x, y):
        every = self.mode == "every_maximum"
        passed = reference.train(self.graph, self.weights, x, numpy.float32, every=every)
        return reference.backpropagate(passed, y)[:2]

    def train(self, x, y, update):
        loss, gradients = self.learn(x, y)
        for key, gradient in gradients.items() if update else ():
            momentum = numpy.float32(self.graph.momentum)
            self.velocity[key] = momentum * self.velocity.get(key, 0 * gradient) + gradient
            rate = numpy.float32(self.graph.learning_rate)
            self.weights[key] = self.weights[key] - rate * self.velocity[key]
        return loss, gradients

    def wait(self, result):
        pass

    def source(self):
        return "referee"
