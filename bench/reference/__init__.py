"""The referee: every operator in NumPy, forward and backward, and a network run with them.

No framework is its own judge. In float64 this gives the values that all frameworks are compared
with; in float32 the "twin", whose own rounding says how far apart two correct programs may lie.
`tests/test_reference.py` checks each backward against finite differences of its forward.

Arrays are (N, C, H, W) or (N, K). `FORWARD[kind](op, at)` gives the output and what the
backward needs, `BACKWARD[kind](op, saved, gradient)` the gradients of the inputs and weights.
"""

from bench.reference.network import Run, backpropagate, cross_entropy, descend, rms, run, train
from bench.reference.operators import BACKWARD, FORWARD, Array, Arrays, At, moments
from bench.reference.ties import EVERY, TIES

__all__ = [
    "BACKWARD", "EVERY", "FORWARD", "TIES", "Array", "Arrays", "At", "Run", "backpropagate",
    "cross_entropy", "descend", "moments", "rms", "run", "train",
]  # fmt: skip
