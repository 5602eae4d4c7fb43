"""A font that shows Chinese, among those of this machine. None is shipped: they are large."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.errors import BenchError

CHINESE = {  # family: what its file's name begins with
    "Noto Sans CJK SC": "NotoSansCJK",
    "Noto Sans SC": "NotoSansSC",
    "Source Han Sans SC": "SourceHanSans",
    "PingFang SC": "PingFang",
    "Hiragino Sans GB": "Hiragino Sans GB",
    "Microsoft YaHei": "msyh",
    "WenQuanYi Micro Hei": "wqy-microhei",
    "WenQuanYi Zen Hei": "wqy-zenhei",
    "SimHei": "simhei",
    "Droid Sans Fallback": "DroidSansFallback",
}


def folders() -> list[Path]:
    """Where this system keeps fonts, the user's own first."""
    home = Path.home()
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    if sys.platform == "win32":
        own = Path(os.environ.get("LOCALAPPDATA", home)) / "Microsoft/Windows/Fonts"
        return [own, Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    own = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share")) / "fonts"
    return [own, home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]


def chinese() -> tuple[str, Path]:
    """The family and file of the first font of CHINESE that is here; raises BenchError."""
    files = [
        path for folder in folders() if folder.is_dir() for path in folder.rglob("*.[to]t[fc]")
    ]
    for family, start in CHINESE.items():
        for path in files:
            if path.name.lower().startswith(start.lower()):
                return family, path
    looked, known = ", ".join(map(str, folders())), ", ".join(CHINESE)
    raise BenchError(f"--lang zh: no font with Chinese in {looked}. Install one of {known}")
