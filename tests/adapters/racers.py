"""The toy framework with a habit that shows in a race: the one that CONVMARK_FAILURE names."""

import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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


class Hasty(toy.Adapter):
    """Does not wait for what its steps have begun."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.pool = ThreadPoolExecutor(1)

    def step(self, phase, x, y):
        step = super().step(phase, x, y)
        return lambda: self.pool.submit(lambda: (time.sleep(0.002), step())[1])

    def logits(self, x):
        return self.step("inference", x, None)().result()

    def loss(self, x, y):
        return self.step("forward", x, y)().result()[0]

    def gradients(self, x, y):
        return self.step("train", x, y)().result()


class Tiring(toy.Adapter):
    """Becomes slower: after two seconds a step takes twice as long, on any machine."""

    def step(self, phase, x, y):
        step, begin = super().step(phase, x, y), time.monotonic()

        def tiring():
            start = time.monotonic()
            result = step()
            time.sleep((time.monotonic() - start) * (start - begin) / 2)
            return result

        return tiring


class Fickle(toy.Adapter):
    """Its steps take one of two times."""

    def step(self, phase, x, y):
        step = super().step(phase, x, y)

        def fickle():
            for _ in range(random.choice((3, 30))):
                result = step()
            return result

        return fickle


class Remembering(toy.Adapter):
    """Computes once, and gives that again."""

    def step(self, phase, x, y):
        found = super().step(phase, x, y)()
        return lambda: found


HABITS = {c.__name__.lower(): c for c in toy.Adapter.__subclasses__()}
Adapter = HABITS[os.environ["CONVMARK_FAILURE"]]
