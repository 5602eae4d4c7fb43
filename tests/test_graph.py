"""Networks: exact counts, names, mistakes reported where they were made, and what crosses."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from bench import models
from bench.errors import BenchError
from bench.graph import Graph, GraphError, Tensor, block, build
from bench.ops import OPS, BatchNorm, Conv, Dropout

Function = Callable[[Tensor], Any]


def toy(x: Tensor) -> Tensor:
    """All that has a default, left to its default."""
    x = x.conv(8, 3).batchnorm().relu().maxpool(2).avgpool(2).dropout(0.5)
    return x.flatten().dense(5)


def made(function: Function, *shape: int) -> Graph:
    return build(function, shape=shape or (3, 9, 11))


# -- every network --------------------------------------------------------------------------------


def test_the_quick_networks_exist() -> None:
    assert set(models.QUICK) <= set(models.discover())


@pytest.mark.parametrize("name", models.discover())
def test_every_network_is_documented_and_can_cross_to_a_worker(name: str) -> None:
    graph = models.load(name)
    assert graph.doc
    assert json.loads(json.dumps(graph.to_json())) == graph.to_json()


# -- names ----------------------------------------------------------------------------------------


@block
def twins(x: Tensor) -> Tensor:
    return x.conv(2, 1).conv(3, 1)


@block
def outer(x: Tensor) -> Tensor:
    return twins(twins(x, name="left"))


def test_nodes_are_numbered_by_operator() -> None:
    graph = made(lambda x: x.relu().conv(4, 1).relu().flatten())
    assert [node.name for node in graph.nodes] == ["relu1", "conv1", "relu2", "flatten1"]


def test_nodes_of_a_block_are_named_after_it_and_its_name_or_number() -> None:
    graph = made(lambda x: twins(twins(x, name="3a")).flatten())
    assert [node.name for node in graph.nodes] == [
        "twins_3a.conv1", "twins_3a.conv2", "twins2.conv1", "twins2.conv2", "flatten1",
    ]  # fmt: skip


def test_blocks_nest() -> None:
    graph = made(lambda x: outer(x, name="b").flatten())
    assert graph.nodes[0].name == "outer_b.twins_left.conv1"
    assert graph.nodes[2].name == "outer_b.twins2.conv1"


def test_a_block_name_given_twice_is_refused() -> None:
    with pytest.raises(GraphError, match=rf"{__file__}:.* named 'twins_a' exists already"):
        made(lambda x: twins(twins(x, name="a"), name="a").flatten())


# -- mistakes -------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[Function, str]] = {
    "kernel too large": (
        lambda x: x.conv(4, (3, 12)),
        r"conv1: conv kernel 12 exceeds the padded input W = 11 \+ 2\*0",
    ),
    "pool too large": (
        lambda x: x.maxpool(14, pad=2),
        r"maxpool1: maxpool kernel 14 exceeds the padded input H = 9 \+ 2\*2",
    ),
    "groups and inputs": (
        lambda x: x.conv(4, 1, groups=2),
        r"conv1: groups = 2 must divide the 3 input and 4 output channels",
    ),
    "groups and outputs": (
        lambda x: x.conv(4, 1, groups=3),
        r"conv1: groups = 3 must divide the 3 input and 4 output channels",
    ),
    "dense on an image": (
        lambda x: x.dense(10),
        r"dense1: dense takes a flat input, got \(3, 9, 11\): call flatten\(\) first",
    ),
    "conv on a vector": (
        lambda x: x.flatten().conv(4, 1),
        r"conv1: conv takes a \(C, H, W\) input, got \(297,\)",
    ),
    "unequal sum": (
        lambda x: x.add(x.conv(4, 1)),
        r"add1: add takes inputs of one shape, got \[\(3, 9, 11\), \(4, 9, 11\)\]",
    ),
    "sum of one": (lambda x: x.add(), r"add1: add takes at least two inputs"),
    "unequal concat": (
        lambda x: x.concat(x.conv(4, 3)),
        r"concat1: concat takes .* equal H and W, got \[\(3, 9, 11\), \(4, 7, 9\)\]",
    ),
    "no outputs": (lambda x: x.conv(0, 1), r"conv1: out = 0 must be a whole number of at least 1"),
    "stride 0": (lambda x: x.maxpool(2, 0), r"maxpool1: stride = \(0, 0\) must be a whole number"),
    "negative pad": (lambda x: x.conv(4, 3, pad=-1), r"conv1: pad = \(-1, -1\) must be .* least 0"),
    "half a pad": (lambda x: x.conv(4, 3, pad=(0.5, 1)), r"conv1: pad = \(0.5, 1\) must be"),
    "a float": (lambda x: x.conv(4, 3.0), r"conv1: kernel = \(3.0, 3.0\) must be a whole number"),
    "a float for LRN": (lambda x: x.lrn(5.0, 1.0, 0.5, 1.0), r"lrn1: size = 5.0 must be a whole"),
    "pad without data": (
        lambda x: x.avgpool(3, pad=2),
        r"avgpool1: pad = \(2, 2\) may be at most half of the kernel \(3, 3\)",
    ),
    "even LRN": (lambda x: x.lrn(4, 1.0, 0.5, 1.0), r"lrn1: size = 4 must be odd"),
    "eps 0": (lambda x: x.batchnorm(0.0), r"batchnorm1: eps = 0.0 must be positive"),
    "rate 1": (lambda x: x.dropout(1.0), r"dropout1: rate = 1.0 must be in \[0, 1\)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_its_line_the_node_the_value_and_what_is_allowed(mistake: str) -> None:
    function, message = MISTAKES[mistake]
    first = inspect.getsourcelines(function)[1]
    with pytest.raises(GraphError, match=message) as caught:
        made(function)
    file, line, _ = str(caught.value).split(":", 2)
    assert file == __file__
    assert first <= int(line) <= first + 1


def test_a_mistake_in_a_block_names_the_line_inside_the_block() -> None:
    @block
    def bad(x: Tensor) -> Tensor:
        x = x.relu()
        return x.dense(3)  # the mistake

    lines, first = inspect.getsourcelines(bad.__wrapped__)
    line = first + next(i for i, text in enumerate(lines) if "the mistake" in text)
    with pytest.raises(GraphError, match=rf"{__file__}:{line}: bad_z\.dense1: "):
        made(lambda x: bad(x, name="z"))


def test_a_node_that_nobody_uses_is_named() -> None:
    def forgetful(x: Tensor) -> Tensor:
        x.conv(4, 1)
        return x.flatten()

    with pytest.raises(GraphError, match=r"'forgetful' computes \['conv1'\] and does not use it"):
        made(forgetful)


def test_a_network_returns_its_last_tensor() -> None:
    def early(x: Tensor) -> Tensor:
        y = x.flatten()
        y.relu()
        return y

    with pytest.raises(GraphError, match=r"'early' computes \['relu1'\]"):
        made(early)


@pytest.mark.parametrize("result", [None, 3])
def test_a_network_returns_a_tensor(result: object) -> None:
    with pytest.raises(GraphError, match=f"returned {result}, not a Tensor"):
        made(lambda x: result)


def test_a_network_ends_in_logits() -> None:
    with pytest.raises(GraphError, match=r"ends in \(4, 9, 11\); logits are flat"):
        made(lambda x: x.conv(4, 1))


def test_a_network_computes_something() -> None:
    with pytest.raises(GraphError, match="returns its input and computes nothing"):
        made(lambda x: x, 10)


def test_a_network_says_its_input() -> None:
    with pytest.raises(GraphError, match=r"'toy' does not say its input.*@network\(C, H, W\)"):
        build(toy)


# -- the JSON -------------------------------------------------------------------------------------


def test_every_attribute_is_resolved_in_the_json() -> None:
    conv, norm, _, pool, *_ = made(toy).to_json()["nodes"]
    assert conv["attrs"] == {
        "out": 8, "kernel": [3, 3], "stride": [1, 1], "pad": [0, 0], "groups": 1, "bias": True,
    }  # fmt: skip
    assert norm["attrs"] == {"eps": 1e-5}
    assert pool["attrs"] == {"kernel": [2, 2], "stride": [1, 1], "pad": [0, 0]}
    for node in made(toy).to_json()["nodes"]:
        assert list(node["attrs"]) == [field.name for field in fields(OPS[node["op"]])]


def test_the_json_says_inputs_shapes_weights_and_cost() -> None:
    data = made(lambda x: x.conv(6, (2, 5), groups=3, bias=False).flatten()).to_json()
    assert data["nodes"][0] | {"attrs": {}} == {
        "name": "conv1", "op": "conv", "attrs": {}, "inputs": ["input"],
        "input_shapes": [[3, 9, 11]], "output": [6, 8, 7], "weights": {"weight": [6, 1, 2, 5]},
        "state": {}, "macs": 6 * 2 * 5 * 8 * 7, "evaluated": True,
    }  # fmt: skip
    assert (data["input"], data["classes"]) == ([3, 9, 11], 6 * 8 * 7)


def test_statistics_are_no_parameters() -> None:
    norm = made(lambda x: x.batchnorm().flatten()).nodes[0]
    assert norm.weights == {"scale": (3,), "shift": (3,)}
    assert norm.state == {"mean": (3,), "variance": (3,)}
    assert norm.params == 6


def test_without_dropout_only_the_rates_change() -> None:
    graph = made(lambda x: x.dropout(0.5).relu().flatten().dropout(0.3))
    quiet = graph.without_dropout()
    assert [n.op.rate for n in quiet.nodes if isinstance(n.op, Dropout)] == [0.0, 0.0]
    assert [n.op.rate for n in graph.nodes if isinstance(n.op, Dropout)] == [0.5, 0.3]
    assert [(n.name, n.inputs) for n in quiet.nodes] == [(n.name, n.inputs) for n in graph.nodes]


def norm_net(eps: float) -> Graph:
    return made(lambda x: x.batchnorm(eps).flatten())


def conv_net(stride: int = 1, pad: int = 1, groups: int = 1, bias: bool = True) -> Graph:
    return made(lambda x: x.conv(3, 3, stride, pad, groups, bias).flatten())


@pytest.mark.parametrize(
    "change", [{"stride": 2}, {"pad": 0}, {"groups": 3}, {"bias": False}], ids=str
)
def test_the_digest_changes_with_every_attribute(change: dict[str, Any]) -> None:
    assert conv_net(**change).digest() != conv_net().digest()


def test_the_digest_changes_with_an_attribute_that_leaves_all_shapes() -> None:
    assert norm_net(1e-5).digest() == norm_net(1e-5).digest() != norm_net(1e-3).digest()


def test_the_digest_changes_with_input_learning_rate_and_order_of_inputs() -> None:
    graph = conv_net()
    assert replace(graph, learning_rate=0.5).digest() != graph.digest()
    assert made(toy).digest() != made(toy, 3, 9, 12).digest()
    swapped = [
        made(lambda x: x.conv(4, 1).concat(x).flatten()),
        made(lambda x: x.concat(x.conv(4, 1)).flatten()),
    ]
    assert swapped[0].digest() != swapped[1].digest()


def test_the_digest_does_not_depend_on_the_name() -> None:
    assert replace(conv_net(), name="other").digest() == conv_net().digest()


# -- a network of the user's own ------------------------------------------------------------------

OWN = """
from bench.graph import network

