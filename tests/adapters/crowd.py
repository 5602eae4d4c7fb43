"""The toy framework, which uses more processors than it was given: threads or a process of its own
free themselves of the affinity that they inherited, and compute without end."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import toy

NAME = "crowd"
MODES = ("honest", "threads", "process")
BLOCK = bytes(1 << 20)
BUSY = "import os; os.sched_setaffinity(0, range(os.cpu_count()))\nwhile True: pass"


def free():
    os.sched_setaffinity(0, range(os.cpu_count()))
    while True:
        hashlib.sha256(BLOCK)  # without Python's lock


class Adapter(toy.Adapter):
    def __init__(self, mode, device, precision, threads):
        super().__init__(mode, device, precision, threads)
        for _ in range(3 if mode == "threads" else 0):
            threading.Thread(target=free, daemon=True).start()
        for _ in range(3 if mode == "process" else 0):
            subprocess.Popen([sys.executable, "-c", BUSY])
