"""What a statement expects of a figure, and how likely what was found is if it were otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isfinite, log

from bench import stats
from bench.claims.words import Message
from bench.stats import Estimate

EXPECTATIONS = ("less", "not more", "more", "not less", "equal")
ALONE = "{value} comes from one replicate alone: at least 3 {replicate}"
HOPELESS = 1000  # times as many replicates: nobody takes them


@dataclass(frozen=True)
class Expectation:
    """On which side of `bound` a statement puts a figure; `margin` is what makes no difference.

    With a bound of 1 and a margin of 0.05: less is below 0.95, not more up to 1.05, more above
    1.05, not less from 0.95, equal from 0.95 to 1.05."""

    expect: str
    bound: float = 1.0
    margin: float = 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest figure that is as expected."""
        slack = self.margin * abs(self.bound)
        low, high = self.bound - slack, self.bound + slack
        ends = {"less": (-inf, low), "not more": (-inf, high), "more": (high, inf),
                "not less": (low, inf), "equal": (low, high)}  # fmt: skip
        return ends[self.expect]

    def inside(self, value: float) -> bool:
        """Whether an exact figure is as expected: less and more do not allow the limit itself."""
        low, high = self.limits
        if self.expect in ("less", "more"):
            return low < value < high
        return low <= value <= high

    def chance(self, found: Estimate) -> float:
        """Of a figure so far from the limit on its side, or further, if it were on the other: two
        sided, so that at 1 - LEVEL it agrees with the interval's lying on one side."""
        low, high = self.limits
        above = found.beyond(low) if isfinite(low) else 0.0
        below = stats.inverse(found).beyond(1 / high) if isfinite(high) else 0.0
        if self.inside(found.value):
            return min(1.0, 2 * max(above, below))
        return min(1.0, 2 * (1 - max(above, below)))

    def wanting(self, found: Estimate, replicate: str) -> str:
        """What would decide it, in words."""
        value, low, high = (f"{v:.3g}" for v in (found.value, found.low, found.high))
        if found.freedom <= 0:
            return Message(ALONE, value=value, replicate=replicate)
        limits = [limit for limit in self.limits if isfinite(limit)]
        gap = min(abs(log(found.value / limit)) for limit in limits)
        times = ceil((log(found.high / found.value) / gap) ** 2) if gap else HOPELESS
        more = "about {times} times as many" if times < HOPELESS else "very many more"
        return Message(
            f"{{value}} is not told from the limit of {{limit}}: "
            f"{more if times > 1 else 'some more'} {{replicate}}",
            value=Message("{value} ({low} to {high})", value=value, low=low, high=high),
            limit=self.words, times=times, replicate=replicate,
        )  # fmt: skip

    @property
    def words(self) -> str:
        """The limits in words."""
        low, high = self.limits
        if isfinite(low) and isfinite(high) and low != high:
            return Message("{low} to {high}", low=f"{low:.6g}", high=f"{high:.6g}")
        signs = {"less": "< ", "not more": "<= ", "more": "> ", "not less": ">= ", "equal": ""}
        return f"{signs[self.expect]}{low if isfinite(low) else high:.6g}"
