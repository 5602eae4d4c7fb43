"""Figures as people read them."""

from __future__ import annotations

from math import floor, isfinite, log10


def significant(value: float | None, digits: int = 3) -> str:
    """With so many significant digits at least, never with an exponent: 0.264, 19.1, 3,273; nothing
    where there is no figure."""
    if value is None or not isfinite(value):
        return ""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, digits - 1 - floor(log10(abs(value))))}f}"
