"""Contenders whose truth is known: copies of one framework, some slower by a known share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from bench.cases import Contender
from bench.entrants import Entrant

HANDICAP = Path(__file__).resolve().parents[2] / "impls" / "handicap.py"


@dataclass(frozen=True)
class Handicapped(Entrant):
    """An entrant whose steps last longer by a share of themselves: see impls/handicap.py."""

    share: float = 0.0

    @property
    def adapter(self) -> Path:
        return HANDICAP

    def variables(self, threads: int) -> dict[str, str]:
        known = {"CONVMARK_REAL": str(self.place.adapter), "CONVMARK_HANDICAP": str(self.share)}
        return super().variables(threads) | known


def handicapped(entrant: Entrant, share: float) -> Handicapped:
    """The same, slower."""
    return Handicapped(**{f.name: getattr(entrant, f.name) for f in fields(entrant)}, share=share)


def label(entrant: Entrant, share: float, copy: int) -> Contender:
    """What a copy is called in the journal."""
    who = entrant.contender
    return Contender(who.framework, f"{who.mode} +{share:.0%} {copy}", who.tuned)


def share_of(mode: str) -> float:
    """The share in a label's mode."""
    return float(mode.split("+")[1].split("%")[0]) / 100


def copies(entrant: Entrant, equal: int, shares: tuple[float, ...]) -> dict[Contender, Entrant]:
    """So many equal ones, and one for each share."""
    wanted = [(0.0, number) for number in range(equal)] + [(share, 0) for share in shares]
    return {label(entrant, s, n): handicapped(entrant, s) for s, n in wanted}
