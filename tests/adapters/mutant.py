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
    """Names of its own begin with an underscore: the real adapter has others."""

    _patches = Patches()
    _mistake = None

    def _planted(self, place):
        """The planted function, if the mistake is at this place."""
        here = self._mistake and self._mistake.place == place
        return self._mistake.plant if here else None

    def build(self, graph, weights):
        self._patches.undo()
        self._mistake = MISTAKES.get(graph["name"].split()[0])
        graph, weights = copy.deepcopy(graph), dict(weights)
        self.given = {k: weights[k] for n in graph["nodes"] for k in keys(n)}
        if self._planted("graph"):
            self._planted("graph")(graph)
        if self._planted("weights"):
            self._planted("weights")(graph, weights)
        if self._planted("operators"):
            self._planted("operators")(self._patches)
        real.Adapter.build(self, graph, weights)

    def parameters(self):
        found, wrong = real.Adapter.parameters(self), self._planted("parameters")
        return wrong(self, found) if wrong else found

    def logits(self, x):
        found, wrong = real.Adapter.logits(self, x), self._planted("logits")
        return wrong(found) if wrong else found

    def gradients(self, x, y):
        loss, found = real.Adapter.gradients(self, x, y)
        wrong = self._planted("gradients")
        return wrong(self, loss, dict(found), y) if wrong else (loss, found)

    def _pictures(self, x):
        """The pictures as the framework is given them."""
        return self._planted("inputs")(x).astype("float32") if self._planted("inputs") else x

    def step(self, phase, x, y):
        wrong, x = self._planted("step"), self._pictures(x)
        return wrong(self, phase, x, y) if wrong else self.plain_step(phase, x, y)

    def plain_step(self, phase, x, y):
        return real.Adapter.step(self, phase, x, y)


def keys(node):
    return [node["name"] + "/" + weight for weight in node["weights"]]


def train(self, x, y, update):
    """Toy's training step, with another optimiser if that is the mistake."""
    rule = self._planted("optimiser")
    if not rule:
        return real.Adapter.train(self, x, y, update)
    loss, gradients = self.learn(x, y)
    momentum, rate = numpy.float32([self.graph.momentum, self.graph.learning_rate])
    for key, g in gradients.items():
        v = self.velocity.get(key, 0 * g)
        self.weights[key], self.velocity[key] = rule(self.weights[key], g, v, momentum, rate)
    return loss, gradients


if real.NAME == "toy":
    Adapter.train = train
