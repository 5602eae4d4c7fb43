"""From comparisons to a verdict. Nobody decides by hand: these few functions do, for every rule.

A row is one comparison with its interval. It holds where the whole interval lies on the side that
the statement expects, it fails where the whole interval lies on the other, and else it is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from bench.stats import Estimate

CONFIRMED, REFUTED, MIXED, UNDECIDED = "CONFIRMED", "REFUTED", "MIXED", "UNDECIDED"
VERDICTS = (CONFIRMED, REFUTED, MIXED, UNDECIDED)
EXPECTATIONS = ("less", "not more", "more", "not less", "equal")


@dataclass(frozen=True)
class Expectation:
    """On which side of `bound` a statement puts a figure; `margin` is what makes no difference.

    With a bound of 1 and a margin of 0.05: less is below 0.95, not more below 1.05, more above
    1.05, not less above 0.95, equal from 0.95 to 1.05."""

    expect: str
    bound: float = 1.0
    margin: float = 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest figure that is as expected."""
        slack = self.margin * abs(self.bound)
        low, high = self.bound - slack, self.bound + slack
        ends = {"less": (None, low), "not more": (None, high), "more": (high, None),
                "not less": (low, None), "equal": (low, high)}  # fmt: skip
        first, last = ends[self.expect]
        return (
            float("-inf") if first is None else first,
            float("inf") if last is None else last,
        )

    def holds(self, found: Estimate) -> bool | None:
        """True or False where the whole interval says so, else None."""
        low, high = self.limits
        if not all(map(isfinite, (found.value, found.low, found.high))):
            return None
        if low <= found.low and found.high <= high and self.strict(found):
            return True
        return False if found.high < low or found.low > high or not self.strict(found) else None

    def strict(self, found: Estimate) -> bool:
        """Without a margin, less and more do not allow the bound itself."""
        at_bound = found.low == found.high == self.bound
        return not (at_bound and not self.margin and self.expect in ("less", "more"))

    def wanting(self, found: Estimate) -> float:
        """How many times narrower the interval must be, for a figure that stays, to be decided."""
        gaps = [abs(found.value - limit) for limit in self.limits if isfinite(limit)]
        width = max(found.high - found.value, found.value - found.low)
        return width / min(gaps) if min(gaps) > 0 else float("inf")

    def __str__(self) -> str:
        low, high = self.limits
        if isfinite(low) and isfinite(high):
            return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
        sign = {"less": "<", "not more": "<=", "more": ">", "not less": ">="}[self.expect]
        return f"{sign} {low if isfinite(low) else high:.6g}"


@dataclass(frozen=True)
class Row:
    """One comparison: where it was made, the figure, and whether it is as the statement expects."""

    where: dict[str, Any]
    found: Estimate
    holds: bool | None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What one test of a claim came to: its figure in words, over all rows, and the rows."""

    verdict: str
    metric: str
    effect: Estimate | None
    rows: tuple[Row, ...] = ()
    missing: tuple[str, ...] = ()


def exact(value: float) -> Estimate:
    """A figure that is counted, not measured."""
    return Estimate(value, value, value)


def found(
    metric: str,
    rows: Sequence[Row],
    expected: Expectation,
    effect: Estimate | None = None,
    missing: Sequence[str] = (),
) -> Finding:
    """The finding from its rows. `effect` is the figure over all of them, where there is one."""
    overall = expected.holds(effect) if effect else unanimous(row.holds for row in rows)
    verdict = decide([row.holds for row in rows], overall, bool(missing))
    lacks = [*missing, *(lacking(rows, effect, expected) if verdict == UNDECIDED else ())]
    return Finding(verdict, f"{metric}, expected {expected}", effect, tuple(rows), tuple(lacks))


def unanimous(signs: Iterable[bool | None]) -> bool | None:
    """What all rows say; None where one is open or there is none."""
    seen = set(signs)
    return seen.pop() if len(seen) == 1 else None


def decide(signs: Sequence[bool | None], overall: bool | None, incomplete: bool) -> str:
    """MIXED where some comparisons hold and others fail. Else CONFIRMED or REFUTED where the figure
    over all of them says so, no row contradicts, and nothing that the statement speaks of is
    missing. Else UNDECIDED."""
    seen = {*signs, overall} - {None}
    if seen == {True, False}:
        return MIXED
    if overall is None or incomplete or not signs:
        return UNDECIDED
    return CONFIRMED if overall else REFUTED


def lacking(rows: Sequence[Row], effect: Estimate | None, expected: Expectation) -> Iterable[str]:
    """What would decide it, where comparisons were made."""
    if effect is None:
        undecided = [row for row in rows if row.holds is None]
        if rows and undecided:
            more = "more replicates (--rounds of a run, --seeds of training)"
            yield f"{len(undecided)} of {len(rows)} comparisons are open: {more}"
    elif expected.holds(effect) is None:
        times = expected.wanting(effect)
        more = f"{times:.1f} times narrower" if times < 100 else "much narrower"
        yield (
            f"the interval {effect.low:.3g} to {effect.high:.3g} reaches over the limit of "
            f"{expected}: it must be {more}, so more replicates (--rounds of a run, --seeds of "
            f"training), or a quieter machine"
        )


def combine(verdicts: Sequence[str]) -> str:
    """The verdict on a statement from those on its parts: theirs, where they agree; MIXED where one
    part is confirmed and another refuted; else what is not known leaves it UNDECIDED."""
    seen = set(verdicts)
    if len(seen) == 1:
        return seen.pop()
    if MIXED in seen or {CONFIRMED, REFUTED} <= seen:
        return MIXED
    return UNDECIDED
