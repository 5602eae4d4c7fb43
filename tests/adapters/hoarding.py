"""The honest toy, with as many objects as a framework has, and networks that only a search for
garbage can free; its source is how many objects that search leaves out and how many networks there
are."""

import gc
import sys
import weakref
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import toy

NAME, MODES = "hoarding", ("plain",)
OBJECTS = [[] for _ in range(200_000)]
NETWORKS = weakref.WeakSet()


class Network:
    def __init__(self):
        self.itself = self


class Adapter(toy.Adapter):
    def build(self, graph, weights):
        super().build(graph, weights)
        self.network = Network()
        NETWORKS.add(self.network)

    def source(self):
        return f"{gc.get_freeze_count()} {len(NETWORKS)}"
