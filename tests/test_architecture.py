"""The walls of the house, proved from the source: who may import, print, exit, and name what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import frameworks

REPOSITORY = Path(__file__).resolve().parents[1]
IMPLS = REPOSITORY / "impls"
BENCH = sorted((REPOSITORY / "bench").rglob("*.py"))
SERVED = sorted(path for path in IMPLS.rglob("*.py") if "__pycache__" not in path.parts)
ADAPTERS = [path for path in SERVED if path.parent != IMPLS]
OLDEST = (3, 6)  # the Python of the oldest framework
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
LONG, BLOCK = 200, 5  # lines of an adapter, and of a block that two should share


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module: ast.AST) -> Iterator[str]:
    """The top-level names that a module imports, anywhere in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "").partition(".")[0]


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=named)


# -- two halves -----------------------------------------------------------------------------------


@each(BENCH)
def test_the_harness_imports_no_adapter_and_no_framework(path: Path) -> None:
    forbidden = {"impls", "convmark", "keras", "flax", "caffe2", *frameworks.discover()}
    assert forbidden.isdisjoint(imports(tree(path)))


@each(SERVED)
def test_what_runs_in_their_python_imports_nothing_of_ours(path: Path) -> None:
    assert not {"bench", "impls", "tests", "."} & set(imports(tree(path)))
    assert not [name for name in imports(tree(path)) if name.startswith(".")]


@each([IMPLS / "worker.py", IMPLS / "adapter.py"])
def test_the_worker_speaks_the_oldest_python_with_numpy_alone(path: Path) -> None:
    module = ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST)
    assert set(imports(module)) <= sys.stdlib_module_names | {"numpy"}


@each(ADAPTERS)
def test_an_adapter_speaks_the_python_of_its_framework(path: Path) -> None:
    places = [p for p in frameworks.load(path.parent).places if p.adapter == path]
    hosts = [frameworks.load(IMPLS / place.host).python for place in places]
    versions = [tuple(map(int, host.split("."))) for host in hosts]
    oldest = min(*versions, sys.version_info[:2])
    ast.parse(path.read_text(encoding="utf-8"), feature_version=oldest)


# -- the contract ---------------------------------------------------------------------------------


def methods(path: Path) -> dict[str, ast.FunctionDef]:
    """The methods of the class Adapter in a file, in order."""
    (found,) = [n for n in tree(path).body if isinstance(n, ast.ClassDef) and n.name == "Adapter"]
    return {n.name: n for n in found.body if isinstance(n, ast.FunctionDef)}


CONTRACT = methods(IMPLS / "adapter.py")
REQUIRED = {name for name, m in CONTRACT.items() if "NotImplementedError" in ast.unparse(m)}


def test_the_contract_is_read_as_it_is_written() -> None:
    assert {"__init__", "build", "logits", "loss", "gradients", "step", "wait"} <= REQUIRED
    assert CONTRACT.keys() - REQUIRED == {"memory", "source"}


@each(ADAPTERS)
def test_an_adapter_has_the_contracts_methods_in_the_contracts_order(path: Path) -> None:
    """`memory` may be left out where no device has an allocator to be asked."""
    own = [name for name in methods(path) if name in CONTRACT]
    assert own in (list(CONTRACT), [name for name in CONTRACT if name != "memory"])


@each(ADAPTERS)
def test_an_adapter_takes_the_contracts_arguments(path: Path) -> None:
    for name, method in methods(path).items():
        if name in CONTRACT:
            assert ast.unparse(method.args) == ast.unparse(CONTRACT[name].args), name


@each(ADAPTERS)
def test_an_adapter_says_its_name_and_modes(path: Path) -> None:
    found = frameworks.load(path.parent)  # raises where NAME or MODES are missing or no literals
    assert found.name == path.parent.name
    assert len(set(found.modes)) == len(found.modes) > 0


def test_an_adapter_of_more_than_200_lines_says_why() -> None:
    said = re.findall(r"^- `(impls/\S+\.py)`: \S", CONTRIBUTING.read_text(), re.MULTILINE)
    assert said == [named(path) for path in ADAPTERS if len(path.read_text().splitlines()) > LONG]


