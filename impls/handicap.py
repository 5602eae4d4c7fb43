# Python 3.6 syntax, standard library and numpy only.
"""A framework that is slower than it is by a known share: what `bench selftest` must find.

The adapter in CONVMARK_REAL, each of whose steps is followed by idle work that lasts the share in
CONVMARK_HANDICAP of the step. With a share of zero its steps are its own.
"""

import importlib.util
import os
import sys
import time

spec = importlib.util.spec_from_file_location("convmark_real", os.environ["CONVMARK_REAL"])
real = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = real
spec.loader.exec_module(real)
NAME, MODES = real.NAME, real.MODES
SHARE = float(os.environ["CONVMARK_HANDICAP"])


class Adapter(real.Adapter):
    def step(self, phase, x, y):
        step, wait, clock = super(Adapter, self).step(phase, x, y), self.wait, time.perf_counter
        if not SHARE:
            return step

        def handicapped():
            start = clock()
            result = step()
            wait(result)
            end = clock()
            end += SHARE * (end - start)
            while clock() < end:
                pass
            return result

        return handicapped
