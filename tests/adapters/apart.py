"""A framework that answers checks with another program than the one that is timed."""

import os
import sys

sys.path.insert(0, os.environ["CONVMARK_REPOSITORY"])  # a test may; a real adapter may not

from tests.adapters import toy

NAME = "apart"
MODES = ("plain",)


class Adapter(toy.Adapter):
    def logits(self, x):
        return self.infer(x)

    def loss(self, x, y):
        return self.learn(x, y)[0]

    def gradients(self, x, y):
        return self.learn(x, y)

    def step(self, phase, x, y):
        return lambda: None
