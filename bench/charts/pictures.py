"""Pictures of charts: PNG for slides, SVG for print, JSON for whoever wants to draw on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert

from bench.charts import fonts, theme
from bench.errors import BenchError

FORMATS = ("svg", "png", "json")
SCALE = 1.5  # pixels of a PNG for one of the chart


def font(lang: str) -> str:
    """The fonts of charts in a language, made known to the converter; raises BenchError where
    there is none that shows it."""
    if lang != "zh":
        return theme.family()
    family, path = fonts.chinese()
    vl_convert.register_font_directory(str(path.parent))
    return theme.family(family)


def write(specs: Mapping[str, dict[str, Any]], folder: Path, formats: Sequence[str]) -> list[Path]:
    """A file for each chart and format; raises BenchError where the folder takes none."""
    written = []
    for name, spec in specs.items():
        for kind, content in converted(spec, formats).items():
            path = folder / f"{name}.{kind}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise BenchError(f"--out {folder}: {error.strerror}") from error
            written.append(path)
    return written


def converted(spec: Mapping[str, Any], formats: Sequence[str]) -> dict[str, bytes]:
    """The chart in each format; drawn once, as SVG, from which the PNG is painted."""
    found: dict[str, bytes] = {}
    svg = str(vl_convert.vegalite_to_svg(dict(spec))) if set(formats) & {"svg", "png"} else ""
    for kind in formats:
        if kind == "png":
            found[kind] = bytes(vl_convert.svg_to_png(svg, scale=SCALE))
        elif kind == "svg":
            found[kind] = svg.encode()
        else:
            text = json.dumps(spec, indent=1, ensure_ascii=False, allow_nan=False)
            found[kind] = text.encode()
    return found
