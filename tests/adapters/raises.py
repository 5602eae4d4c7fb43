"""A framework that raises an exception of its own."""

from convmark import Adapter as Base

NAME = "raises"
MODES = ("plain",)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        pass

    def versions(self):
        return {}

    def build(self, graph, weights):
        raise ValueError("boom")
