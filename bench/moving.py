"""The statistics that batch normalisation keeps for evaluation: does training move them?

How fast they move is each framework's own choice (the weight of a batch is 0.1, 0.01 or less, the
variance may be divided by n or n - 1), so they cannot be compared after a few steps, and no adapter
need tell them. But after many steps on one batch, at a learning rate that moves nothing else, any
of these leaves them at that batch's own: evaluation then gives what training does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench import reference, weights
from bench.client import Failure
from bench.graph import Graph, Tensor, build
from bench.parity import Checker, Verdict
from bench.reference import Array, rms

NAME = "moving_statistics"
BATCH = 4
STEPS = 1500  # 0.99 to that power is 3e-7
STILL = 1e-12  # a learning rate at which no parameter moves in float32
NEAR = 0.02  # of the way from the stored statistics to the batch's: n or n - 1 is far less


def around(x: Tensor) -> Tensor:
    return x.conv(6, 1, bias=False).batchnorm(1e-3).relu().flatten().dense(5)


def case() -> Graph:
    return replace(build(around, NAME, (3, 7, 11)), learning_rate=STILL)


class Moving:
    """The network, and its logits with the stored statistics and with those of the batch."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.image = graph, "x".join(map(str, graph.input))
        self.weights = weights.weights(graph)
        x, self.y = weights.batch(graph, BATCH)
        self.x = 3 * x + 1  # the stored statistics are those of other pictures

    def logits(self, training: bool) -> Array:
        return reference.run(self.graph, self.weights, self.x, training=training).logits

    def judged(self, found: Array) -> dict[str, Any]:
        """How far the logits are from where they should have moved to, by the whole way."""
        before, after = self.logits(False), self.logits(True)
        left = rms(found - after) / rms(before - after)
        row = {"worst_error": left, "bound": NEAR, "worst_tensor": "logits"}
        if left <= NEAR:
            return row | {"status": "ok"}
        reason = f"after {STEPS} steps on one batch, evaluation is {left:.2g} of the way from it"
        return row | {"status": "wrong", "reason": f"{reason}: the statistics are not the batch's"}


def examine(checker: Checker, moving: Moving) -> list[Verdict]:
    """One verdict, after whole training steps."""
    try:
        count = checker.build(moving)
        checker.stepped(STEPS)
        found = checker.inference()["logits"]
    except Failure as failure:
        return [checker.failed(moving, "step", failure)]
    return [checker.verdict(moving, "step", moving.judged(found) | {"parameters": count})]
