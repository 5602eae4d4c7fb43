"""Environments: built from a wheel made here, without network, by the real uv."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import subprocess
import sys
import sysconfig
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import debian, envs, frameworks
from bench.envs import manifest
from bench.envs import uv as provisioner
from bench.envs.interpreters import quickest, timed
from bench.envs.uv import Uv
from bench.errors import Unavailable
from bench.frameworks import Build, Framework

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
DATA = "x" * 5000
TOML = f"""
title = "Toy"
package = "toy"
version = "1.0"
python = "{HERE}"
[cpu]
lock = "requirements-cpu.txt"
[cuda]
unavailable = "Toy has no CUDA build"
mend = "use --device cpu"
[[setting]]
name = "TOY_THREADS"
value = "{{threads}}"
reason = "a test"
[[setting]]
name = "TOY_PLACES"
value = "{{prefix}}:{{site}}"
reason = "a test"
device = "cuda"
"""


def make_wheel(folder: Path, version: str = "1.0") -> str:
    """A wheel of the package "toy" in `folder`; its line for a lock."""
    folder.mkdir(exist_ok=True)
    path = folder / f"toy-{version}-py3-none-any.whl"
    info = f"toy-{version}.dist-info"
    files = {
        "toy.py": f"VERSION = {version!r}\n",
        "toy.data": DATA,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: toy\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return f"toy=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Framework:
    """A framework of one small wheel; uv and the cache work in `tmp_path`, and without network."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CONVMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    folder = tmp_path / "impls" / "toy"
    folder.mkdir(parents=True)
    (folder / "framework.toml").write_text(TOML)
    (folder / "adapter.py").write_text('NAME = "toy"\nMODES = ("eager",)\n')
    (folder / "requirements-cpu.txt").write_text(make_wheel(tmp_path / "wheels"))
    return frameworks.load(folder)


def silent(message: str) -> None:
    """A progress nobody sees."""


def with_cpu(framework: Framework, **changes: object) -> Framework:
    """The framework with another cpu build."""
    build = replace(framework.build("cpu"), **changes)  # type: ignore[arg-type]
    return replace(framework, builds={**framework.builds, "cpu": build})


def data(environment: envs.Environment) -> Path:
    """A file of the package in an environment."""
    (path,) = environment.path.glob("lib/python*/site-packages/toy.data")
    return path


def test_an_environment_is_built_once_and_found_again(toy: Framework) -> None:
    messages: list[str] = []
    assert envs.state(toy, "cpu").status == "absent"
    assert envs.find(toy, "cpu") is None
    built = envs.ensure(toy, "cpu", messages.append)
    assert messages[-1] == "ready"
    assert envs.state(toy, "cpu") == envs.state(toy, "cpu", deep=False) == envs.State("ready")
    code = "import toy; print(toy.VERSION)"
    done = subprocess.run([built.python, "-s", "-c", code], capture_output=True, text=True)
    assert done.stdout == "1.0\n"
    messages.clear()
    assert envs.ensure(toy, "cpu", messages.append) == envs.find(toy, "cpu") == built
    assert messages == []


def test_the_default_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONVMARK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert envs.cache_dir() == tmp_path / "convmark"


def test_variables_are_resolved(toy: Framework, tmp_path: Path) -> None:
    environment = envs.Environment(toy, "cuda", "cuda", tmp_path, "")
    places = f"{tmp_path}:{tmp_path}/lib/python{HERE}/site-packages"
    found = environment.variables(toy.settings, 3)
    assert found == {"TOY_THREADS": "3", "TOY_PLACES": places}


def test_variables_of_debian_packages(toy: Framework, tmp_path: Path) -> None:
    spec = {"libraries": ["usr/lib"], "python": ["usr/python"]}
    environment = envs.Environment(replace(toy, debian=spec), "cpu", "cpu", tmp_path, "")
    found = environment.variables(toy.settings, 1)
    assert found["LD_LIBRARY_PATH"] == str(tmp_path / "debian" / "usr" / "lib")
    assert found["TOY_THREADS"] == "1"