@network(3, 20, 30)
def small(x):
    "A small one."
    return x.conv(4, 3).relu().global_avgpool().dense(7)

@network(3, 20, 30)
def wrong(x):
    return x.dense(3)

def bare(x):
    return x.flatten()
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    return path


def test_a_users_network_is_loaded_by_file_and_function(own: Path) -> None:
    graph = models.load(f"{own}:small")
    assert (graph.name, graph.input, graph.classes, graph.doc) == (
        "small", (3, 20, 30), 7, "A small one.",
    )  # fmt: skip
    assert graph.params == 4 * 3 * 9 + 4 + 4 * 7 + 7
    assert isinstance(graph.nodes[0].op, Conv)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{folder}/absent.py:small", r"there is no file '.*absent\.py'"),
        ("{folder}/mine.py:smal", r"unknown network in .*'smal'. Did you mean 'small'\?"),
        ("{folder}/mine.py:", r"unknown network in .*Choices: small, wrong"),
        ("{folder}/mine.py:bare", r"'bare' does not say its input"),
        ("{folder}/mine.py:wrong", r"mine\.py:11: dense1: dense takes a flat input"),
    ],
)
def test_a_mistake_with_a_users_file_is_explained(own: Path, spec: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        models.load(spec.format(folder=own.parent))


def test_an_unknown_network_gets_a_suggestion_and_the_choices() -> None:
    with pytest.raises(BenchError, match=r"'lenet'. Did you mean 'lenet5'\? Choices: .*vgg16"):
        models.load("lenet")


def test_a_list_of_networks_has_each_once() -> None:
    assert models.names("lenet5, vgg16,lenet5") == ["lenet5", "vgg16"]
    assert tuple(models.names("quick")) == models.QUICK
    assert models.names("all") == list(models.discover())


def test_batch_norm_keeps_its_default_epsilon() -> None:
    assert BatchNorm() == BatchNorm(1e-5)


MARKED = "from bench.graph import network\n@network(3, 8, 8)\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def net(x:\n", "SyntaxError"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError"),
        (f"{MARKED}def net(x): return x.conv(4)\n", ":3: TypeError"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_users_file_is_an_error_with_its_line(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(BenchError, match=message):
        models.load(f"{tmp_path / 'own.py'}:net")


def test_two_networks_of_one_name_are_refused(tmp_path: Path) -> None:
    text = f"{MARKED}def net(x): return x.flatten().dense(2)\n"
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(BenchError, match="named 'net'"):
        models.select(",".join(f"{tmp_path / name}.py:net" for name in ("a", "b")))
