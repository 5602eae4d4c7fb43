"""The toy framework with a habit that shows in a race: the one that CONVMARK_FAILURE names."""

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import toy

NAME = "racers"
MODES = toy.MODES


class Spinner(toy.Adapter):
    """Its idle thread pool spins."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        threading.Thread(target=self.spin, daemon=True).start()

    def spin(self):
        while True:
            pass


class Mortal(toy.Adapter):
    """Dies in its hundredth step."""

    left = 100

    def step(self, phase, x, y):
        step = super().step(phase, x, y)

        def mortal():
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), 9)
            return step()

        return mortal


class Stumbling(toy.Adapter):
    """A step of 1 ms, and each fifth one of 50."""

    taken = 0

    def step(self, phase, x, y):
        def stumbling():
            self.taken += 1
            time.sleep(0.001 if self.taken % 5 else 0.05)

        return stumbling


HABITS = {c.__name__.lower(): c for c in (Spinner, Mortal, Stumbling)}
Adapter = HABITS[os.environ["CONVMARK_FAILURE"]]
