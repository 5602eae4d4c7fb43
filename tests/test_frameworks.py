"""What is read from framework.toml and adapter.py, and what the real ones promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import frameworks
from bench.errors import BenchError
from bench.frameworks import IMPLS

TOML = """
title = "Toy"
package = "toy"
version = "1.0"
python = "3.11"
[cpu]
lock = "requirements-cpu.txt"
[cuda]
unavailable = "it has no CUDA build"
mend = "use --device cpu"
"""
ADAPTER = 'import toy\nNAME = "toy"\nMODES = ("fast", "slow")\n'


@pytest.fixture
def impls(tmp_path: Path) -> Path:
    """A folder with one sound framework, "toy", whose package does not exist."""
    write(tmp_path, TOML, ADAPTER)
    return tmp_path


def write(impls: Path, toml: str, adapter: str = ADAPTER) -> None:
    folder = impls / "toy"
    folder.mkdir(exist_ok=True)
    (folder / "framework.toml").write_text(toml)
    (folder / "adapter.py").write_text(adapter)
    (folder / "requirements-cpu.txt").touch()


def test_a_folder_with_metadata_is_a_framework(impls: Path) -> None:
    (impls / "no_framework").mkdir()
    toy = frameworks.discover(impls)["toy"]
    assert list(frameworks.discover(impls)) == ["toy"]
    assert (toy.name, toy.title, toy.version, toy.python) == ("toy", "Toy", "1.0", "3.11")
    assert toy.modes == ("fast", "slow")
    assert toy.build("cpu").lock == impls / "toy" / "requirements-cpu.txt"
    assert toy.build("cuda").unavailable == "it has no CUDA build"
    assert "toy" not in sys.modules


def test_a_device_without_a_table_is_unavailable(impls: Path) -> None:
    write(impls, TOML.partition("[cuda]")[0])
    assert frameworks.load(impls / "toy").build("cuda").unavailable == "toy has no cuda build"
    with pytest.raises(BenchError, match=r"unknown device 'gpu'\. .* Choices: cpu, cuda"):
        frameworks.load(impls / "toy").build("gpu")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (TOML.replace('title = "Toy"', ""), "framework.toml: title is missing"),
        (TOML.replace("1.0", "1.0\nx"), "framework.toml: .*line"),
        (TOML.replace("[cpu]", "[cpus]"), "framework.toml: unknown key 'cpus'. Did you mean 'cpu'"),
        (TOML.replace("lock =", "look ="), r"framework.toml: \[cpu\]: lock is missing"),
        (TOML.replace("-cpu.txt", "-gpu.txt"), r"\[cpu\]: there is no .*requirements-gpu.txt"),
        (TOML.replace("mend =", "mends ="), r"\[cuda\]: mend is missing"),
        (TOML + '[[setting]]\nname = "A"\nreason = "b"', r"\[\[setting\]\] A: value is missing"),
        (TOML + '[[setting]]\nname = "A"\nreason = "b"\nvalue = "{cores}"', "'{cores}' holds more"),
        (TOML + '[[setting]]\nname = "A"\nreason = "b"\nvalue = "1"\ndevice = "tpu"', "'tpu'"),
        (TOML + '[[setting]]\nname = "A"\nreason = "b"\nvalue = "1"\nwhen = "arm"', "when 'arm'"),
        (TOML + '[[setting]]\nname = "A"\nreason = "b"\nvalue = "1"\ntuned = true', "key 'tuned'"),
        (
            TOML + '[equal_maxima]\nquick = "a"',
            r"\[equal_maxima\]: unknown mode 'quick'.*fast, slow",
        ),
        (TOML + '[equal_maxima]\nfast = ""', r"\[equal_maxima\]: fast is missing or not a text"),
        (TOML.replace("[cuda]", 'constraints = "c.txt"\n[cuda]'), r"\[cpu\]: there is no .*c.txt"),
    ],
)
def test_wrong_metadata_names_the_file_and_the_key(impls: Path, toml: str, message: str) -> None:
    write(impls, toml)
    with pytest.raises(BenchError, match=message):
        frameworks.discover(impls)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (ADAPTER.replace("MODES", "MODE"), r"adapter.py: MODES = ... is missing"),
        (ADAPTER.replace('("fast", "slow")', "modes()"), "adapter.py:3: MODES is no literal"),
        (ADAPTER.replace('("fast", "slow")', '"fast"'), "adapter.py: MODES is 'fast', not a tuple"),
        (ADAPTER.replace('"toy"', '"tea"'), "NAME is 'tea', its folder is 'toy'"),
        ("def (", "adapter.py:1: "),
    ],
)
def test_wrong_adapters_are_named(impls: Path, adapter: str, message: str) -> None:
    write(impls, TOML, adapter)
    with pytest.raises(BenchError, match=message):
        frameworks.discover(impls)


def test_a_missing_adapter_is_named(impls: Path) -> None:
    (impls / "toy" / "adapter.py").unlink()
    with pytest.raises(BenchError, match=r"adapter.py is missing"):
        frameworks.discover(impls)


def test_select(impls: Path) -> None:
    known = {name: frameworks.load(impls / "toy") for name in ("a", "b", "torch")}
    assert frameworks.select("all", known) == list(known.values())
    assert len(frameworks.select("b, a,b", known)) == 2
    with pytest.raises(BenchError, match=r"'trch'\. Did you mean 'torch'\? Choices: a, all"):
        frameworks.select("a,trch", known)
    with pytest.raises(BenchError, match="unknown framework ''"):
        frameworks.select("", known)


def test_no_framework_is_imported() -> None:
    names = "{'torch', 'tensorflow', 'jax', 'mxnet', 'caffe', 'numpy'}"
    code = f"import sys, bench.frameworks as f; f.discover(); print({names} & set(sys.modules))"
    root = IMPLS.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "set()", done.stderr


LOCKS = sorted(IMPLS.glob("*/requirements-*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_locks_have_hashes_and_name_no_place(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|(^|\s)/|--(index|find)|\.(com|org|net)\b", text, re.MULTILINE)
    pins = re.findall(r"^[\w.-]+(?:\[.*\])?={2,3}\S+ (\\?)$", text, re.MULTILINE)
    assert pins and all(pins), "every pin is followed by its hashes"
    assert re.search(r"^numpy==", text, re.MULTILINE), "every worker needs NumPy"
    assert lock.with_suffix(".in").is_file()


@pytest.mark.parametrize("name", [path.parent.name for path in IMPLS.glob("*/framework.toml")])
def test_locks_agree_with_the_version(name: str) -> None:
    framework = frameworks.load(IMPLS / name)
    for place in framework.places:
        host = frameworks.load(IMPLS / place.host)
        locks = [build.lock for build in host.builds.values() if build.lock]
        extra = (IMPLS.parent / host.debian["lock"]).read_text() if host.debian else ""
        package, version = framework.package, re.escape(place.version)
        pin = rf"(?m)^(lib)?{package}\d?(-cpu|-gpu|-cu\d+)?(={{2,3}}| ){version}[+\s]"
        assert locks, place.host
        for lock in locks:
            assert re.search(pin, lock.read_text() + extra), f"{lock}: {package} {place.version}"
