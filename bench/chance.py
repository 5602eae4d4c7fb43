"""Dropout and stochastic depth at their rates: chance has a share, a scale, and no memory.

All other checks run at rate 0, where a program computes what the referee does. Here a network is
an operator of chance behind a convolution that changes nothing, and a dense layer of zeros. All
logits are then zero and the gradient of each is known, so that the gradient of the dense layer's
weights tells what it was given: the equations have one solution where there are more classes than
images and each image is of a class of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from scipy.stats import binom

from bench import reference, weights
from bench.client import Failure
from bench.graph import Graph, Tensor, build
from bench.ops import Dropout, StochasticDepth
from bench.parity import LOSS_FLOOR, Checker, Verdict, compare, expected
from bench.reference import Array, Arrays

SHAPE = (3, 7, 11)  # C, H, W
BATCH = 64
CALLS = 4  # for stochastic depth has one decision for an image
ALARM = 1e-9  # probability that a correct program is refused, of each comparison
NEAR = 1e-3  # of what is kept, relative: rounding is far below, a wrong scale far above

CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "chance_of_values": lambda x: x.dropout(0.3),
    "chance_of_vectors": lambda x: x.flatten().dropout(0.6),
    "chance_of_images": lambda x: x.stochastic_depth(0.3).add(x),
}


def case(name: str) -> Graph:
    """The network around one operator of chance."""

    def around(x: Tensor) -> Tensor:
        y = CASES[name](x.conv(SHAPE[0], 1, bias=False))
        return (y.flatten() if len(y.shape) == 3 else y).dense(BATCH + 1)

    return build(around, name, SHAPE)


@dataclass(frozen=True)
class Finding:
    """What one operator did in some calls: by what each value was multiplied."""

    rate: float
    whole: bool  # images are dropped, not values
    factors: Array  # (calls, images, channels, values of a channel)

    def wrong(self) -> str:
        """What cannot be by chance, or nothing."""
        scaled = self.factors * (1 - self.rate)
        kept = scaled > 0.5 * (1 - self.rate)
        off = np.abs(np.where(kept, scaled - 1, scaled))
        if not off.max() < NEAR:
            typical = float(np.median(self.factors[kept])) if kept.any() else 0.0
            return f"what is kept is multiplied by {typical:.4g}, not by {1 / (1 - self.rate):.4g}"
        if self.whole:
            if not (kept == kept[:, :, :1, :1]).all():
                return "images are dropped in part"
            kept = kept[:, :, :1, :1]
        return self.unlikely(~kept)

    def unlikely(self, dropped: Array) -> str:
        """Whether shares or repetitions are those of chance."""
        share, count = dropped.mean(), dropped.size
        if not self.whole and 0 < share < 1 and (dropped == dropped[..., :1]).all():
            return "whole channels are dropped, not values"
        if not within(dropped.sum(), count, self.rate):
            return f"a share of {share:.3f} of {count} is dropped, the rate is {self.rate}"
        if (dropped[1:] == dropped[:1]).all(axis=(1, 2, 3)).any():
            return "the same is dropped in each call"
        if not within(dropped.sum(-1), dropped.shape[-1], self.rate):
            return "values of a channel are dropped together more often than by chance"
        return ""


def within(found: Array, count: int, rate: float) -> bool:
    """Whether numbers of `count` are within the binomial distribution's bounds."""
    low, high = binom.ppf([ALARM / 2, 1 - ALARM / 2], count, rate)
    return bool(np.all((low <= found) & (found <= high)))


class Chance:
    """The network around an operator of chance, and what is expected of it."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.image = graph, "x".join(map(str, graph.input))
        random = np.random.default_rng(0)
        self.x = random.uniform(1, 2, (BATCH, *graph.input)).astype(np.float32)
        self.y = np.arange(BATCH)
        kernel, self.dense = f"{graph.nodes[0].name}/weight", f"{graph.nodes[-1].name}/weight"
        same = np.eye(graph.input[0], dtype=np.float32)[:, :, None, None]
        self.weights: Arrays = weights.weights(graph) | {kernel: same}

    def logits(self, dtype: Any) -> Array:
        """In evaluation mode, where chance is left out."""
        return reference.run(self.graph, self.weights, self.x, dtype=dtype).logits

    def zeroed(self) -> Chance:
        """The same with a dense layer of zeros, to be trained."""
        other, dense = copy(self), self.graph.nodes[-1]
        zeros = {f"{dense.name}/{w}": np.zeros(s, np.float32) for w, s in dense.weights.items()}
        other.weights = self.weights | zeros
        return other

    def finding(self, gradients: Sequence[Array]) -> Finding:
        """From the gradients of the dense layer's weights, one for each call."""
        op = next(node.op for node in self.graph.nodes if isinstance(node.op, Dropout))
        _, slopes = reference.cross_entropy(np.zeros((BATCH, BATCH + 1)), self.y)
        given = [np.linalg.lstsq(slopes.T, g.astype(np.float64), rcond=None)[0] for g in gradients]
        factors = np.stack(given) / self.x.reshape(BATCH, -1)
        whole = isinstance(op, StochasticDepth)
        shape = (len(gradients), BATCH, SHAPE[0], prod(SHAPE[1:]))
        return Finding(op.rate, whole, factors.reshape(shape) - whole)  # whole: added to x


# -- a worker is asked -----------------------------------------------------------------------------


def examine(checker: Checker, chance: Chance) -> list[Verdict]:
    """Verdicts in inference, where nothing is left to chance, in training, in a pass without a
    backward one, and in a whole step."""
    found = []
    for ask in (inference, training, forward, step):
        phase = ask.__name__
        try:
            result = ask(checker, chance)
        except Failure as failure:
            found.append(checker.failed(chance, phase, failure))
            continue
        found.append(checker.verdict(chance, phase, result))
    return found


def inference(checker: Checker, chance: Chance) -> dict[str, Any]:
    count = checker.build(chance)
    found = checker.inference()
    wanted = expected(chance.logits(np.float64), chance.logits(np.float32))
    return compare(found, {"logits": wanted}) | {"parameters": count}


def training(checker: Checker, chance: Chance) -> dict[str, Any]:
    count = checker.build(chance.zeroed())
    # later calls of one function: a new function may well begin with the same random numbers
    gradients = [checker.training(calls)[chance.dense] for calls in range(1, CALLS + 1)]
    return judged(chance.finding(gradients)) | {"parameters": count}


def forward(checker: Checker, chance: Chance) -> dict[str, Any]:
    """The loss alone, which is by chance too."""
    count = checker.build(chance)
    losses = [float(checker.forward(calls)["loss"]) for calls in range(1, CALLS + 1)]
    return fixed(losses) | {"parameters": count}


def step(checker: Checker, chance: Chance) -> dict[str, Any]:
    """From zeros a step moves parameters by the gradient times the learning rate."""
    count = checker.build(chance.zeroed())
    moved = checker.stepped(1)[chance.dense] / -chance.graph.learning_rate
    return judged(chance.finding([moved])) | {"parameters": count}


def judged(finding: Finding) -> dict[str, Any]:
    return row(finding.wrong())


def fixed(losses: Sequence[float]) -> dict[str, Any]:
    """Whether the losses of some calls are one number, but for rounding: as in evaluation mode."""
    if np.ptp(losses) > LOSS_FLOOR * np.abs(losses).max():
        return row("")
    return row(f"the loss is {losses[0]:.6g} in each call: nothing is left to chance")


def row(reason: str) -> dict[str, Any]:
    return {"status": "wrong" if reason else "ok", "reason": reason}
