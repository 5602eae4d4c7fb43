"""The provisioner for Debian packages, against a mirror made here; no network is used."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bench import debian
from bench.errors import Unavailable

TABLES = {
    name: tomllib.loads((debian.ROOT / "impls" / name / "framework.toml").read_text())["debian"]
    for name in ("caffe", "cntk")
}
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


def make_deb(folder: Path, package: str, version: str) -> debian.Deb:
    """A real package that holds one file, usr/lib/<package>."""
    tree = folder / f"tree-{package}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr" / "lib").mkdir(parents=True)
    (tree / "usr" / "lib" / package).write_text(version)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {package}\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: nobody\nDescription: a test\n"
    )
    path = folder / f"{package}_{version.replace(':', '%3a')}_amd64.deb"
    subprocess.run(["dpkg-deb", "-b", str(tree), str(path)], check=True, capture_output=True)
    return debian.Deb(package, version, hashlib.sha256(path.read_bytes()).hexdigest())


class FakeApt:
    """Stands in for `debian.tool`: serves .deb files from a folder, runs the real dpkg-deb."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.calls: list[tuple[str, ...]] = []
        self.real = debian.tool
        self.listed = "main http://mirror.invalid/debian/\n"

    def __call__(self, *command: str, cwd: Path | None = None) -> str:
        self.calls.append(command)
        if command[0] != "apt-get":
            return self.real(*command, cwd=cwd)
        if "indextargets" in command:
            return self.listed
        if "download" in command and "--print-uris" not in command:
            assert cwd is not None
            for wanted in command[command.index("download") + 2 :]:
                package, version = wanted.split("=")
                self.copy(package, version, cwd)
        return ""

    def copy(self, package: str, version: str, folder: Path) -> None:
        path = self.archive / f"{package}_{version.replace(':', '%3a')}_amd64.deb"
        if not path.exists():
            raise Unavailable(f"Version '{version}' for '{package}' was not found")
        shutil.copy(path, folder)

    def downloads(self) -> int:
        return sum("download" in call and "--print-uris" not in call for call in self.calls)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeApt, dict[str, Any]]:
    """A fake mirror with two packages, and the table and lock that ask for them."""
    archive = tmp_path / "archive"
    archive.mkdir()
    debs = [make_deb(archive, "alpha", "1:2.0-1"), make_deb(archive, "beta", "0.1+b2")]
    (tmp_path / "a.lock").write_text(debian.lock_text(debs, "bullseye"))
    keyring = tmp_path / "keys.gpg"
    keyring.touch()
    apt = FakeApt(archive)
    monkeypatch.setattr(debian, "tool", apt)
    monkeypatch.setattr(debian, "KEYRINGS", (keyring,))
    monkeypatch.setattr(debian, "require_machine", lambda: None)
    monkeypatch.delenv(debian.MIRROR, raising=False)
    return apt, {"suite": "bullseye", "lock": str(tmp_path / "a.lock")}


def install(spec: dict[str, Any], folder: Path) -> Path:
    prefix = folder / "prefix"
    debian.install(prefix, spec, folder / "cache", lambda text: None)
    return prefix


@needs_dpkg
def test_packages_are_fetched_checked_and_unpacked(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path
) -> None:
    prefix = install(world[1], tmp_path)
    assert (prefix / "usr/lib/alpha").read_text() == "1:2.0-1"
    assert (prefix / "usr/lib/beta").read_text() == "0.1+b2"


@needs_dpkg
def test_a_file_gets_the_names_that_a_program_asks_for(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path
) -> None:
    links = {"usr/lib/libalpha.so.1": "alpha"}
    prefix = install(world[1] | {"links": links}, tmp_path)
    assert (prefix / "usr/lib/libalpha.so.1").read_text() == "1:2.0-1"


@needs_dpkg
def test_a_second_installation_asks_no_mirror(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path
) -> None:
    install(world[1], tmp_path)
    world[0].calls.clear()
    shutil.rmtree(tmp_path / "prefix")
    install(world[1], tmp_path)
    assert {call[0] for call in world[0].calls} == {"dpkg-deb"}


