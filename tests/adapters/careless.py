"""The toy framework, which does something else than asked: its mode says what."""

import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).parent))

import toy

NAME = "careless"
MODES = ("plain", "tf32", "bf16", "fp16", "dense_tf32", "conv_bf16", "moves", "shares")
KEPT = {"tf32": 10, "dense_tf32": 10, "bf16": 7, "conv_bf16": 7}


def rounded(values, bits):
    """float32 with so many bits of mantissa, to nearest."""
    whole = numpy.ascontiguousarray(values, numpy.float32).view(numpy.uint32).astype(numpy.uint64)
    cut = 23 - bits
    return ((whole + (1 << (cut - 1))) >> cut << cut).astype(numpy.uint32).view(numpy.float32)


class Adapter(toy.Adapter):
    def lossy(self, values):
        if self.mode == "fp16":
            return values.astype(numpy.float16).astype(numpy.float32)
        return rounded(values, KEPT[self.mode]) if self.mode in KEPT else values

    def infer(self, x):
        whole, kind = self.weights, self.mode.partition("_")[0]
        chosen = {key for key in whole if kind not in ("dense", "conv") or key.startswith(kind)}
        self.weights = {k: self.lossy(v) if k in chosen else v for k, v in whole.items()}
        try:
            return super().infer(x if chosen != set(whole) else self.lossy(x))
        finally:
            self.weights = whole

    def step(self, phase, x, y):
        if self.mode == "moves":
            return lambda: super(Adapter, self).step(phase, x.copy(), y.copy())()
        if self.mode == "shares":
            return super().step(phase, x, y)  # as a framework that uses NumPy's memory
        return super().step(phase, x.copy(), y.copy())
