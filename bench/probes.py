"""What a contender does beside what was asked, found by doing: how exactly it computes, and whether
its step reads the host's memory.

Precision. Each output of `exact_network` is one product of 1 and 1 + 2^-j; all else that is added
is zero. Of float32, with 23 bits of mantissa, all j arrive (but for the last few where a
convolution is computed by a transform); TF32 and float16 (10 bits) and bfloat16 (7) lose the small
ones, whoever switched them on and whatever the framework says of itself. Asked is the function that
is timed as `inference`. The bits stand in the input, in the weights of the convolution or of the
dense layer, so that these are told apart.

Data. A step is prepared and taken, then the host's arrays are overwritten: if its next update is
not the one that it was prepared for, it reads them each time. On a GPU that is a copy which nobody
would make in his loop. On the CPU it is a fact and no fault: who shares memory with NumPy reads it
without a copy. A step that copies from a hiding place of its own is not seen by this.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench import arrays, parity
from bench.client import Failure, Worker
from bench.graph import Graph, Tensor, build
from bench.parity import LIMIT
from bench.reference import Array, rms

MANTISSA = {"fp32": 23, "tf32": 10, "bf16": 7, "fp16": 10}  # bits that are stored
LEAST = {"fp32": 17, "tf32": 10, "bf16": 6, "fp16": 9}  # of them that must arrive
SLACK = 3  # more bits than this above a reduced precision: it was not reduced
PLACES = ("input", "convolution", "dense")  # where the bits stand
EXPONENTS = np.resize(np.arange(24), 3 * 24)  # j of the channels of a place: a number of them that
BATCH, SIDE = 8, 8  # vector units and tensor cores like
STEPS = 2
CHANGE = 0.05  # of an update: less is rounding


def exact_network(x: Tensor) -> Tensor:
    channels = len(PLACES) * len(EXPONENTS)
    return x.conv(channels, 3, pad=1).global_avgpool().dense(channels)


@cache
def exact() -> Graph:
    """The network whose outputs are single products."""
    return build(exact_network, "exact", (len(PLACES) * len(EXPONENTS), SIDE, SIDE))


def bits_in(place: str) -> Array:
    """For each channel 1 + 2^-j where its bits stand in this place, else 1."""
    values = np.ones((len(PLACES), len(EXPONENTS)), np.float32)
    values[PLACES.index(place)] += np.float32(2.0) ** -EXPONENTS
    return values.ravel()


def values() -> dict[str, Array]:
    """The weights of that network: diagonal matrices, the convolution's in its kernel's centre."""
    conv, _, dense = exact().nodes
    found = {f"{n.name}/{w}": np.zeros(s, np.float32) for n in (conv, dense) for w, s in
             n.weights.items()}  # fmt: skip
    found[f"{conv.name}/weight"][:, :, 1, 1] = np.diag(bits_in("convolution"))
    found[f"{dense.name}/weight"][...] = np.diag(bits_in("dense"))
    return found


def images() -> Array:
    """Images of one pixel, another one in each, so that their mean is exact."""
    x = np.zeros((BATCH, *exact().input), np.float32)
    for number in range(BATCH):
        x[number, :, number, -1 - number] = SIDE * SIDE * bits_in("input")
    return x


def examine(worker: Worker) -> dict[str, Any]:
    """`mantissa`: the bits that arrive, by place; `reads_host`: whether a step reads the host's
    arrays; `unprobed`: why something of these could not be found out, and is None. Replaces the
    network that the worker has."""
    found: dict[str, Any] = {"mantissa": None, "reads_host": None}
    with tempfile.TemporaryDirectory(prefix="convmark-") as folder:
        files = parity.save(Path(folder), exact(), values(), images(), np.arange(BATCH))
        try:
            found["mantissa"] = mantissa(worker, files)
            found["reads_host"] = reads_host(worker, files)
        except (Failure, ValueError) as error:  # ValueError: a result of another shape
            found["unprobed"] = str(error)
    return found


def mantissa(worker: Worker, files: Mapping[str, str]) -> dict[str, int]:
    """How many bits of a mantissa arrive, by place."""
    construct(worker, files)
    out = str(Path(files["graph"]).with_name("logits"))
    worker.call("logits", LIMIT, inputs=files["inputs"], out=out)
    return survived(arrays.read(out)["logits"])


def survived(logits: Array) -> dict[str, int]:
    """Of outputs (N, channels): the largest J such that every 1 + 2^-j, j <= J, is nearer to itself
    than to 1, in every image."""
    places = logits.astype(np.float64).reshape(len(logits), len(PLACES), len(EXPONENTS))
    small = 2.0**-EXPONENTS
    good: Array = np.all(np.abs(places - 1 - small) < small / 2, axis=0)
    lost = [EXPONENTS[~good[number]] for number in range(len(PLACES))]
    return {p: int(min(j, default=24)) - 1 for p, j in zip(PLACES, lost, strict=True)}


def reads_host(worker: Worker, files: Mapping[str, str]) -> bool:
    """Whether overwriting the host's arrays changes the updates of a step that was prepared."""
    plain = updated(worker, files, "update", steps=STEPS)
    changed = updated(worker, files, "overwrite", steps=STEPS)
    whole = rms(plain - np.concatenate([values()[k].ravel() for k in sorted(values())]))
    return bool(rms(changed - plain) > CHANGE * whole)


def updated(worker: Worker, files: Mapping[str, str], verb: str, **arguments: Any) -> Array:
    """All parameters after training steps from the same start."""
    construct(worker, files)
    worker.call(verb, LIMIT, inputs=files["inputs"], **arguments)
    out = str(Path(files["graph"]).with_name("parameters"))
    worker.call("parameters", LIMIT, out=out)
    found = arrays.read(out)
    return np.concatenate([found[k].ravel() for k in sorted(found)])


def construct(worker: Worker, files: Mapping[str, str]) -> None:
    worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])


def charge(found: Mapping[str, Any], precision: str, device: str) -> str:
    """What is wrong with what was found, in words; empty for nothing."""
    bits = found.get("mantissa") or {}
    poor = {place: n for place, n in bits.items() if n < LEAST[precision]}
    rich = bool(bits) and min(bits.values()) > MANTISSA[precision] + SLACK
    if poor:
        where = ", ".join(f"{n} in the {place}" for place, n in poor.items())
        return f"computes with {named(min(poor.values()))}, not {precision}: mantissa bits {where}"
    if rich and precision != "tf32":  # which is a permission: small shapes may do without
        return f"computes with {named(min(bits.values()))}, not {precision}"
    if found.get("reads_host") and device != "cpu":
        return "moves data in the step: overwriting the host's arrays changes its result"
    return ""


def named(bits: int) -> str:
    """The format that has so many bits of mantissa."""
    if bits >= LEAST["fp32"]:
        return "float32"
    if bits >= LEAST["fp16"]:
        return "TF32 or float16"
    return "bfloat16" if bits >= LEAST["bf16"] else f"{bits} bits of mantissa"
