"""What claims need measured, as the options of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from bench import cases, frameworks, session
from bench.claims.declare import Claim
from bench.claims.rule import Needs
from bench.errors import BenchError
from bench.session import Options

T = TypeVar("T")
TRAINING = 0.25  # of the budget, where networks are trained too


def options(claims: Sequence[Claim], given: Options) -> Options:
    """The options of a run for these claims: what they name, where the user says nothing.

    A run is contenders times cells, so it measures more than each claim needs. The budget is the
    profile's where none is given, without the share for training. Raises BenchError where they
    need no run."""
    needs = [need for claim in claims for need in claim.needs()]
    contenders = union(needs, lambda need: need.contenders)
    if not contenders:
        how = "bench train" if trained(claims) else "bench claims: they are counted"
        raise BenchError(f"{', '.join(c.id for c in claims)}: no stopwatch is needed: {how}")
    known = frameworks.discover()
    taken = {framework.name for framework in frameworks.select(given.framework, known)}
    others = [
        c.mode for c in contenders if c.framework in taken and c.mode != known[c.framework].modes[0]
    ]
    names = dict.fromkeys(contender.framework for contender in contenders)
    return replace(
        given,
        framework=",".join(names) if given.framework == "all" else given.framework,
        mode=given.mode or ",".join(dict.fromkeys(["default", *others])),
        model=given.model or listed(union(needs, lambda need: need.models)),
        phase=given.phase or listed(union(needs, lambda need: need.phases)),
        batch=given.batch or listed(union(needs, lambda need: need.batches)),
        untuned=given.untuned or any(not contender.tuned for contender in contenders),
        budget=f"{budget(given) - training_budget(claims, given)}s",
    )


def budget(given: Options) -> float:
    """Seconds, all together."""
    return cases.seconds(given.budget) if given.budget else session.profile(given).budget


def training_budget(claims: Iterable[Claim], given: Options) -> float:
    """Seconds of it for training."""
    return TRAINING * budget(given) if trained(claims) else 0.0


def trained(claims: Iterable[Claim]) -> list[str]:
    """The networks that must be trained for them."""
    return union([need for claim in claims for need in claim.needs()], lambda need: need.trained)


def union(needs: Iterable[Needs], part: Callable[[Needs], Iterable[T]]) -> list[T]:
    """What several tests need, each thing once."""
    return list(dict.fromkeys(thing for need in needs for thing in part(need)))


def listed(things: Iterable[object]) -> str | None:
    """As an option is written; None for nothing, so that the profile decides."""
    return ",".join(map(str, things)) or None
