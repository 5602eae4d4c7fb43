"""Which of a machine's Pythons of one version runs Python quickest.

How an interpreter was compiled is part of the time of every framework that is called from Python,
and of every compiler that is written in it. Those of Debian and of uv were optimised by a profile
of real programs; those that pyenv compiles by default were not, and take half as long again.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

ALONE = Lock()
CLEARLY = 1.2  # times as fast: less may be noise, and then what came first is taken
TURNS = 5  # of each, alternating; the shortest counts
PROGRAM = """
import os, sys, sysconfig, time
class Node:
    def __init__(self, name, inputs):
        self.name, self.inputs = name, inputs
    def depth(self):
        return 1 + max((i.depth() for i in self.inputs), default=0)
start = time.process_time()
known = {}
for n in range(30000):
    node = Node("n%d" % (n % 97), known.get((n - 1) % 89, ())[:1])
    known[n % 89] = (node,) if isinstance(node, Node) and node.depth() > 50 else ()
    words = sorted([node.name, str(n)], key=len)
seconds = time.process_time() - start
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
print(seconds, int(os.path.exists(header)), os.path.realpath(sys.executable))
"""


@dataclass(frozen=True)
class Timed:
    """An interpreter: seconds of the program, whether C code can be compiled for it, which Theano
    and Inductor need, and the file that runs in the end."""

    seconds: float
    compiles: bool
    file: Path


def quickest(candidates: Iterable[Path]) -> Path | None:
    """The first of these, unless one with C headers is clearly faster; None where none runs.

    Two paths of one interpreter are one candidate. Takes about a second for the first who asks."""
    with ALONE:  # environments are built side by side
        return chosen(tuple(dict.fromkeys(candidates)))


@cache
def chosen(candidates: tuple[Path, ...]) -> Path | None:
    found: dict[Path, Path] = {}  # by the file that runs in the end
    able = set()
    for path in candidates:
        if answer := timed(path):
            first = found.setdefault(answer.file, path)
            able |= {first} if answer.compiles else set()
    paths = list(found.values())
    if len(paths) < 2:
        return paths[0] if paths else None
    times = shortest([paths[0], *(path for path in paths[1:] if path in able)])
    best = min(times, key=times.__getitem__)
    return best if times[paths[0]] > CLEARLY * times[best] else paths[0]


def shortest(paths: Sequence[Path]) -> dict[Path, float]:
    """Seconds of processor time that the program takes in each."""
    times = {path: float("inf") for path in paths}
    for _ in range(TURNS):
        for path in paths:
            if answer := timed(path):
                times[path] = min(times[path], answer.seconds)
    return times


def timed(python: Path) -> Timed | None:
    """What one run of the program tells; None where it does not run."""
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(
            [python, "-I", "-S", "-c", PROGRAM], capture_output=True, text=True, timeout=60,
            check=True, cwd="/",
        )  # fmt: skip
        seconds, compiles, path = done.stdout.strip().split(" ", 2)
        return Timed(float(seconds), compiles == "1", Path(path))
    return None
