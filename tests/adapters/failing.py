"""A framework that fails while it builds, in the way that CONVMARK_FAILURE says."""

import os
import time

from convmark import Adapter as Base
from convmark import Unsupported

NAME = "failing"
MODES = ("plain",)


def crash():
    os.kill(os.getpid(), 11)


def hang():
    time.sleep(3600)


def refuses():
    raise Unsupported("this framework has no convolution")


def greedy():
    raise MemoryError("cannot allocate 1 TiB")


def recursive(depth=0):
    if depth == 5000:
        raise ValueError("the deepest call")
    recursive(depth + 1)


def raises():
    raise ValueError("boom")


FAILURES = {f.__name__: f for f in (crash, hang, refuses, greedy, raises, recursive)}


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        self.fail = FAILURES[os.environ["CONVMARK_FAILURE"]]

    def versions(self):
        return {}

    def build(self, graph, weights):
        self.fail()
