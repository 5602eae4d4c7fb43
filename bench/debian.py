"""Debian packages in a folder of their own: nothing of the system changes, nobody needs to be root.

Some frameworks outlive their wheels only as Debian packages. The `[debian]` table of a
framework.toml names them; this module fetches those of the lock with the machine's own apt (private
state, an empty status file, the mirror that the machine is set up with), checks every file against
the lock's SHA-256 and unpacks it below a prefix. Python packages still come from pip.

The table:
    suite      the release, such as "bullseye"
    packages   resolved with their dependencies
    alone      taken without dependencies (their Python dependencies come from pip)
    exclude    dependencies that are left out: the machine's own C library is used, data not needed
    lock       path of the lock from the repository's root
    libraries  library folders below the prefix, in the order of the loader's search
    python     module folders below the prefix
    links      further names of files below the prefix, where a program asks for an older one:
               {"usr/lib/libmpi.so.12" = "libmpi.so.40"}
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bench.errors import Unavailable

Progress = Callable[[str], None]

ROOT = Path(__file__).resolve().parents[1]
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
    Path("/usr/share/keyrings/debian-archive-removed-keys.gpg"),  # for suites of long ago
)
MIRROR = "CONVMARK_DEBIAN_MIRROR"  # a mirror to ask first, for machines whose own lacks the suite
BATCH = 16  # packages in one call of apt: what was fetched survives an interruption
TIMEOUT = 900  # seconds for one call of a tool
RELOCK = "python scripts/relock.py"
CONTAINER = (
    'in a container: docker run --rm -v "$PWD":/convmark -w /convmark python:3.11-bookworm '
    'sh -c "pip install . && python -m bench setup --framework FRAMEWORK"'
)


@dataclass(frozen=True, order=True)
class Deb:
    """One package of the lock; `sha256` is that of the .deb file."""

    package: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """The name in the cache; it does not depend on a mirror."""
        return f"{self.package}_{self.version.replace(':', '%3a')}_{self.sha256[:12]}.deb"


def variables(prefix: Path, spec: dict[str, Any]) -> dict[str, str]:
    """What a worker, and only a worker, needs in its environment to find what was unpacked."""
    return {
        "LD_LIBRARY_PATH": os.pathsep.join(str(prefix / folder) for folder in spec["libraries"]),
        "PYTHONPATH": os.pathsep.join(str(prefix / folder) for folder in spec["python"]),
    }


def install(prefix: Path, spec: dict[str, Any], cache: Path, progress: Progress) -> None:
    """Unpack the locked packages below `prefix`; files already in `cache`/debs are not fetched.

    A prefix half-unpacked is left as it is when this fails: the caller removes it.
    Raises Unavailable with the reason and a remedy; OSError, for example when the disk is full."""
    require_machine()
    debs = read_lock(ROOT / spec["lock"])
    store = cache / "debs"
    store.mkdir(parents=True, exist_ok=True)
    missing = [deb for deb in debs if not is_intact(store / deb.filename, deb.sha256)]
    if missing:
        fetch(missing, spec["suite"], store, progress)
    prefix.mkdir(parents=True, exist_ok=True)
    for count, deb in enumerate(debs):
        if count % BATCH == 0:
            progress(f"unpacking Debian packages: {count} of {len(debs)}")
        tool("dpkg-deb", "-x", str(store / deb.filename), str(prefix))
    for name, target in spec.get("links", {}).items():
        (prefix / name).symlink_to(target)


def relock(spec: dict[str, Any], progress: Progress) -> None:
    """Resolve the packages of `spec` anew and write its lock. Raises Unavailable."""
    require_machine()
    progress(f"resolving Debian packages of {spec['suite']}")
    with apt(spec["suite"], spec["packages"] + spec["alone"]) as ask:
        output = ask("install", "--print-uris", "-qq", "-y", *spec["packages"])
        alone = ask("download", "--print-uris", "-qq", *spec["alone"])
    found = [parse_uri(line) for line in (output + alone).splitlines() if line.startswith("'")]
    debs = sorted({deb for deb in found if deb.package not in spec["exclude"]})
    (ROOT / spec["lock"]).write_text(lock_text(debs, spec["suite"]))


def parse_uri(line: str) -> Deb:
    """A line of `apt-get --print-uris`: 'URI' package_version_architecture.deb size SHA256:hash."""
    _, filename, _, digest = line.split()
    package, version, _ = filename.split("_")
    kind, _, value = digest.partition(":")
    if kind != "SHA256":
        raise Unavailable(f"apt answered {kind} instead of SHA256 for {package}", CONTAINER)
    return Deb(package, unquote(version), value)


def lock_text(debs: Iterable[Deb], suite: str) -> str:
    head = f"# Debian {suite}, amd64: package, version, SHA-256. Written by {RELOCK}\n"
    return head + "".join(f"{deb.package} {deb.version} {deb.sha256}\n" for deb in debs)


def read_lock(path: Path) -> list[Deb]:
    """The packages of a lock. Raises Unavailable if there is no such file or a line is not one."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise Unavailable(f"the lock {path} does not exist", RELOCK) from None
    rows = [(number, line.split()) for number, line in enumerate(lines, 1)]
    rows = [(number, row) for number, row in rows if row and not row[0].startswith("#")]
    for number, row in rows:
        if len(row) != 3 or len(row[2]) != 64:
            raise Unavailable(f"{path}:{number} is not 'package version sha256'", RELOCK)
    return [Deb(*row) for _, row in rows]