def delete(environment: envs.Environment) -> None:
    data(environment).unlink()


def truncate(environment: envs.Environment) -> None:
    os.truncate(data(environment), 10)


def unmark(environment: envs.Environment) -> None:
    (environment.path / manifest.MARKER).unlink()


def mangle_marker(environment: envs.Environment) -> None:
    (environment.path / manifest.MARKER).write_text("{")


def remove_interpreter(environment: envs.Environment) -> None:
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [delete, truncate, unmark, mangle_marker, remove_interpreter])
def test_damage_is_seen_and_mended(
    toy: Framework, damage: Callable[[envs.Environment], None]
) -> None:
    environment = envs.ensure(toy, "cpu", silent)
    damage(environment)
    status, reason, mend = envs.state(toy, "cpu")
    assert status == "broken" and str(environment.path) in reason
    assert mend == "python -m bench setup --framework toy"
    assert envs.find(toy, "cpu") is None
    envs.ensure(toy, "cpu", silent)
    assert envs.state(toy, "cpu").status == "ready"
    assert data(environment).read_text() == DATA  # also where uv's cache was cut short with it


def test_use_does_not_damage(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    manifest.write(tmp_path)
    for folder in ("__pycache__", "compiledir"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "anything").write_text("a")
    (tmp_path / "old.pyc").write_text("a")
    assert manifest.damage(tmp_path) == ""
    (tmp_path / "new.py").write_text("a")
    assert manifest.damage(tmp_path) == "it has 2 files of 1 bytes, not 1 of 0"


def test_another_lock_is_another_folder(toy: Framework, tmp_path: Path) -> None:
    first = envs.ensure(toy, "cpu", silent)
    (toy.folder / "requirements-cpu.txt").write_text(make_wheel(tmp_path / "wheels", "1.1"))
    assert envs.state(toy, "cpu").status == "absent"
    second = envs.ensure(toy, "cpu", silent)
    assert second.path != first.path and second.lock_hash in second.path.name
    assert manifest.damage(first.path) == ""


def test_a_wrong_hash_fails_and_leaves_only_a_log(toy: Framework, tmp_path: Path) -> None:
    (toy.folder / "requirements-cpu.txt").write_text(f"toy==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(Unavailable, match=r"cannot be had: .*(hash|Hash).*log: ") as caught:
        envs.ensure(toy, "cpu", silent)
    assert caught.value.mend
    (log,) = (tmp_path / "cache" / "logs").iterdir()
    assert str(log) in caught.value.reason
    assert "$ uv pip sync" in log.read_text()
    assert envs.state(toy, "cpu").status == "absent"


def test_the_fallback_is_taken_and_said(toy: Framework, tmp_path: Path) -> None:
    other = toy.folder / "requirements-cuda.txt"
    (toy.folder / "requirements-cpu.txt").rename(other)
    (toy.folder / "requirements-cpu.txt").write_text(f"toy==1.0+cpu --hash=sha256:{'0' * 64}\n")
    toml = (
        TOML.partition("[cuda]")[0] + 'fallback = "cuda"\n[cuda]\nlock = "requirements-cuda.txt"\n'
    )
    (toy.folder / "framework.toml").write_text(toml)
    toy = frameworks.load(toy.folder)
    messages: list[str] = []
    environment = envs.ensure(toy, "cpu", messages.append)
    assert (environment.device, environment.build) == ("cpu", "cuda")
    assert any("Taking the cuda build instead" in message for message in messages)
    assert envs.find(toy, "cpu") == environment
    assert envs.find(toy, "cuda") == replace(environment, device="cuda")


def test_options_are_tried_second(
    toy: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []

    def fail(uv: Uv, *arguments: str) -> int:
        calls.append(arguments)
        return 1

    monkeypatch.setattr(Uv, "run", fail)
    with pytest.raises(Unavailable, match="cannot be had"):
        Uv(tmp_path / "log", silent).sync(tmp_path, Build(Path("lock"), ("--torch-backend", "cpu")))
    first, second = calls
    assert second == (*first, "--torch-backend", "cpu")


def test_only_what_is_named_may_be_built(tmp_path: Path) -> None:
    lock, limits = tmp_path / "lock", tmp_path / "limits"
    lock.write_text("old==1.0 \\\n    --hash=a\nnew[x]===2.0+cpu \\\n    --hash=b\n")
    assert provisioner.wheels_only(Build(lock)) == ["--only-binary", ":all:"]
    built = provisioner.wheels_only(Build(lock, sources=("old",), constraints=limits))
    assert built == ["--only-binary", "new", "--build-constraints", str(limits)]


def test_a_program_the_machine_lacks_is_named(toy: Framework) -> None:
    lacking = replace(toy, programs={"no-such-compiler": "compilers", "sh": "dash"})
    state = envs.state(lacking, "cpu")
    assert (state.status, state.reason) == (
        "unavailable",
        "toy needs no-such-compiler of the machine",
    )
    assert state.mend.endswith("apt-get install compilers")


def say_full(uv: Uv, *arguments: str) -> int:
    uv.lines += ["error: Failed to write", "  cause: No space left on device (os error 28)"]
    return 2


def test_a_full_disk_is_said_by_uv(
    toy: Framework, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    toy = with_cpu(toy, fallback="cpu", options=("--torch-backend", "cpu"))
    monkeypatch.setattr(Uv, "venv", lambda self, path, version: path.mkdir())
    monkeypatch.setattr(Uv, "run", say_full)
    messages: list[str] = []
    with pytest.raises(Unavailable, match=r"a disk is full: .*No space left") as caught:
        envs.ensure(toy, "cpu", messages.append)
    assert "CONVMARK_CACHE" in caught.value.mend
    assert messages == [], "no other build would fit either"


def test_a_full_disk_is_said_by_us(toy: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest, "write", full)
    with pytest.raises(Unavailable, match=r"the disk of .*cache is full \(set CONVMARK_CACHE"):
        envs.ensure(toy, "cpu", silent)
    assert envs.state(toy, "cpu").status == "absent"


def test_a_cache_that_is_a_file(toy: Framework, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(Unavailable, match=r"cannot use .*cache"):
        envs.ensure(toy, "cpu", silent)


def test_what_the_machine_cannot_have(toy: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = envs.state(toy, "cuda")
    assert cuda == envs.State("unavailable", "Toy has no CUDA build", "use --device cpu")
    needy = replace(toy, libraries={"libnowhere.so.7": "libnowhere7"})
    status, reason, mend = envs.state(needy, "cpu")
    assert (status, reason) == ("unavailable", "toy needs libnowhere.so.7 of the machine")
    assert mend.endswith("apt-get install libnowhere7")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert envs.state(toy, "cpu").reason.endswith("this is linux on aarch64")
    with pytest.raises(Unavailable, match="aarch64"):
        envs.ensure(toy, "cpu", silent)


def test_a_python_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(Uv, "run", lambda self, *arguments: 1)
    with pytest.raises(Unavailable, match=r"Python 3\.6 cannot be had: .*\(install Python 3\.6"):
        Uv(tmp_path / "log", silent).interpreter("3.6")


def test_the_newest_python_of_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for version in ("3.9.2", "3.9.18", "3.9-dev", "3.90.1", "3.10.99"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
        (tmp_path / "versions" / version / "bin" / "python").touch()
    assert provisioner.pyenv("3.9") == tmp_path / "versions" / "3.9.18" / "bin" / "python"
    assert provisioner.pyenv("3.8") is None


def interpreter(folder: Path, name: str, answer: str) -> Path:
    """A file that answers as a Python would that was timed: seconds, headers, its own real path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {answer}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["0.30 1 /a", "0.29 1 /b"], "0"),  # noise
        (["0.30 1 /a", "0.15 1 /b", "0.20 1 /c"], "1"),
        (["0.30 1 /a", "0.30 1 /a", "0.20 1 /a"], "0"),  # one interpreter, however it is called
        (["0.30 1 /a", "0.15 0 /b", "0.20 1 /c"], "2"),  # no compiler can use the second
        (["0.30 0 /a", "0.15 0 /b"], "0"),
        (["; exit 1", "0.30 1 /b"], "1"),
        (["; exit 1", "nothing"], None),
        ([], None),
    ],
)
def test_of_several_pythons_the_one_that_is_clearly_faster(
    tmp_path: Path, answers: list[str], expected: str | None
) -> None:
    paths = [interpreter(tmp_path, str(n), answer) for n, answer in enumerate(answers)]
    assert quickest(paths) == (tmp_path / expected if expected else None)


def test_a_python_is_timed_and_known_by_the_file_that_runs() -> None:
    found = timed(Path(sys.executable))
    assert found and found.seconds > 0 and found.file == Path(sys.executable).resolve()
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    assert found.compiles == headers.exists()


def test_all_pythons_that_uv_sees() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = Uv(Path("log"), silent).listed(version)
    assert all(path.name.startswith("python") for path in found)
    assert Uv(Path("log"), silent).listed("3.99") == []


def test_uv_is_told_what_pip_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    monkeypatch.setenv("PIP_INDEX_URL", "of pip")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "of uv")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("VIRTUAL_ENV", "/v")
    found = provisioner.environment()
    assert (found["UV_FIND_LINKS"], found["UV_DEFAULT_INDEX"]) == ("/a,/b", "of uv")
    assert "VIRTUAL_ENV" not in found


def test_uv_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("/nowhere/uv")

    monkeypatch.setattr(provisioner, "uv", SimpleNamespace(find_uv_bin=nowhere))
    with pytest.raises(Unavailable, match="uv is not installed"):
        provisioner.binary()


def test_one_that_fails_does_not_stop_the_others(toy: Framework, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text(f"nothing==1 --hash=sha256:{'0' * 64}\n")
    other = replace(with_cpu(toy, lock=tmp_path / "none.txt"), name="other")
    seen: set[str] = set()
    found = envs.ensure_all([other, toy], "cpu", lambda name, message: seen.add(name))
    assert isinstance(found["other"], Unavailable)
    assert isinstance(found["toy"], envs.Environment)
    assert seen == {"toy", "other"}
    assert envs.ensure_all([], "cpu", lambda name, message: None) == {}


def test_debian_packages_are_part_of_an_environment(
    toy: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(prefix: Path, spec: object, cache: Path, progress: envs.Progress) -> None:
        prefix.mkdir()
        (prefix / "file").write_text(str(cache))

    monkeypatch.setattr(debian, "install", install)
    (tmp_path / "debian.lock").write_text("a")
    caffe = replace(toy, debian={"lock": str(tmp_path / "debian.lock")})
    first = envs.ensure(caffe, "cpu", silent)
    assert (first.path / "debian" / "file").read_text() == str(tmp_path / "cache")
    (tmp_path / "debian.lock").write_text("b")
    assert envs.state(caffe, "cpu").status == "absent"


@pytest.mark.slow
def test_two_set_ups_at_once(toy: Framework, tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import json
        from pathlib import Path
        from bench import envs, frameworks
        messages = []
        found = envs.ensure(frameworks.load(Path({str(toy.folder)!r})), "cpu", messages.append)
        print(json.dumps([str(found.path), messages]))
    """)
    root = frameworks.IMPLS.parent
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    assert len({path for path, _ in answers}) == 1
    assert sum("ready" in messages for _, messages in answers) == 1, "one builds, the others wait"
    assert envs.state(toy, "cpu").status == "ready"
