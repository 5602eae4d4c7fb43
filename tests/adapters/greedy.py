"""A framework that runs out of memory."""

from convmark import Adapter as Base

NAME = "greedy"
MODES = ("plain",)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        pass

    def versions(self):
        return {}

    def build(self, graph, weights):
        raise MemoryError("cannot allocate 1 TiB")
