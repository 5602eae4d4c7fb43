"""Machines for tests: trees of /proc and /sys, and a neighbour that computes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.guard import counters

SPIN = "import sys; print(flush=True)\nwhile True: pass"
CPUS = "sys/devices/system/cpu/"
CPU0 = f"{CPUS}cpu0/"


@contextmanager
def spinning() -> Iterator[int]:
    """A process that computes without end, in a group of its own; its number."""
    command = [sys.executable, "-c", SPIN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.kill()


def machine(root: Path, **files: str) -> Path:
    """A tree below `root` with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    counters.groups.cache_clear()
    counters.each.cache_clear()
    return root
