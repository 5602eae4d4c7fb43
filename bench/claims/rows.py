"""Comparisons, and their means."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, log
from typing import Any

import numpy as np

from bench import stats
from bench.stats import Estimate


@dataclass(frozen=True)
class Row:
    """One comparison: where it was made, what it came to in each replicate, and whether that is as
    the statement expects. Rows of one `unit` share their replicates; those of two are independent.
    """

    where: dict[str, Any]
    found: Estimate
    values: Mapping[Hashable, float] = field(default_factory=dict)
    unit: Hashable = ""
    holds: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def measured(
    where: dict[str, Any], values: Mapping[Any, float], unit: Hashable = "", **detail: Any
) -> Row:
    """A comparison from its replicates."""
    return Row(where, of_replicates(values.values()), values, unit, detail=detail)


def of_replicates(values: Iterable[float]) -> Estimate:
    return stats.estimate({(number, 0): value for number, value in enumerate(values)})


def exact(value: float) -> Estimate:
    """A figure that is counted, not measured."""
    return Estimate(value, 0.0, inf)


def joint(rows: Sequence[Row]) -> Estimate:
    """The geometric mean of rows, by replicate and then over units: what a replicate does to all
    rows of its unit (as a slow process of the one whom all are compared with) is counted once."""
    units: dict[Hashable, list[Row]] = {}
    for row in rows:
        units.setdefault(row.unit, []).append(row)
    return stats.geometric([of_unit(same) for same in units.values()])


def of_unit(rows: Sequence[Row]) -> Estimate:
    """Of rows of one unit: from the replicates that take part in most rows, so that they speak of
    the same."""
    taking: dict[Hashable, list[float]] = {}
    for row in rows:
        for key, value in row.values.items():
            taking.setdefault(key, []).append(log(value))
    most = max(map(len, taking.values()))
    return of_replicates(exp(np.mean(logs)) for logs in taking.values() if len(logs) == most)


def overall(rows: Sequence[Row]) -> list[Row]:
    """The mean of all rows, if there are any."""
    return [Row({}, joint(rows))] if rows else []


def means(rows: Sequence[Row]) -> list[Row]:
    """The means of rows with the same value of a key that varies; keys that part the rows in the
    same way, as contenders that have a rival each, are one."""
    found, known = [], set()
    for key in dict.fromkeys(key for row in rows for key in row.where):
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.where.get(key), []).append(row)
        parts = frozenset(frozenset(map(id, group)) for group in groups.values())
        if len(groups) > 1 and parts not in known:
            known.add(parts)
            found += [Row({key: value}, joint(group)) for value, group in groups.items()]
    return found
