"""A framework that dies of a signal while it builds."""

import os

from convmark import Adapter as Base

NAME = "crash"
MODES = ("plain",)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        pass

    def versions(self):
        return {}

    def build(self, graph, weights):
        os.kill(os.getpid(), 11)
