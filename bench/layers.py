"""The layer table of a network, as a teacher would write it on a slide.

Sizes are for one image in float32. Every number that follows from others is written out as the
arithmetic that gives it: `55 = (227-11)/4+1`, `(11*11*3)*96 + 96`.
"""

from __future__ import annotations

import ast
import csv
import importlib
import inspect
import io
import pkgutil
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from bench import models
from bench.graph import INPUT, Graph, Node
from bench.ops import AvgPool, Concat, Conv, Dense, Flatten, MaxPool, Pair, Shape, Slice

BYTES = 4  # of a float32
COLUMNS = ("layer", "operator", "kernel", "output", "output size", "parameters", "=", "MACs",
           "activation bytes")  # fmt: skip
WORDS = 6  # the first columns are text, the others numbers


def layers(graph: Graph, paper: str = "") -> dict[str, Any]:
    """Name, paper, totals and a row for each node: the JSON of `bench show`."""
    evaluated = {node.name for node in graph.evaluated().nodes}
    return {
        "name": graph.name,
        "paper": paper,
        "definition": graph.doc,
        "input": list(graph.input),
        "params": graph.params,
        "training_only_params": graph.params - graph.evaluated().params,
        "macs": graph.macs,
        "activation_bytes": sum(prod(node.output) for node in graph.nodes) * BYTES,
        "weighted_layers": sum(weighted(node) for node in graph.nodes),
        "depth": depth(graph),
        "layers": [row(node) | {"training_only": node.name not in evaluated}
                   for node in graph.nodes],
    }  # fmt: skip


def row(node: Node) -> dict[str, Any]:
    """One node: what it is, and its sizes as arithmetic and as numbers."""
    return {
        "name": node.name,
        "op": node.op.kind,
        "kernel": kernel(node),
        "output": list(node.output),
        "size": size(node),
        "arithmetic": node.op.arithmetic(*node.input_shapes),
        "params": node.params,
        "macs": node.macs,
        "activation_bytes": prod(node.output) * BYTES,
    }


def weighted(node: Node) -> bool:
    """Whether papers count it as a layer: convolution and dense; batch norm goes with them."""
    return isinstance(node.op, Conv | Dense)


def depth(graph: Graph) -> int:
    """Layers with weights on the longest way to the logits: the 50 of ResNet-50."""
    longest = {INPUT: 0}
    for node in graph.nodes:
        longest[node.name] = weighted(node) + max(longest[name] for name in node.inputs)
    return longest[graph.nodes[-1].name]


# -- where a network comes from -------------------------------------------------------------------


def paper(spec: str) -> str:
    """What the file of a network, by name or `file.py:function`, says of its paper."""
    path, colon, _ = spec.rpartition(":")
    if colon:
        return ast.get_docstring(ast.parse(Path(path).read_bytes())) or ""
    for module in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        loaded = importlib.import_module(module.name)
        if spec in models.networks(loaded):
            return inspect.cleandoc(loaded.__doc__ or "")
    return ""


# -- arithmetic -----------------------------------------------------------------------------------


def times(shape: Shape | list[int]) -> str:
    """3 x 3 as `3*3`, in the document's manner."""
    return "*".join(map(str, shape))


def kernel(node: Node) -> str:
    """Kernel, stride, pad and groups, those that say something; empty for other operators."""
    op = node.op
    if not isinstance(op, Conv | MaxPool | AvgPool):
        return ""
    text = times(op.kernel)
    text += f" / {single(op.stride)}" if op.stride != (1, 1) else ""
    text += f" pad {single(op.pad)}" if op.pad != (0, 0) else ""
    groups = getattr(op, "groups", 1)
    return text + (f" groups {groups}" if groups > 1 else "")


def single(values: Pair) -> str:
    """2 for (2, 2), else both."""
    return str(values[0]) if values[0] == values[1] else times(values)


def size(node: Node) -> str:
    """How the output's size follows from the input's: `55 = (227-11)/4+1`; empty if it stays."""
    op, shapes = node.op, node.input_shapes
    if isinstance(op, Conv | MaxPool | AvgPool):
        axes = zip(node.output[1:], shapes[0][1:], op.kernel, op.stride, op.pad, strict=True)
        return ", ".join(dict.fromkeys(f"{out} = {window(*axis)}" for out, *axis in axes))
    if isinstance(op, Concat):
        return f"{node.output[0]} = {'+'.join(str(shape[0]) for shape in shapes)}"
    if isinstance(op, Flatten):
        return f"{node.output[0]} = {times(shapes[0])}"
    if isinstance(op, Slice):
        return f"{node.output[0]} = {op.stop}-{op.start}"
    return ""


def window(size: int, kernel: int, stride: int, pad: int) -> str:
    """Places of a sliding window, with floor only where the division leaves a rest."""
    padded = f"{size}+2*{pad}-{kernel}" if pad else f"{size}-{kernel}"
    if stride == 1:
        return f"{padded}+1"
    exact = (size + 2 * pad - kernel) % stride == 0
    return f"({padded})/{stride}+1" if exact else f"floor(({padded})/{stride})+1"


# -- text -----------------------------------------------------------------------------------------


def cells(row: dict[str, Any]) -> list[str | int]:
    """A row in the order of COLUMNS."""
    name = row["name"] + (" (training only)" if row["training_only"] else "")
    words = [name, row["op"], row["kernel"], times(row["output"]), row["size"]]
    return [*words, row["arithmetic"] or "0", row["params"], row["macs"], row["activation_bytes"]]


def grouped(cell: str | int) -> str:
    """Numbers with separators of thousands."""
    return f"{cell:,}" if isinstance(cell, int) else cell


def totals(found: Mapping[str, Any]) -> str:
    """The sentence below the table."""
    extra = found["training_only_params"]
    return (
        f"{found['params']:,} parameters{f' ({extra:,} of them in training only)' * bool(extra)}, "
        f"{found['macs']:,} multiply-accumulates and {found['activation_bytes']:,} activation "
        f"bytes for one image in float32; {found['weighted_layers']} layers with weights, "
        f"{found['depth']} on the longest way."
    )


def markdown(found: dict[str, Any]) -> str:
    """A section in GitHub's Markdown: paper, definition, table, totals."""
    rule = ["---"] * WORDS + ["---:"] * (len(COLUMNS) - WORDS)
    body = [[escaped(grouped(cell)) for cell in cells(row)] for row in found["layers"]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [COLUMNS, rule, *body])
    words = [f"## {escaped(found['name'])}", escaped(found["paper"]), escaped(found["definition"])]
    input_ = f"Input: {escaped(times(found['input']))}"
    return "\n\n".join(filter(None, [*words, input_, table, totals(found)]))


def escaped(text: str) -> str:
    r"""Text that Markdown takes for nothing but text: 3\*3 would be emphasis, | a column."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|&~$" else c for c in text)


def comma_separated(found: dict[str, Any]) -> str:
    """The rows as CSV, numbers plain."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *(cells(row) for row in found["layers"])])
    return text.getvalue().removesuffix("\n")


WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {"md": markdown, "csv": comma_separated}