def require_machine() -> None:
    """Raises Unavailable unless Debian's packages for amd64 can be unpacked and run here."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        here = f"{platform.system()} {platform.machine()}"
        raise Unavailable(f"Debian packages for Linux x86_64 do not run on {here}", CONTAINER)
    for name in ("apt-get", "dpkg-deb"):
        if shutil.which(name) is None:
            raise Unavailable(f"this machine has no {name}", CONTAINER)


def is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def fetch(debs: list[Deb], suite: str, store: Path, progress: Progress) -> None:
    """Download `debs` into `store`, each under its final name only once its hash is right."""
    progress(f"asking the Debian mirror for {suite}")
    with apt(suite, [f"{deb.package}={deb.version}" for deb in debs]) as ask:
        for start in range(0, len(debs), BATCH):
            progress(f"downloading Debian packages: {start} of {len(debs)}")
            batch = debs[start : start + BATCH]
            # Inside the store: the final rename then stays on one file system.
            with tempfile.TemporaryDirectory(dir=store) as folder:
                wanted = [f"{deb.package}={deb.version}" for deb in batch]
                ask("download", "-q", *wanted, cwd=Path(folder))
                for deb in batch:
                    accept(Path(folder), deb, store)


def accept(folder: Path, deb: Deb, store: Path) -> None:
    """Move one downloaded package into the store. Raises Unavailable if its hash is another."""
    (path,) = folder.glob(f"{deb.package}_*.deb")
    if not is_intact(path, deb.sha256):
        reason = f"the mirror's {deb.package} {deb.version} is not the file of the lock (SHA-256)"
        raise Unavailable(reason, RELOCK)
    path.replace(store / deb.filename)


class Ask:
    """apt-get with a configuration of its own; calling it gives what apt wrote to stdout."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration

    def __call__(self, *arguments: str, cwd: Path | None = None) -> str:
        return tool("apt-get", "-c", str(self.configuration), *arguments, cwd=cwd)


@contextmanager
def apt(suite: str, packages: list[str]) -> Iterator[Ask]:
    """An isolated apt that knows `packages` ("name" or "name=version") of `suite`.

    The first of the machine's own mirrors that has them all is taken. Raises Unavailable."""
    failures = []
    with tempfile.TemporaryDirectory(prefix="convmark-apt-") as folder:
        for mirror in mirrors():
            ask = configure(Path(folder), mirror, suite)
            try:
                ask("update", "-q")
                ask("download", "--print-uris", "-qq", *packages)
            except Unavailable as error:
                failures.append(f"{mirror}: {error.reason}")
                continue
            yield ask
            return
    reason = "; ".join(failures) or "apt has no mirror"
    mend = f"{RELOCK} if versions changed, or name a mirror that has {suite} in {MIRROR}"
    raise Unavailable(f"Debian {suite} cannot be had: {reason}", mend)


def mirrors() -> list[str]:
    """The URIs of the archives this machine's apt is set up with, Debian's own layout first.

    apt reads its own sources, so both of their formats are understood."""
    form = "$(COMPONENT) $(REPO_URI)"
    listed = tool(
        "apt-get", "indextargets", "--no-release-info", "--format", form, "Created-By: Packages"
    )
    found = [line.split()[1] for line in listed.splitlines() if line.startswith("main ")]
    found.sort(key=lambda uri: not uri.rstrip("/").endswith("/debian"))
    return list(dict.fromkeys([os.environ[MIRROR]] if os.environ.get(MIRROR) else found))


def configure(folder: Path, mirror: str, suite: str) -> Ask:
    """An apt whose state, cache and sources lie in `folder`. The machine's proxies still apply."""
    keyrings = ",".join(str(path) for path in KEYRINGS if path.is_file())
    if not keyrings:
        mend = "install the package debian-archive-keyring"
        raise Unavailable("the keys that Debian signs with are not on this machine", mend)
    # An archived suite is never signed again, so its Valid-Until has passed; the lock pins hashes.
    options = f"arch=amd64 target=Packages check-valid-until=no signed-by={keyrings}"
    (folder / "sources.list").write_text(f"deb [{options}] {mirror} {suite} main\n")
    (folder / "status").touch()  # empty: the dependencies do not depend on this machine
    for name in ("state", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    path = folder / "apt.conf"
    path.write_text(CONFIGURATION.format(folder=folder))
    return Ask(path)


CONFIGURATION = """\
#clear APT::Update;
#clear DPkg::Post-Invoke;
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::Retries "3";
"""


def tool(*command: str, cwd: Path | None = None) -> str:
    """Run a tool of the machine; its stdout. Raises Unavailable with what it said on stderr."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} gave no answer in {TIMEOUT} s", "try again") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "E: " in line or "error: " in line]
        said = " ".join(lines or done.stderr.split())[:300] or f"exit status {done.returncode}"
        full = "No space left on device" in done.stderr
        raise Unavailable(f"{command[0]}: {said}", "free some disk space" if full else "try again")
    return done.stdout
