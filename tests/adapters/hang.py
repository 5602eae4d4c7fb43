"""A framework that never answers."""

import time

from convmark import Adapter as Base

NAME = "hang"
MODES = ("plain",)


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        pass

    def versions(self):
        return {}

    def build(self, graph, weights):
        time.sleep(3600)
