"""Training is the same too: the losses of some steps of SGD with momentum on real images.

A curve is compared with the referee's, step by step. Rounding grows along a training run as
decisions of ReLU and pooling turn, so the bound of a step is MARGIN times the largest error that
the float32 twin has shown up to then, and at least FLOOR of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from bench import digits, reference, weights
from bench.graph import Graph
from bench.reference import Array

MODELS = ("lenet5", "resnet20")
STEPS, BATCH, LEARNING_RATE = 20, 16, 0.003
MARGIN = 10.0
FLOOR = 1e-4


class Curve:
    """The losses that a network should have, step by step; with `every` those of a program whose
    max pooling gives the gradient to each of equal maxima, which the background of a digit has."""

    def __init__(self, graph: Graph, steps: int = STEPS, every: bool = False) -> None:
        self.every = every
        self.graph = replace(graph.without_dropout(), learning_rate=LEARNING_RATE)
        self.image = "x".join(map(str, graph.input))
        self.weights = weights.weights(self.graph)
        self.x, self.y = digits.batches(graph.input, steps, BATCH)

    @cached_property
    def true(self) -> Array:
        """In float64."""
        return np.array(self.descend(np.float64))

    @cached_property
    def bound(self) -> Array:
        """How far each loss may be off."""
        error = np.abs(np.array(self.descend(np.float32)) - self.true)
        return np.maximum(MARGIN * np.maximum.accumulate(error), FLOOR * np.abs(self.true))

    def descend(self, dtype: Any) -> list[float]:
        """The loss before each step, in one precision."""
        batches = zip(self.x, self.y, strict=True)
        return reference.descend(self.graph, self.weights, batches, dtype, every=self.every)[0]

    def compare(self, losses: Sequence[float]) -> dict[str, Any]:
        """Status, reason, and the step that comes nearest to its bound, or passes it furthest."""
        error = np.abs(np.array(losses) - self.true)
        error[~np.isfinite(error)] = np.inf
        worst = int(np.argmax(error / self.bound))
        scale = abs(self.true[worst])
        row = {
            "worst_error": float(error[worst] / scale),
            "worst_tensor": f"loss of step {worst + 1}",
            "bound": float(self.bound[worst] / scale),
        }
        if error[worst] <= self.bound[worst]:
            return row | {"status": "ok"}
        late = int(np.argmax(error > self.bound)) + 1
        reason = f"the loss is {losses[late - 1]:.6g} in step {late}, the referee's is "
        return row | {"status": "wrong", "reason": reason + f"{self.true[late - 1]:.6g}"}
