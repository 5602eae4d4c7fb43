"""The networks: exact counts, the papers' sizes at each stage, what the lessons say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bench import layers, models, reference, weights
from bench.graph import INPUT, Graph, Node

#            parameters, multiply-accumulates of convolution and dense layers
COUNTS = {
    "alexnet": (60_965_224, 724_406_816),
    "alexnet_owt": (61_100_840, 714_188_480),
    "zfnet": (62_357_608, 1_168_032_896),
    "plain20": (269_722, 40_551_040),
    "plain32": (464_154, 68_862_592),
    "plain44": (658_586, 97_174_144),
    "plain56": (853_018, 125_485_696),
    "plain110": (1_727_962, 252_887_680),
    "resnet20": (269_722, 40_551_040),
    "resnet32": (464_154, 68_862_592),
    "resnet44": (658_586, 97_174_144),
    "resnet56": (853_018, 125_485_696),
    "resnet110": (1_727_962, 252_887_680),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "efficientnet_b1": (7_794_184, 686_802_832),
    "efficientnet_b2": (9_109_994, 993_561_872),
    "efficientnet_b3": (12_233_232, 1_827_141_392),
    "efficientnet_b4": (19_341_616, 4_393_771_024),
    "efficientnet_b5": (30_389_784, 10_266_384_752),
    "efficientnet_b6": (43_040_704, 19_067_593_536),
    "efficientnet_b7": (66_347_960, 37_745_884_192),
    "googlenet": (6_998_552, 1_582_671_872),
    "googlenet_aux": (13_378_280, 1_591_044_096),
    "lenet5": (61_706, 416_520),
    "stack3x3x3": (111_242, 346_817_152),
    "conv7x7": (201_354, 629_408_384),
    "inception_naive": (391_466, 303_468_608),
    "inception_reduced": (166_266, 128_051_712),
    "basic_block": (1_183_242, 3_699_378_688),
    "bottleneck_block": (72_970, 218_368_512),
    "mixnet_s": (4_134_606, 239_173_360),
    "mixnet_m": (5_014_382, 339_172_672),
    "mixnet_l": (7_329_252, 555_251_792),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnet50_v1": (25_557_032, 3_857_973_248),
    "resnet101_v1": (44_549_160, 7_570_194_432),
    "resnet152_v1": (60_192_808, 11_282_415_616),
    "shufflenet_v1_g1": (1_531_936, 143_078_976),
    "shufflenet_v1_g2": (1_733_848, 140_836_512),
    "shufflenet_v1_g3": (1_865_728, 137_460_672),
    "shufflenet_v1_g4": (1_968_344, 134_339_776),
    "shufflenet_v1_g8": (2_434_768, 138_365_952),
    "shufflenet_v2_x0_5": (1_366_792, 40_476_448),
    "shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "shufflenet_v2_x1_5": (3_503_624, 295_759_392),
    "shufflenet_v2_x2_0": (7_393_996, 583_253_464),
    "squeezenet1_0": (1_248_424, 818_924_576),
    "squeezenet1_1": (1_235_496, 349_151_936),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),
    "xception": (22_855_952, 8_357_403_496),
}
ROUND = {  # of papers and libraries that give G or M, to their precision
    "mobilenet_v2": 0.301e9,
    "mobilenet_v3_large": 0.217e9,
    "shufflenet_v2_x1_0": 0.145e9,
    "xception": 8.4e9,
    "efficientnet_b0": 0.386e9,
    "efficientnet_b1": 0.687e9,
}
STAGES = {  # output sizes that the papers give
    "zfnet": {"conv1": (96, 110, 110), "maxpool1": (96, 55, 55), "conv2": (256, 26, 26),
              "maxpool2": (256, 13, 13), "maxpool3": (256, 6, 6)},
    "alexnet_owt": {"conv1": (64, 55, 55), "maxpool3": (256, 6, 6), "flatten1": (9216,)},
    "vgg19": {"maxpool1": (64, 112, 112), "maxpool5": (512, 7, 7)},
    "googlenet_aux": {"head_4a.avgpool1": (512, 4, 4), "head_4d.avgpool1": (528, 4, 4),
                      "head_4a.flatten1": (2048,), "inception_5b.concat1": (1024, 7, 7)},
    "resnet18": {"basic_2b.add1": (64, 56, 56), "basic_5b.add1": (512, 7, 7)},
    "resnet152": {"bottleneck_3h.add1": (512, 28, 28), "bottleneck_4b35.add1": (1024, 14, 14)},
    "resnet50_v1": {"bottleneck_v1_3a.conv1": (128, 28, 28), "bottleneck_v1_5c.add1": (2048, 7, 7)},
    "squeezenet1_0": {"conv1": (96, 109, 109), "maxpool1": (96, 54, 54), "maxpool2": (256, 27, 27),
                      "maxpool3": (512, 13, 13), "conv2": (1000, 13, 13)},
    "squeezenet1_1": {"conv1": (64, 111, 111), "maxpool1": (64, 55, 55), "conv2": (1000, 13, 13)},
    "mobilenet_v1": {"conv1": (32, 112, 112), "separable13.conv2": (1024, 7, 7)},
    "mobilenet_v2": {"inverted_2b.add1": (24, 56, 56), "inverted_7a.batchnorm3": (320, 7, 7)},
    "mobilenet_v3_large": {"inverted15.add1": (160, 7, 7), "dense1": (1280,)},
    "mobilenet_v3_small": {"inverted11.add1": (96, 7, 7), "dense1": (1024,)},
    "shufflenet_v1_g3": {"unit_2a.concat1": (240, 28, 28), "unit_4d.add1": (960, 7, 7)},
    "shufflenet_v2_x1_0": {"reduction_2a.concat1": (116, 28, 28), "unit_4d.concat1": (464, 7, 7)},
    "xception": {"conv2": (64, 147, 147), "entry1.add1": (128, 74, 74),
                 "entry3.add1": (728, 19, 19), "leave1.add1": (1024, 10, 10)},
    "mixnet_s": {"mixblock1.add1": (16, 112, 112), "mixblock16.add1": (200, 7, 7)},
    "efficientnet_b0": {"mbconv_3b.add1": (24, 56, 56), "mbconv_8a.batchnorm3": (320, 7, 7)},
    "resnet20": {"residual_2c.add1": (16, 32, 32), "residual_4c.add1": (64, 8, 8)},
}  # fmt: skip


def outputs(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {node.name: node.output for node in graph.nodes}


def node(graph: Graph, name: str) -> Node:
    (found,) = (n for n in graph.nodes if n.name == name)
    return found


def test_every_network_is_counted_here() -> None:
    assert set(COUNTS) == set(models.discover())


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_accumulates_are_exact(name: str) -> None:
    graph = models.load(name)
    assert (graph.params, graph.macs) == COUNTS[name]
    assert name not in ROUND or graph.macs == pytest.approx(ROUND[name], rel=6e-3)


@pytest.mark.parametrize("name", STAGES)
def test_sizes_at_the_stages_are_those_of_the_paper(name: str) -> None:
    found = outputs(models.load(name))
    assert {key: found[key] for key in STAGES[name]} == STAGES[name]


@pytest.mark.parametrize("name", COUNTS)
def test_every_network_is_documented_and_can_cross_to_a_worker(name: str) -> None:
    graph = models.load(name)
    assert graph.doc and "partial(" not in graph.doc
    assert json.loads(json.dumps(graph.to_json())) == graph.to_json()
    assert layers.paper(name)


# -- what tells two definitions apart --------------------------------------------------------------


def test_the_stride_of_a_bottleneck_is_in_its_3x3_or_in_its_first_1x1() -> None:
    new, old = models.load("resnet50"), models.load("resnet50_v1")
    assert node(new, "bottleneck_3a.conv1").op.attributes()["stride"] == [1, 1]
    assert node(new, "bottleneck_3a.conv2").op.attributes()["stride"] == [2, 2]
    assert node(old, "bottleneck_v1_3a.conv1").op.attributes()["stride"] == [2, 2]
    assert new.params == old.params and new.macs > old.macs


def test_auxiliary_classifiers_weigh_0_3_and_are_left_out_of_inference() -> None:
    graph, plain = models.load("googlenet_aux"), models.load("googlenet")
    assert dict(graph.auxiliary) == {"head_4a.dense2": 0.3, "head_4d.dense2": 0.3}
    assert graph.evaluated().params == plain.params
    assert [n.op for n in graph.evaluated().nodes] == [n.op for n in plain.nodes]


def test_shortcuts_of_the_cifar_networks_have_no_parameters() -> None:
    for depth in (20, 56):
        plain, residual = models.load(f"plain{depth}"), models.load(f"resnet{depth}")
        assert (plain.params, plain.macs) == (residual.params, residual.macs)
        kinds = [n.op.kind for n in residual.nodes]
        assert sum(kind in ("conv", "dense") for kind in kinds) == depth


def test_groups_of_shufflenet_reach_its_grouped_convolutions() -> None:
    for groups in (1, 2, 3, 4, 8):
        graph = models.load(f"shufflenet_v1_g{groups}")
        assert node(graph, "unit_2a.conv1").op.attributes()["groups"] == 1
        assert node(graph, "unit_3a.conv1").op.attributes()["groups"] == groups
        assert ("channelshuffle" in {n.op.kind for n in graph.nodes}) == (groups > 1)


def test_stochastic_depth_rises_from_block_to_block() -> None:
    graph = models.load("efficientnet_b0")
    rates = [n.op.attributes()["rate"] for n in graph.nodes if n.op.kind == "stochasticdepth"]
    assert (
        rates == sorted(rates)
        and 0 < rates[0] < 0.03
        and rates[-1] == pytest.approx(0.1875 - 0.0125)
    )


def test_efficientnets_grow_in_width_depth_and_resolution() -> None:
    family = [models.load(f"efficientnet_b{i}") for i in range(8)]
    for attribute in ("params", "macs", "input"):
        values = [getattr(graph, attribute) for graph in family]
        assert values == sorted(values)


# -- the lessons -----------------------------------------------------------------------------------


def inputs(graph: Graph, values: Any, x: Any) -> dict[str, Any]:
    """What each node is given."""
    seen: dict[str, Any] = {}

    def observe(n: Node, given: Any) -> dict[str, Any]:
        seen[n.name] = given
        return {}

    reference.run(graph, values, x, observe=observe)
    return seen


def kernels(graph: Graph) -> int:
    """Parameters of the convolutions alone."""
    return sum(n.params for n in graph.nodes if n.op.kind == "conv")


def test_three_3x3_layers_cost_27_c2_and_one_7x7_costs_49_c2() -> None:
    c = 64
    assert kernels(models.load("stack3x3x3")) == 3 * (3**2 * c**2)
    assert kernels(models.load("conv7x7")) == 7**2 * c**2


def test_both_see_a_window_of_7x7() -> None:
    for name in ("stack3x3x3", "conv7x7"):
        graph = models.load(name)
        last = [n.name for n in graph.nodes if n.op.kind == "relu"][-1]
        values = {k: np.ones_like(v) for k, v in weights.weights(graph).items()}
        x = np.zeros((1, *graph.input))
        x[0, :, 28, 28] = 1
        seen = inputs(graph, values, x)
        reached = np.argwhere(seen["globalavgpool1"][0, 0] > 0)
        assert last and np.ptp(reached, axis=0).tolist() == [6, 6]


def test_reductions_and_bottlenecks_save_work() -> None:
    naive, reduced = models.load("inception_naive"), models.load("inception_reduced")
    assert outputs(naive)["concat1"][0] > outputs(reduced)["inception_3a.concat1"][0]
    assert naive.macs > 2 * reduced.macs
    basic, bottleneck = models.load("basic_block"), models.load("bottleneck_block")
    assert node(basic, "basic1.add1").output == node(bottleneck, "bottleneck1.add1").output
    assert basic.macs > 16 * bottleneck.macs


# -- checks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COUNTS)
def test_networks_without_a_flatten_are_checked_on_smaller_images(name: str) -> None:
    graph = models.load(name)
    fixed = any(n.op.kind == "flatten" for n in graph.nodes) or min(graph.input[1:]) < 128
    assert (graph.for_checks().input == graph.input) == fixed
    assert graph.for_checks().params == graph.params


@pytest.mark.parametrize("name", ["resnet20", "shufflenet_v2_x0_5", "mobilenet_v3_small"])
def test_pictures_are_told_apart_and_every_layer_learns(name: str) -> None:
    graph = models.load(name).for_checks().without_dropout()
    values, (x, y) = weights.weights(graph), weights.batch(graph, 2)
    logits = reference.run(graph, values, x, dtype=np.float32).logits
    assert reference.rms(logits[0] - logits[1]) > 0.05 * reference.rms(logits)
    passed = reference.train(graph, values, x, np.float32)
    gradients = reference.backpropagate(passed, y)[1]
    assert min(reference.rms(g) for g in gradients.values()) > 0
    assert INPUT not in gradients