def passages(path: Path) -> set[str]:
    """Every few lines in a row of an adapter, without its imports and the contract's signatures."""
    prescribed = {f"def {name}({ast.unparse(m.args)}):" for name, m in CONTRACT.items()}
    whole = path.read_text().partition("\nNAME = ")[2].splitlines()
    lines = [line.strip() for line in whole if line.strip() and line.strip() not in prescribed]
    return {"\n".join(lines[i : i + BLOCK]) for i in range(len(lines) - BLOCK + 1)}


def test_no_block_of_code_stands_in_two_adapters() -> None:
    uses = Counter(passage for path in ADAPTERS for passage in passages(path))
    assert [passage for passage, count in uses.items() if count > 1] == []


@each(ADAPTERS)
def test_an_adapter_never_reads_a_clock(path: Path) -> None:
    assert {"time", "timeit", "datetime"}.isdisjoint(imports(tree(path)))


def test_every_folder_of_impls_is_a_framework() -> None:
    folders = {path.parent.name for path in ADAPTERS}
    assert folders == set(frameworks.discover())


# -- who may speak --------------------------------------------------------------------------------

CLI = REPOSITORY / "bench" / "cli"
SILENT = [p for p in BENCH if CLI not in p.parents and p.name != "__main__.py"]
SPEECH = {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo", "click.secho", "input"}


@each(SILENT)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert [f"{c.lineno}: {ast.unparse(c)}" for c in calls if ast.unparse(c.func) in SPEECH] == []


@each(SILENT)
def test_only_the_command_line_knows_the_console_and_click(path: Path) -> None:
    module = tree(path)
    assert "click" not in set(imports(module))
    assert "bench.console" not in ast.unparse(module)
    assert not re.search(r"from bench import .*\bconsole\b", ast.unparse(module))


# -- what may not be named ------------------------------------------------------------------------

# In parts, so that this file does not hold what it looks for.
HOSTS = [("pypi", "org"), ("pythonhosted", "org"), ("debian", "org"), ("pytorch", "org"),
         ("anaconda", "org"), ("conda", "io"), ("nvidia", "com"), ("ubuntu", "com"),
         ("aliyun", "com"), ("tsinghua", "edu")]  # fmt: skip
PLACES = [("", "root", ""), ("", "opt", "wheels"), ("", "home", ""), ("", "work", ""),
          ("", "tmp", "venv")]  # fmt: skip
INDEX = [("--index", "url"), ("--extra-index", "url"), ("--find", "links")]
FORBIDDEN = re.compile(
    "|".join(
        [rf"(?:[\w-]+\.)+{a}\.{b}\b|\b{a}\.{b}\b" for a, b in HOSTS]
        + [rf"(?<![\w.{{}}/-]){'/'.join(place)}" for place in PLACES]
    )
)
LOCKED = re.compile("|".join("-".join(option) for option in INDEX))


def files() -> list[Path]:
    """Every text file of the repository, those not yet added included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.check_output(command, cwd=REPOSITORY, text=True).split("\0")
    paths = [REPOSITORY / name for name in listed if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    found = [
        f"{named(path)}:{number}: {match.group()}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in FORBIDDEN.finditer(line)
    ]
    assert found == []


@each(sorted(IMPLS.glob("*/requirements*")))
def test_no_lock_says_where_packages_come_from(path: Path) -> None:
    assert not LOCKED.search(path.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "https://download." + "pytorch" + ".org/whl", "deb http://deb." + "debian" + ".org/debian",
        '"' + "/" + "root/.cache", "cd " + "/" + "work/main", "files." + "pythonhosted" + ".org",
    ],
)  # fmt: skip
def test_the_pattern_finds_what_it_is_for(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("text", ["the pytorch organisation", "a/root/b", "{prefix}/home/x"])
def test_the_pattern_lets_other_words_be(text: str) -> None:
    assert not FORBIDDEN.search(text)
