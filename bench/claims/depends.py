"""On what it depends: rows of evidence, grouped by what tells those that hold from those that fail.

Of everything that says where a comparison was made, that is taken which leaves the least entropy in
"holds or fails", as a decision tree would, each further value costing a little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scipy.stats import entropy

COST = 0.02  # bits for each value: else what is different in every row would tell best
KEYS = ("metric", "contender", "rival", "model", "phase", "batch", "device", "framework", "nodes")


def table(evidence: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each value of the key that tells best: how many hold, fail, are open; empty where
    no key has two values."""
    keys = [key for key in KEYS if len({row.get(key) for row in evidence}) > 1]
    if not keys:
        return []
    key = min(keys, key=lambda k: left(k, evidence))
    groups: dict[Any, Counter[str]] = {}
    for row in evidence:
        groups.setdefault(row.get(key), Counter())[sign(row)] += 1
    return [
        {"on": key, "value": value, **{s: count[s] for s in ("holds", "fails", "open")}}
        for value, count in sorted(groups.items(), key=lambda group: share(group[1]))
    ]


def sign(row: Mapping[str, Any]) -> str:
    return {True: "holds", False: "fails", None: "open"}[row["holds"]]


def share(count: Counter[str]) -> float:
    """Of the decided, those that fail: groups that hold come first."""
    decided = count["holds"] + count["fails"]
    return count["fails"] / decided if decided else 0.5


def left(key: str, evidence: Iterable[Mapping[str, Any]]) -> float:
    """Bits of "holds or fails" that are left when the key is known, and the cost of its values."""
    groups: dict[Any, Counter[str]] = {}
    for row in evidence:
        if row["holds"] is not None:
            groups.setdefault(row.get(key), Counter())[sign(row)] += 1
    total = sum(sum(count.values()) for count in groups.values())
    bits = sum(
        sum(count.values()) / total * float(entropy(list(count.values()), base=2))
        for count in groups.values()
    )
    return bits + COST * len(groups)
