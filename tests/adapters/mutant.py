"""A correct framework with one mistake planted into it: the adapter in CONVMARK_REAL, and the
mistake of tests/mistakes that is the first word of the network's name."""

import copy
import importlib.util
import os
import sys

import numpy

NAME = "mutant"
MODES = ("plain",)

sys.path.insert(0, os.environ["CONVMARK_REPOSITORY"])  # for tests.mistakes alone
from tests import mistakes

spec = importlib.util.spec_from_file_location("convmark_real", os.environ["CONVMARK_REAL"])
real = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = real  # MindSpore's compiler imports a class's module by its name
spec.loader.exec_module(real)
MISTAKES = mistakes.load(toy=real.NAME == "toy")
sys.path.remove(os.environ["CONVMARK_REPOSITORY"])


class Patches:
    """Entries of tables and modules that are replaced for a while."""

    def __init__(self):
        self.replaced = []

    def __call__(self, target, name, value):
        table = target if isinstance(target, dict) else vars(target)
        self.replaced.append((table, name, table[name]))
        table[name] = value

    def undo(self):
        while self.replaced:
            table, name, value = self.replaced.pop()
            table[name] = value


class Adapter(real.Adapter):
    patches = Patches()
    mistake = None

    def at(self, place):
        """The planted function, if the mistake is at this place."""
        here = self.mistake and self.mistake.place == place
        return self.mistake.plant if here else None

    def build(self, graph, weights):
        self.patches.undo()
        self.mistake = MISTAKES.get(graph["name"].split()[0])
        graph, weights = copy.deepcopy(graph), dict(weights)
        self.given = {k: weights[k] for n in graph["nodes"] for k in keys(n)}
        if self.at("graph"):
            self.at("graph")(graph)
        if self.at("weights"):
            self.at("weights")(graph, weights)
        if self.at("operators"):
            self.at("operators")(self.patches)
        real.Adapter.build(self, graph, weights)

    def parameters(self):
        found, wrong = real.Adapter.parameters(self), self.at("parameters")
        return wrong(self, found) if wrong else found

    def logits(self, x):
        found, wrong = real.Adapter.logits(self, self.seen(x)), self.at("logits")
        return wrong(found) if wrong else found

    def gradients(self, x, y):
        loss, found = real.Adapter.gradients(self, self.seen(x), y)
        wrong = self.at("gradients")
        return wrong(self, loss, dict(found), y) if wrong else (loss, found)

    def seen(self, x):
        """The pictures as the framework is given them."""
        return self.at("inputs")(x).astype("float32") if self.at("inputs") else x

    def step(self, phase, x, y):
        wrong = self.at("step")
        return wrong(self, phase, x, y) if wrong else self.plain_step(phase, x, y)

    def plain_step(self, phase, x, y):
        return real.Adapter.step(self, phase, x, y)

    def train(self, x, y, update):
        """Toy's training step, with another optimiser if that is the mistake."""
        rule = self.at("optimiser")
        if not rule:
            return real.Adapter.train(self, x, y, update)
        loss, gradients = self.gradients(x, y)
        momentum, rate = numpy.float32([self.graph.momentum, self.graph.learning_rate])
        for key, g in gradients.items():
            v = self.velocity.get(key, 0 * g)
            self.weights[key], self.velocity[key] = rule(self.weights[key], g, v, momentum, rate)
        return loss


def keys(node):
    return [node["name"] + "/" + weight for weight in node["weights"]]
