"""A framework that takes exactly known memory, in the way that its mode says; computes nothing.

A network other than the trivial one has HELD bytes of its own; a step takes TAKEN bytes for each
image, touched page by page. The baseline's trivial step takes them too, and gives them back."""

import mmap
import tempfile

import numpy
from convmark import Adapter as Base

NAME = "hungry"
MODES = ("plain", "blocks", "pool", "code", "fragments", "first", "settling", "leaks", "slowly")
HELD, TAKEN = 40 << 20, 24 << 20
BLOCK, CODE = 64 << 10, 16 << 20
LEAK = {"leaks": 1 << 20, "slowly": 32 << 10}


def touched(size):
    """Memory in which each page was written to."""
    found = numpy.empty(size, numpy.uint8)
    found[:: mmap.PAGESIZE] = 1
    return found


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        self.mode, self.pool, self.leaked, self.count = mode, [], [], 0

    def versions(self):
        return {}

    def build(self, graph, weights):
        self.real = graph["name"] != "trivial"
        self.held = touched(HELD) if self.real else None
        if (
            self.mode == "fragments" and self.real
        ):  # freed, but for the last: the heap cannot shrink
            self.last = [touched(BLOCK) for _ in range(HELD // BLOCK)][-1]

    def step(self, phase, x, y):
        return lambda: self.take(len(x) * TAKEN)

    def take(self, size):
        self.count += self.real
        if self.mode == "pool" and self.pool:
            return  # an allocator that keeps what was freed
        if self.mode == "blocks":
            taken = [touched(BLOCK) for _ in range(size // BLOCK)]
        elif self.mode == "first":  # as a compiler does
            taken = touched(size * (4 if self.count == 1 else 1))
        else:
            taken = touched(size)
        if self.mode == "pool" and self.real:
            self.pool.append(taken)
        if self.mode == "code" and self.count == 1:
            self.map_code()
        if self.mode in LEAK and self.real:
            self.leaked.append(touched(LEAK[self.mode]))
        if self.mode == "settling" and 1 < self.count < 4:
            self.leaked.append(touched(LEAK["leaks"]))

    def map_code(self):
        """Read a file through memory, as code that runs for the first time is: its pages count as
        resident, and are not the network's."""
        with tempfile.TemporaryFile() as file:
            file.write(b"x" * CODE)
            file.flush()
            self.code = mmap.mmap(file.fileno(), CODE, mmap.MAP_PRIVATE, mmap.PROT_READ)
        for place in range(0, CODE, mmap.PAGESIZE):
            self.code[place]

    def wait(self, result):
        pass
