"""Colours, shapes, type: one look for all charts, in light and in dark.

Colours are Okabe and Ito's, which the colour-blind tell apart, without yellow, which paper does not
show. Nothing is said by colour alone: shapes, dashes and words say it too.
"""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE = "#56B4E9", "#CC79A7"
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
          "triangle-left"]  # fmt: skip
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 2, 1, 2]]
LATIN = ("Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", "Arial", "DejaVu Sans")
INK = {False: "#1d2126", True: "#e9ebee"}
QUIET = {False: "#5d656e", True: "#a3abb5"}
FAINT = {False: "#b4bac1", True: "#5a626c"}
GRID = {False: "#e9ebee", True: "#2b3138"}
BAND = {False: "#eceef0", True: "#2a2f36"}
SCALE = ["#f3f8fc", "#d3e4f3", "#a3cae6", "#64a5d3", "#2f7dbb", "#0f579c", "#08306b"]


def family(chinese: str = "") -> str:
    """The fonts to choose from, as CSS has it."""
    return ", ".join([*LATIN, *filter(None, [chinese]), "sans-serif"])


def config(dark: bool = False, font: str = "") -> dict[str, Any]:
    """Vega-Lite's settings: everything that light and dark differ in, and nothing else has."""
    ink, quiet, faint, grid = INK[dark], QUIET[dark], FAINT[dark], GRID[dark]
    axis = {"labelColor": quiet, "titleColor": quiet, "gridColor": grid, "domainColor": faint,
            "tickColor": faint, "labelFontSize": 11, "titleFontSize": 11, "titlePadding": 8,
            "titleFontWeight": "normal"}  # fmt: skip
    return {
        "background": None if dark else "white",
        "font": font or family(),
        "padding": 14,
        "view": {"stroke": None},
        "axis": axis,
        "axisY": {"labelColor": ink, "labelFontSize": 12, "labelLimit": 220},
        "title": {"color": ink, "subtitleColor": quiet, "fontSize": 17, "fontWeight": 600,
                  "subtitleFontSize": 12, "subtitlePadding": 8, "subtitleLineHeight": 17,
                  "anchor": "start", "offset": 22},
        "header": {"labelColor": ink, "labelFontSize": 13, "labelFontWeight": 600,
                   "labelAnchor": "start", "labelPadding": 8, "labelLimit": 420,
                   "titleColor": quiet},
        "legend": {"labelColor": ink, "titleColor": quiet, "labelFontSize": 12, "titleFontSize": 12,
                   "titleFontWeight": "normal", "orient": "top", "offset": 18, "symbolSize": 80},
        "range": {"category": [INK[dark], ORANGE, SKY, GREEN, "#3d8fd1" if dark else BLUE,
                               VERMILLION, PURPLE]},
        "style": {"value": {"color": ink, "fontSize": 11}, "interval": {"color": quiet},
                  "guide": {"color": quiet, "fontSize": 10},
                  "leader": {"color": faint, "strokeWidth": 0.7}, "band": {"color": BAND[dark]},
                  "ideal": {"color": faint, "strokeDash": [4, 4]}},
    }  # fmt: skip
