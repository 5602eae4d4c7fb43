"""A framework whose adapter has few operators yet."""

import os
import sys

from convmark import Unsupported

sys.path.insert(0, os.environ["CONVMARK_REPOSITORY"])  # a test may; a real adapter may not

from tests.adapters import toy

NAME = "narrow"
MODES = ("plain",)
KNOWN = {"conv", "relu", "flatten", "globalavgpool", "dense"}


class Adapter(toy.Adapter):
    def build(self, graph, weights):
        for node in graph["nodes"]:
            if node["op"] not in KNOWN:
                raise Unsupported("the adapter has no operator %s" % node["op"])
        toy.Adapter.build(self, graph, weights)
