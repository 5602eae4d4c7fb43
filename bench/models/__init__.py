"""The networks, one family per file; a new file here is a new family, and no list is edited.

A module gives its networks as functions marked `@network(C, H, W)`, or, for a family made from a
table, as the dictionary `NETWORKS`.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

from bench.errors import BenchError, unknown
from bench.graph import Graph, Network, build

QUICK = ("lenet5", "alexnet", "vgg16", "googlenet", "resnet50")  # what the quick profile measures


def networks(module: ModuleType) -> dict[str, Network]:
    """The networks that a module defines."""
    marked = {k: v for k, v in vars(module).items() if hasattr(v, "input_shape")}
    return marked | getattr(module, "NETWORKS", {})


@cache
def discover() -> dict[str, Network]:
    """Every network of this package by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {name: net for module in modules for name, net in networks(module).items()}


def from_file(spec: str) -> Graph:
    """The graph of `path/to/file.py:function`."""
    path, _, function = spec.rpartition(":")
    if not Path(path).is_file():
        raise BenchError(f"--model {spec}: there is no file {path!r}")
    module_spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if not module_spec or not module_spec.loader:
        raise BenchError(f"--model {spec}: {path!r} is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    with blamed(spec):
        module_spec.loader.exec_module(module)
    candidates = networks(module)
    if function not in candidates and not hasattr(module, function):
        raise unknown(f"network in {path}", function, candidates)
    with blamed(spec):
        return build(candidates.get(function) or getattr(module, function), name=function)


@contextmanager
def blamed(spec: str) -> Iterator[None]:
    """Say in which line of the user's file an exception came up."""
    try:
        yield
    except BenchError:
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename}:{where.lineno}"
        raise BenchError(f"--model {spec}: {place}: {type(error).__name__}: {error}") from error


def load(name: str) -> Graph:
    """The graph of a network by name, or of `file.py:function`."""
    if ":" in name:
        return from_file(name)
    if name not in discover():
        raise unknown("network", name, discover())
    return build(discover()[name], name=name)


def names(text: str) -> list[str]:
    """The networks that `all`, `quick` or a list with commas means, each once."""
    chosen = {"all": tuple(discover()), "quick": QUICK}.get(text) or text.split(",")
    return list(dict.fromkeys(name.strip() for name in chosen))


def select(text: str) -> list[Graph]:
    """Their graphs; raises BenchError where two have one name."""
    graphs = [load(name) for name in names(text)]
    distinct(graphs)
    return graphs


def distinct(graphs: Sequence[Graph]) -> None:
    """Raises BenchError where two networks have one name: results could not be told apart."""
    seen = Counter(graph.name for graph in graphs)
    for name in (name for name, count in seen.items() if count > 1):
        raise BenchError(f"two networks are named {name!r}: rename one function")
