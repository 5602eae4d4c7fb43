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
        for kind in formats:
            path = folder / f"{name}.{kind}"
            content = converted(spec, kind)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise BenchError(f"--out {folder}: {error.strerror}") from error
            written.append(path)
    return written


def converted(spec: dict[str, Any], kind: str) -> bytes:
    if kind == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE))
    if kind == "svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode()
    return json.dumps(spec, indent=1, ensure_ascii=False, allow_nan=False).encode()
