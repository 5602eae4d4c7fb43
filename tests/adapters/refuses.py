"""A framework that cannot do what it is asked."""

from convmark import Adapter as Base
from convmark import Unsupported

NAME = "refuses"
MODES = ("plain",)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        pass

    def versions(self):
        return {}

    def build(self, graph, weights):
        raise Unsupported("this framework has no convolution")
