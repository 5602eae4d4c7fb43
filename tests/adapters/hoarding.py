"""The honest toy, with as many objects as a framework has; its source is how many of them Python
leaves out of its search for garbage."""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import toy

NAME, MODES = "hoarding", ("plain",)
OBJECTS = [[] for _ in range(200_000)]


class Adapter(toy.Adapter):
    def source(self):
        return str(gc.get_freeze_count())
