"""Whether a contender kept to the threads that it was allowed.

Processor affinity enforces it (`client.processors`), each framework's own settings besides. What was
enforced is then verified, for an affinity can be reset: all threads of a process together cannot
have more processor seconds than the wall time times the processors they were on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOLERANCE = 0.05  # of the processors: the two clocks are read one after the other
SHORTEST = 0.02  # seconds; of a shorter block the clocks tell nothing


def parallelism(block: Mapping[str, Any]) -> float:
    """How many processors a block kept busy, on average: its `cpu` by its `wall`."""
    return float(block["cpu"] / block["wall"]) if block["wall"] else 0.0


def excess(block: Mapping[str, Any]) -> str:
    """What a block had beyond its `threads`, in words; empty for nothing."""
    allowed, loose = block["threads"], (block.get("seen") or {}).get("loose") or 0
    found = []
    if block["wall"] >= SHORTEST and parallelism(block) > allowed * (1 + TOLERANCE):
        found.append(f"used {parallelism(block):.2f} processors of {allowed} allowed")
    if loose:
        found.append(f"{loose} threads left the processors that they were bound to")
    return "; ".join(found)
