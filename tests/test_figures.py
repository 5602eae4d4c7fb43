"""Figures as people read them."""

from __future__ import annotations

from math import inf, nan

import pytest

from bench.figures import significant


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (0.2644, 3, "0.264"), (19.06, 3, "19.1"), (3273.4, 3, "3,273"), (14132.6, 4, "14,133"),
        (0.000542, 3, "0.000542"), (0.5, 3, "0.500"), (-19.06, 2, "-19"), (0.0, 3, "0"),
        (None, 3, ""), (nan, 3, ""), (inf, 3, ""),
    ],
)  # fmt: skip
def test_significant_digits_without_an_exponent(
    value: float | None, digits: int, said: str
) -> None:
    assert significant(value, digits) == said
