"""Write the locks of the frameworks anew, with hashes: requirements-X.in to requirements-X.txt.

    python scripts/relock.py [--upgrade] [FRAMEWORK ...]      all frameworks if none is named

Needs uv and the package index, no GPU and nothing of the frameworks: the locks are resolved for
Linux on x86-64 and the Python of framework.toml, whatever the machine. Versions that a lock holds
already stay, except with --upgrade. Debian packages (see bench/debian.py) are locked as well.

The CPU build of torch is in no package index of general use. Set UV_FIND_LINKS to a folder that
holds the wheel, or UV_INDEX to PyTorch's own index for the CPU; neither gets into the lock.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import uv

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import debian  # noqa: E402

IMPLS = ROOT / "impls"
PLATFORM = "x86_64-manylinux_2_28"


def relock(folder: Path, upgrade: bool) -> None:
    """Write every lock of one framework. Raises CalledProcessError, Unavailable."""
    table = tomllib.loads((folder / "framework.toml").read_text())
    for source in sorted(folder.glob("requirements-*.in")):
        print(f"{folder.name}: {source.name}", flush=True)
        build = table[source.stem.partition("-")[2]]
        compile_lock(source, table["python"], "sources" in build, upgrade)
    if "debian" in table:
        debian.relock(table["debian"], lambda message: print(f"{folder.name}: {message}"))


def compile_lock(source: Path, python: str, built: bool, upgrade: bool) -> None:
    # Run in its folder: the notes in the lock name files as given.
    command = [
        uv.find_uv_bin(), "pip", "compile", source.name, "--output-file", f"{source.stem}.txt",
        "--quiet", "--generate-hashes", *([] if built else ["--only-binary", ":all:"]),
        "--python-version", python, "--python-platform", PLATFORM,
        "--no-emit-index-url", "--no-emit-find-links",
        "--custom-compile-command", "python scripts/relock.py",
        *(["--upgrade"] if upgrade else []),
    ]  # fmt: skip
    subprocess.run(command, cwd=source.parent, check=True)
    keep_exact(source)


def keep_exact(source: Path) -> None:
    """uv writes == for ===, and 2.13.0 == 2.13.0+cpu: a machine that has both must not mix them."""
    lock = source.with_suffix(".txt")
    text = lock.read_text()
    for pin in re.findall(r"^([\w.-]+)===", source.read_text(), re.MULTILINE):
        text = text.replace(f"\n{pin}==", f"\n{pin}===")
    lock.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = sorted(path.parent.name for path in IMPLS.glob("*/framework.toml"))
    parser.add_argument("framework", nargs="*", help=f"of {', '.join(known)}")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    arguments = parser.parse_args()
    for name in arguments.framework:
        if name not in known:
            parser.error(f"unknown framework {name!r}; choices: {', '.join(known)}")
    for name in arguments.framework or known:
        relock(IMPLS / name, arguments.upgrade)


if __name__ == "__main__":
    main()
