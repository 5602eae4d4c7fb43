"""Who measures when, and for how long.

A turn is one process: a contender with one network and batch, in one round, all phases. The rounds
follow each other; in a round the networks and, for each network, the contenders come in an order
drawn anew, so that no contender always meets the machine in the same state. Each turn has its share
of the budget for each phase; a contender whose single step is longer takes at least one sample.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bench.cases import Contender, Plan

MEMORY = -1  # the round in which memory is weighed
WARMUP = 1 / 3  # of a share at most; first calls (compilation) are not counted against it
SHORTEST = 0.005  # seconds that a sample lasts at least: far above the clock's resolution
MOST = 1000  # samples in a block


@dataclass(frozen=True)
class Turn:
    """One process: a contender on a network, in a round."""

    round: int
    model: str
    batch: int
    contender: Contender

    @property
    def weighs(self) -> bool:
        """Whether memory is measured rather than time."""
        return self.round == MEMORY


def turns(plan: Plan) -> Iterator[Turn]:
    """All turns of a run, in the order in which they are taken; the same for the same seed."""
    order = random.Random(plan.seed)
    for round_ in [MEMORY, *range(plan.rounds)]:
        networks = [(model, batch) for model in plan.models for batch in plan.batches]
        order.shuffle(networks)
        for model, batch in networks:
            contenders = list(plan.contenders)
            order.shuffle(contenders)
            for contender in contenders:
                yield Turn(round_, model, batch, contender)
