"""Decisions that rounding may turn.

A ReLU near zero and two nearly equal entries of a pooling window are decided by rounding, and a
decision that falls the other way changes gradients by far more than rounding does. A tie function
gives what a backward needs with every such tie decided the other way; the difference bounds what
ties can do. `limit` says how near is a tie, for each entry or channel of the node's input x.

Equal maxima are no rounding: some frameworks give the gradient to each of them (EVERY). To them
nearly equal ones are all winners, where rounding makes them equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import ops
from bench.reference.activations import CORNERS, SLOPES
from bench.reference.operators import Array, padded, taps


def activation_ties(op: ops.Op, x: Array, y: Array, saved: Any, limit: Array) -> Any:
    """The slope on the other side of a corner, for what lies near it."""
    other: Array = saved
    for corner in CORNERS[op.kind]:
        across = SLOPES[op.kind](np.where(x > corner, corner - limit, corner + limit))
        other = np.where(np.abs(x - corner) < limit, across, other)
    return other


def maxpool_ties(op: ops.MaxPool, x: Array, y: Array, saved: Any, limit: Array) -> Any:
    """Another of the nearly largest entries wins in place of the first largest."""
    shape, first = saved
    wide, where = padded(x, op.pad, -np.inf), first.copy()
    for k, (rows, cols) in enumerate(taps(shape, op.kernel, op.stride)):
        where[(wide[..., rows, cols] > y - 2 * limit) & (first != k)] = k
    return shape, where


def every_maximum(op: ops.MaxPool, x: Array, y: Array, saved: Any, limit: Any = 0.0) -> Any:
    """Each of a window's equal (or nearly equal) maxima wins, and gets the whole gradient."""
    shape, _ = saved
    least, wide = y - 2 * limit, padded(x, op.pad, -np.inf)
    return shape, np.stack([wide[..., r, c] >= least for r, c in taps(shape, op.kernel, op.stride)])


TIES: dict[str, Callable[[Any, Array, Array, Any, Array], Any]] = {
    **dict.fromkeys(CORNERS, activation_ties),
    ops.MaxPool.kind: maxpool_ties,
}
EVERY: dict[str, Callable[..., Any]] = {ops.MaxPool.kind: every_maximum}
