"""Tell which frameworks have a newer version than the one that is locked.

    python scripts/newer.py

Prints a Markdown table: the locked version, the newest for the Python it is locked for, and the
newest for a current Python. Exit status: 0 nothing is newer, 1 something is. Asks the package index
that uv is set up with; Debian's Caffe, which none has, is left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import uv

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import frameworks  # noqa: E402
from scripts.relock import PLATFORM  # noqa: E402

CURRENT = "3.13"


def newest(package: str, python: str) -> str:
    """The newest version of a package that has a wheel for that Python, or "unknown"."""
    command = [
        uv.find_uv_bin(), "pip", "compile", "-", "--no-deps", "--no-header", "--no-annotate",
        "--quiet", "--no-emit-index-url", "--no-emit-find-links", "--python-version", python,
        "--python-platform", PLATFORM,
    ]  # fmt: skip
    done = subprocess.run(command, input=package, capture_output=True, text=True, check=False)
    found = [line.partition("==")[2].strip() for line in done.stdout.splitlines() if "==" in line]
    return found[0] if found else "unknown"


def packages() -> Iterator[tuple[str, str, str]]:
    """Each framework's package that a lock pins, with its version and Python."""
    known = frameworks.discover()
    for framework in known.values():
        for place in framework.places:
            lock = known[place.host].build("cpu").lock
            if lock and re.search(rf"(?m)^{framework.package}(-cpu)?==", lock.read_text()):
                yield framework.package, place.version, known[place.host].python


def is_newer(found: str, locked: str) -> bool:
    """Whether the newest version is another than the locked one, builds such as +cpu aside."""
    return found not in ("unknown", locked) and found.partition("+")[0] != locked


def main() -> None:
    print("| package | locked | newest on its Python | newest on", CURRENT, "| |")
    print("| --- | --- | --- | --- | --- |")
    late = False
    for package, locked, python in dict.fromkeys(packages()):
        found = [newest(package, python), newest(package, CURRENT)]
        newer = any(is_newer(version, locked) for version in found)
        late = late or newer
        note = "**newer**" if newer else ""
        print(f"| {package} | {locked} | {found[0]} (Python {python}) | {found[1]} | {note} |")
    sys.exit(late)


if __name__ == "__main__":
    main()