@needs_dpkg
def test_a_damaged_file_in_the_cache_is_fetched_again(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path
) -> None:
    install(world[1], tmp_path)
    damaged = next((tmp_path / "cache/debs").glob("beta*"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    install(world[1], tmp_path)
    assert world[0].downloads() == 2


@needs_dpkg
def test_another_file_under_the_same_version_is_refused(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path
) -> None:
    with (tmp_path / "archive" / "beta_0.1+b2_amd64.deb").open("ab") as file:
        file.write(b"more")
    with pytest.raises(Unavailable, match=r"beta 0.1[+]b2 is not the file of the lock") as caught:
        install(world[1], tmp_path)
    assert caught.value.mend == "python scripts/relock.py"
    assert not list((tmp_path / "cache/debs").glob("beta*"))


@needs_dpkg
def test_a_mirror_with_another_version_names_the_remedy(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = Unavailable("apt-get: E: Version '0.1+b2' for 'beta' was not found")

    def look(*command: str, cwd: Path | None = None) -> str:
        if "--print-uris" in command:
            raise refuse
        return world[0](*command, cwd=cwd)

    monkeypatch.setattr(debian, "tool", look)
    with pytest.raises(Unavailable, match=r"Version '0.1[+]b2' for 'beta'") as caught:
        install(world[1], tmp_path)
    assert "scripts/relock.py" in caught.value.mend


def test_the_mirror_is_the_one_of_the_machine(
    world: tuple[FakeApt, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world[0].listed = (
        "main http://other.invalid/tool/\ncontrib http://x.invalid/debian/\n"
        "main http://mirror.invalid/debian/\nmain http://mirror.invalid/debian/\n"
    )
    assert debian.mirrors() == ["http://mirror.invalid/debian/", "http://other.invalid/tool/"]
    monkeypatch.setenv(debian.MIRROR, "http://mine.invalid/debian")
    assert debian.mirrors() == ["http://mine.invalid/debian"]


def test_apt_is_isolated(world: tuple[FakeApt, dict[str, Any]], tmp_path: Path) -> None:
    debian.configure(tmp_path, "http://mirror.invalid/debian/", "bullseye")
    text = (tmp_path / "apt.conf").read_text()
    source = (tmp_path / "sources.list").read_text()
    assert f'Dir::State::status "{tmp_path}/status"' in text
    assert (tmp_path / "status").read_text() == ""
    assert source.endswith("http://mirror.invalid/debian/ bullseye main\n")
    assert f"signed-by={tmp_path}/keys.gpg" in source


def test_without_keys_nothing_is_trusted(
    world: tuple[FakeApt, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "KEYRINGS", ())
    with pytest.raises(Unavailable, match=r"keys that Debian signs with") as caught:
        debian.configure(tmp_path, "http://mirror.invalid/debian/", "bullseye")
    assert "debian-archive-keyring" in caught.value.mend


@pytest.mark.parametrize("machine", ["aarch64", "riscv64"])
def test_another_processor_is_unavailable(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(Unavailable, match=machine) as caught:
        debian.require_machine()
    assert "docker run" in caught.value.mend


def test_a_machine_without_apt_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(Unavailable, match=r"no apt-get"):
        debian.require_machine()


def test_a_line_of_apt_becomes_a_line_of_the_lock() -> None:
    line = f"'http://m.invalid/p.deb' libgmp10_2%3a6.2.1_amd64.deb 253000 SHA256:{'a' * 64}"
    assert debian.parse_uri(line) == debian.Deb("libgmp10", "2:6.2.1", "a" * 64)
    with pytest.raises(Unavailable, match=r"MD5Sum"):
        debian.parse_uri(line.replace("SHA256", "MD5Sum"))


def test_a_bad_lock_names_its_line(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with pytest.raises(Unavailable, match=r"does not exist"):
        debian.read_lock(lock)
    lock.write_text("# head\nalpha 1.0\n")
    with pytest.raises(Unavailable, match=r"a.lock:2"):
        debian.read_lock(lock)


def test_a_failing_tool_says_why() -> None:
    with pytest.raises(Unavailable, match=r"sh: it broke"):
        debian.tool("sh", "-c", "echo it broke >&2; exit 3")
    with pytest.raises(Unavailable) as caught:
        debian.tool("sh", "-c", "echo 'write: No space left on device' >&2; exit 2")
    assert caught.value.mend == "free some disk space"


@pytest.mark.parametrize("framework", TABLES)
def test_the_table_of_a_framework_and_its_lock_agree(framework: str) -> None:
    spec = TABLES[framework]
    names = [deb.package for deb in debian.read_lock(debian.ROOT / spec["lock"])]
    assert names == sorted(set(names))
    assert set(spec["packages"] + spec["alone"]) <= set(names)
    assert not set(spec["exclude"]) & set(names)


def test_the_worker_finds_the_fast_library_first() -> None:
    found = debian.variables(Path("/p"), TABLES["caffe"])
    assert found["LD_LIBRARY_PATH"].split(os.pathsep)[0].endswith("openblas-pthread")
    assert found["PYTHONPATH"] == "/p/usr/lib/python3/dist-packages"
