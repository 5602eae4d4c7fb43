"""Activation functions of the referee: value and slope of each, elementwise.

The backward is the slope at the input times the gradient; the slope is what the forward keeps.
Where the slope jumps there can be ties: see `ties.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import ops
from bench.reference.operators import Array, Arrays, At, backward, forward

Function = Callable[[Array], Array]


def expit(x: Array) -> Array:
    """The logistic function. SciPy is imported by who needs it: that takes longer than NumPy."""
    from scipy import special

    found: Array = special.expit(x)
    return found


KINDS = (ops.Relu, ops.Relu6, ops.Sigmoid, ops.HardSigmoid, ops.Swish, ops.HardSwish)
VALUES: dict[str, Function] = {
    ops.Relu.kind: lambda x: np.maximum(x, 0),
    ops.Relu6.kind: lambda x: np.clip(x, 0, 6),
    ops.Sigmoid.kind: expit,
    ops.HardSigmoid.kind: lambda x: np.clip(x + 3, 0, 6) / 6,
    ops.Swish.kind: lambda x: x * expit(x),
    ops.HardSwish.kind: lambda x: x * np.clip(x + 3, 0, 6) / 6,
}
SLOPES: dict[str, Function] = {
    ops.Relu.kind: lambda x: x > 0,
    ops.Relu6.kind: lambda x: (x > 0) & (x < 6),
    ops.Sigmoid.kind: lambda x: expit(x) * expit(-x),
    ops.HardSigmoid.kind: lambda x: ((x > -3) & (x < 3)) / x.dtype.type(6),
    ops.Swish.kind: lambda x: expit(x) * (1 + x * expit(-x)),
    ops.HardSwish.kind: lambda x: np.where(x < -3, 0, np.where(x < 3, (2 * x + 3) / 6, 1)).astype(
        x.dtype
    ),
}
CORNERS = {  # where the slope jumps
    ops.Relu.kind: (0.0,),
    ops.Relu6.kind: (0.0, 6.0),
    ops.HardSigmoid.kind: (-3.0, 3.0),
    ops.HardSwish.kind: (-3.0, 3.0),
}


@forward(*KINDS)
def activation(op: ops.Op, at: At) -> tuple[Array, Any]:
    return VALUES[op.kind](at.x), SLOPES[op.kind](at.x)


@backward(*KINDS)
def activation_backward(op: ops.Op, saved: Any, dy: Array) -> tuple[list[Array], Arrays]:
    return [dy * saved], {}
