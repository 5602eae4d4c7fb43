"""The networks: exact counts, sizes at each stage of the papers, and what sets them apart."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from bench import models
from bench.graph import Graph, build
from bench.models.efficientnet import scaled
from bench.models.mixnet import mixed
from bench.models.mobilenet_v2 import divisible
from bench.ops import (
    AvgPool,
    BatchNorm,
    ChannelShuffle,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Multiply,
    Op,
    Shape,
    StochasticDepth,
)

CLASSES = 1000

#                      size      parameters            MACs      <- of the papers, or published with
TABLE: dict[str, tuple[int, int, int]] = {  #                        weights; multiply-adds of
    "lenet5": (32, 61_706, 416_520),  #                              convolutions and dense layers
    "alexnet": (227, 60_965_224, 724_406_816),
    "alexnet_owt": (224, 61_100_840, 714_188_480),
    "zfnet": (224, 62_357_608, 1_168_032_896),
    "vgg11": (224, 132_863_336, 7_609_090_048),
    "vgg13": (224, 133_047_848, 11_308_466_176),
    "vgg16": (224, 138_357_544, 15_470_264_320),
    "vgg19": (224, 143_667_240, 19_632_062_464),
    "googlenet": (224, 6_998_552, 1_582_671_872),
    "googlenet_aux": (224, 13_378_280, 1_591_044_096),
    "resnet18": (224, 11_689_512, 1_814_073_344),
    "resnet34": (224, 21_797_672, 3_663_761_408),
    "resnet50": (224, 25_557_032, 4_089_184_256),
    "resnet101": (224, 44_549_160, 7_801_405_440),
    "resnet152": (224, 60_192_808, 11_513_626_624),
    "resnet50_v1": (224, 25_557_032, 3_857_973_248),
    "resnet101_v1": (224, 44_549_160, 7_570_194_432),
    "resnet152_v1": (224, 60_192_808, 11_282_415_616),
    "squeezenet1_0": (224, 1_248_424, 832_667_936),
    "squeezenet1_1": (224, 1_235_496, 349_151_936),
    "mobilenet_v1": (224, 4_231_976, 568_740_352),
    "mobilenet_v2": (224, 3_504_872, 300_774_272),
    "mobilenet_v3_large": (224, 5_483_032, 216_589_760),
    "mobilenet_v3_small": (224, 2_542_856, 56_510_400),
    "shufflenet_v1_g1": (224, 1_531_936, 143_078_976),
    "shufflenet_v1_g2": (224, 1_733_848, 140_836_512),
    "shufflenet_v1_g3": (224, 1_865_728, 137_460_672),
    "shufflenet_v1_g4": (224, 1_968_344, 134_339_776),
    "shufflenet_v1_g8": (224, 2_434_768, 138_365_952),
    "shufflenet_v2_x0_5": (224, 1_366_792, 40_476_448),
    "shufflenet_v2_x1_0": (224, 2_278_604, 144_907_992),
    "shufflenet_v2_x1_5": (224, 3_503_624, 295_759_392),
    "shufflenet_v2_x2_0": (224, 7_393_996, 583_253_464),
    "xception": (299, 22_855_952, 8_357_403_496),
    "mixnet_s": (224, 4_134_606, 239_173_360),
    "mixnet_m": (224, 5_014_382, 339_172_672),
    "mixnet_l": (224, 7_329_252, 555_251_792),
    "efficientnet_b0": (224, 5_288_548, 385_814_752),
    "efficientnet_b1": (240, 7_794_184, 686_802_832),
    "efficientnet_b2": (260, 9_109_994, 993_561_872),
    "efficientnet_b3": (300, 12_233_232, 1_827_141_392),
    "efficientnet_b4": (380, 19_341_616, 4_393_771_024),
    "efficientnet_b5": (456, 30_389_784, 10_266_384_752),
    "efficientnet_b6": (528, 43_040_704, 19_067_593_536),
    "efficientnet_b7": (600, 66_347_960, 37_745_884_192),
    "plain20": (32, 269_722, 40_551_040),
    "plain32": (32, 464_154, 68_862_592),
    "plain44": (32, 658_586, 97_174_144),
    "plain56": (32, 853_018, 125_485_696),
    "plain110": (32, 1_727_962, 252_887_680),
    "resnet20": (32, 269_722, 40_551_040),
    "resnet32": (32, 464_154, 68_862_592),
    "resnet44": (32, 658_586, 97_174_144),
    "resnet56": (32, 853_018, 125_485_696),
    "resnet110": (32, 1_727_962, 252_887_680),
    "stack3x3x3": (56, 111_498, 347_419_264),
    "conv7x7": (56, 201_610, 630_010_496),
    "inception_naive": (28, 1_097_706, 854_805_056),
    "inception_reduced": (28, 394_570, 304_874_176),
    "basic_block": (28, 1_184_266, 925_448_704),
    "bottleneck_block": (28, 73_994, 55_196_160),
}
TEN = {name for name, (size, *_) in TABLE.items() if size < 100}  # classes

SHAPES: dict[str, dict[str, Shape]] = {  # of nodes that the papers give
    "lenet5": {"conv1": (6, 28, 28), "maxpool1": (6, 14, 14), "conv2": (16, 10, 10),
               "flatten1": (400,), "dense1": (120,), "dense2": (84,)},
    "alexnet": {"conv1": (96, 55, 55), "maxpool1": (96, 27, 27), "conv2": (256, 27, 27),
                "conv3": (384, 13, 13), "maxpool3": (256, 6, 6), "flatten1": (9216,)},
    "alexnet_owt": {"conv1": (64, 55, 55), "conv2": (192, 27, 27), "conv3": (384, 13, 13),
                    "conv4": (256, 13, 13), "maxpool3": (256, 6, 6)},
    "zfnet": {"conv1": (96, 110, 110), "maxpool1": (96, 55, 55), "conv2": (256, 26, 26),
              "maxpool2": (256, 13, 13), "conv4": (384, 13, 13), "maxpool3": (256, 6, 6)},
    "vgg16": {"conv1": (64, 224, 224), "maxpool1": (64, 112, 112), "maxpool5": (512, 7, 7),
              "flatten1": (25088,)},
    "vgg19": {"conv16": (512, 14, 14), "maxpool5": (512, 7, 7)},
    "googlenet": {"conv1": (64, 112, 112), "maxpool2": (192, 28, 28),
                  "inception_3a.concat1": (256, 28, 28), "inception_3b.concat1": (480, 28, 28),
                  "inception_4a.concat1": (512, 14, 14), "inception_4e.concat1": (832, 14, 14),
                  "inception_5b.concat1": (1024, 7, 7), "globalavgpool1": (1024,)},
    "googlenet_aux": {"head_4a.avgpool1": (512, 4, 4), "head_4d.avgpool1": (528, 4, 4),
                      "head_4d.dense1": (1024,), "head_4d.dense2": (1000,)},
    "resnet18": {"maxpool1": (64, 56, 56), "basic_2b.add1": (64, 56, 56),
                 "basic_5b.add1": (512, 7, 7)},
    "resnet34": {"basic_3d.add1": (128, 28, 28), "basic_4f.add1": (256, 14, 14)},
    "resnet50": {"conv1": (64, 112, 112), "maxpool1": (64, 56, 56),
                 "bottleneck_2c.add1": (256, 56, 56), "bottleneck_3d.add1": (512, 28, 28),
                 "bottleneck_4f.add1": (1024, 14, 14), "bottleneck_5c.add1": (2048, 7, 7)},
    "resnet152": {"bottleneck_4z.add1": (1024, 14, 14), "bottleneck_4aj.add1": (1024, 14, 14)},
    "squeezenet1_0": {"conv1": (96, 111, 111), "maxpool1": (96, 55, 55),
                      "fire_4.concat1": (256, 55, 55), "maxpool2": (256, 27, 27),
                      "fire_8.concat1": (512, 27, 27), "fire_9.concat1": (512, 13, 13),
                      "conv2": (1000, 13, 13)},
    "squeezenet1_1": {"conv1": (64, 111, 111), "fire_3.concat1": (128, 55, 55),
                      "fire_5.concat1": (256, 27, 27), "conv2": (1000, 13, 13)},
    "mobilenet_v1": {"conv1": (32, 112, 112), "separable1.conv2": (64, 112, 112),
                     "separable6.conv2": (512, 14, 14), "separable13.conv1": (1024, 7, 7)},
    "mobilenet_v2": {"conv1": (32, 112, 112), "inverted1.batchnorm2": (16, 112, 112),
                     "inverted2.conv1": (96, 112, 112), "inverted3.add1": (24, 56, 56),
                     "inverted17.batchnorm3": (320, 7, 7), "globalavgpool1": (1280,)},
    "mobilenet_v3_large": {"inverted1.add1": (16, 112, 112), "inverted4.excite1.dense1": (24,),
                           "inverted15.add1": (160, 7, 7), "conv2": (960, 7, 7),
                           "dense1": (1280,)},
    "mobilenet_v3_small": {"inverted1.excite1.dense1": (8,), "inverted11.add1": (96, 7, 7),
                           "conv2": (576, 7, 7), "dense1": (1024,)},
    "shufflenet_v1_g3": {"conv1": (24, 112, 112), "maxpool1": (24, 56, 56),
                         "unit1.conv1": (60, 56, 56), "unit1.concat1": (240, 28, 28),
                         "unit12.add1": (480, 14, 14), "unit16.add1": (960, 7, 7)},
    "shufflenet_v1_g8": {"unit4.add1": (384, 28, 28), "unit16.add1": (1536, 7, 7)},
    "shufflenet_v2_x1_0": {"maxpool1": (24, 56, 56), "down1.concat1": (116, 28, 28),
                           "unit3.concat1": (116, 28, 28), "unit10.concat1": (232, 14, 14),
                           "unit13.concat1": (464, 7, 7), "conv2": (1024, 7, 7)},
    "xception": {"conv1": (32, 149, 149), "conv2": (64, 147, 147), "down_2.add1": (128, 74, 74),
                 "down_3.add1": (256, 37, 37), "down_4.add1": (728, 19, 19),
                 "middle_12.add1": (728, 19, 19), "down_13.add1": (1024, 10, 10),
                 "globalavgpool1": (2048,)},
    "mixnet_s": {"conv1": (16, 112, 112), "unit3.add1": (24, 56, 56), "unit7.add1": (40, 28, 28),
                 "unit13.add1": (120, 14, 14), "unit16.add1": (200, 7, 7), "conv2": (1536, 7, 7)},
    "mixnet_l": {"conv1": (32, 112, 112), "unit18.add1": (264, 7, 7), "conv2": (1536, 7, 7)},
    "efficientnet_b0": {"conv1": (32, 112, 112), "mbconv1.batchnorm2": (16, 112, 112),
                        "mbconv2.conv1": (96, 112, 112), "mbconv2.excite1.dense1": (4,),
                        "mbconv3.add1": (24, 56, 56), "mbconv5.add1": (40, 28, 28),
                        "mbconv8.add1": (80, 14, 14), "mbconv11.add1": (112, 14, 14),
                        "mbconv15.add1": (192, 7, 7), "conv2": (1280, 7, 7)},
    "efficientnet_b7": {"conv1": (64, 300, 300), "mbconv55.add1": (640, 19, 19),
                        "conv2": (2560, 19, 19)},
    "resnet20": {"residual_1_3.add1": (16, 32, 32), "residual_2_1.concat1": (32, 16, 16),
                 "residual_3_3.add1": (64, 8, 8)},
    "plain20": {"plain_1_3.conv2": (16, 32, 32), "plain_3_3.conv2": (64, 8, 8)},
    "stack3x3x3": {"conv4": (64, 56, 56)},
    "conv7x7": {"conv2": (64, 56, 56)},
    "inception_naive": {"naive1.concat1": (672, 28, 28)},
    "inception_reduced": {"inception1.concat1": (480, 28, 28)},
}  # fmt: skip


@cache
def graph(name: str) -> Graph:
    return models.load(name)


Kind = TypeVar("Kind", bound=Op)


def ops(name: str, kind: type[Kind]) -> list[Kind]:
    return [node.op for node in graph(name).nodes if isinstance(node.op, kind)]


def weights(name: str, *nodes: str) -> int:
    """Trainable parameters of some nodes, or blocks."""
    return sum(n.params for n in graph(name).nodes if n.name.startswith(nodes))


# -- counts and sizes -----------------------------------------------------------------------------


def test_every_network_has_its_exact_counts_in_a_test() -> None:
    """In the table, or where it is a new one in a test of its own, `tests/test_<file>.py`, which
    names it."""
    assert set(TABLE) <= set(models.discover())
    assert [
        name for name in models.discover() if name not in TABLE and not has_its_own_test(name)
    ] == []


def has_its_own_test(name: str) -> bool:
    module = models.discover()[name].__module__.rpartition(".")[2]
    path = Path(__file__).with_name(f"test_{module}.py")
    return path.is_file() and bool(re.search(rf"\b{name}\b", path.read_text()))


@pytest.mark.parametrize("name", TABLE)
def test_counts_are_those_of_the_paper(name: str) -> None:
    size, params, macs = TABLE[name]
    net = graph(name)
    assert (net.name, net.input) == (name, (1 if name == "lenet5" else 3, size, size))
    assert net.classes == (10 if name in TEN else CLASSES)
    assert (net.params, net.macs) == (params, macs)


@pytest.mark.parametrize("name", SHAPES)
def test_output_shapes_are_those_of_the_paper(name: str) -> None:
    outputs = {node.name: node.output for node in graph(name).nodes}
    assert {node: outputs.get(node) for node in SHAPES[name]} == SHAPES[name]


def test_first_convolution_of_alexnet_has_the_parameters_of_the_document() -> None:
    assert graph("alexnet").nodes[0].params == 34_944


FIXED = {"lenet5", "alexnet", "alexnet_owt", "zfnet", "vgg11", "vgg13", "vgg16", "vgg19",
         "googlenet_aux"}  # fmt: skip


def test_only_these_networks_have_dense_layers_that_fix_their_size() -> None:
    assert {name for name in TABLE if ops(name, Flatten)} == FIXED


@pytest.mark.parametrize("name", sorted(TABLE.keys() - FIXED))
def test_the_others_can_be_built_smaller_with_the_same_parameters(name: str) -> None:
    small = build(models.discover()[name], name, shape=(3, 96, 96))
    assert {n.name: n.weights for n in small.nodes} == {
        n.name: n.weights for n in graph(name).nodes
    }


OFF_CENTRE = {  # pads of the first layers, where they are not half of the kernel
    "lenet5": [0, 0], "alexnet": [0], "alexnet_owt": [2], "zfnet": [1, 0], "xception": [0, 0],
    "squeezenet1_0": [2], "squeezenet1_1": [0],
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_padding_keeps_odd_kernels_centred(name: str) -> None:
    off = [op.pad for op in ops(name, Conv) if op.pad != tuple(k // 2 for k in op.kernel)]
    assert off == [(pad, pad) for pad in OFF_CENTRE.get(name, [])]


# -- what sets definitions apart ------------------------------------------------------------------


PROJECTION = re.compile(r"bottleneck_\w+\.conv4|basic_\w+\.conv3")  # on shortcuts


def convolutions(name: str) -> list[Conv]:
    """Off the shortcuts."""
    nodes = [node for node in graph(name).nodes if not PROJECTION.match(node.name)]
    return [node.op for node in nodes if isinstance(node.op, Conv)]


@pytest.mark.parametrize(("suffix", "kernel"), [("", 3), ("_v1", 1)])
@pytest.mark.parametrize("depth", [50, 101, 152])
def test_the_stride_is_in_the_3x3_or_in_the_first_1x1(depth: int, suffix: str, kernel: int) -> None:
    _, *inside = convolutions(f"resnet{depth}{suffix}")
    assert [op.kernel for op in inside if op.stride == (2, 2)] == [(kernel, kernel)] * 3


def test_auxiliary_classifiers_are_googlenets_and_change_nothing_else() -> None:
    aux = graph("googlenet_aux")
    assert aux.auxiliary == (("head_4a.dense2", 0.3), ("head_4d.dense2", 0.3))
    assert aux.evaluated().digest() == graph("googlenet").digest()
    assert [n for n in TABLE if graph(n).auxiliary] == ["googlenet_aux"]


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_plain_and_residual_have_the_same_weights(depth: int) -> None:
    plain, residual = (
        [list(n.weights.values()) for n in graph(f"{kind}{depth}").nodes if n.weights]
        for kind in ("plain", "resnet")
    )
    assert plain == residual
    assert len(ops(f"plain{depth}", Conv)) + 1 == depth
    assert not [n for n in graph(f"plain{depth}").nodes if n.op.kind == "add"]
    assert len([n for n in graph(f"resnet{depth}").nodes if n.op.kind == "add"]) == (depth - 2) // 2


def test_shortcuts_without_parameters_take_every_other_pixel() -> None:
    assert ops("resnet20", AvgPool) == [AvgPool((1, 1), (2, 2))] * 2


UNSEEN = ("conv", "dense", "batchnorm", "dropout", "flatten", "globalavgpool")
OPERATORS = {  # without parameters, so that no count above sees them
    "alexnet_owt": {"relu": 7, "maxpool": 3},
    "zfnet": {"relu": 7, "maxpool": 3, "lrn": 2},
    "vgg19": {"relu": 18, "maxpool": 5},
    "googlenet": {"relu": 9 * 6 + 3, "maxpool": 9 + 4, "lrn": 2, "concat": 9},
    "resnet34": {"relu": 33, "maxpool": 1, "add": 16},
    "resnet152": {"relu": 151, "maxpool": 1, "add": 50},
    "squeezenet1_1": {"relu": 8 * 3 + 2, "maxpool": 3, "concat": 8},
    "mobilenet_v1": {"relu": 27},
    "mobilenet_v2": {"relu6": 17 * 2 - 1 + 2, "add": 10},
    "mobilenet_v3_large": {"hardswish": 9 * 2 + 3, "relu": 6 * 2 - 1 + 8, "add": 10,
                           "hardsigmoid": 8, "multiply": 8},
    "mobilenet_v3_small": {"hardswish": 8 * 2 + 3, "relu": 3 * 2 - 1 + 9, "add": 6,
                           "hardsigmoid": 9, "multiply": 9},
    "shufflenet_v1_g3": {"relu": 16 * 2 + 1, "maxpool": 1, "channelshuffle": 16, "avgpool": 3,
                         "concat": 3, "add": 13},
    "shufflenet_v2_x1_0": {"relu": 3 * 3 + 13 * 2 + 2, "maxpool": 1, "concat": 16,
                           "channelshuffle": 16, "slice": 13 * 2},
    "xception": {"relu": 2 + 5 + 8 * 3 + 2 + 2, "maxpool": 4, "add": 12},
    "mixnet_s": {"relu": 3 * 2 - 1 + 2, "swish": 13 * 3, "sigmoid": 13, "multiply": 13, "add": 11,
                 "concat": 13, "slice": 3 + 3 * 2 + 3 + 2 * 2 + 3 + 2 * 4 + 5 + 2 * 4},
    "mixnet_m": {"relu": 3 * 2 - 1 + 2, "swish": 16 * 3, "sigmoid": 16, "multiply": 16, "add": 14,
                 "concat": 16, "slice": 3 + 4 + 3 * 2 + 3 + 3 * 4 + 3 * 4 + 4 + 3 * 4},
    "efficientnet_b0": {"swish": 16 * 3 - 1 + 2, "sigmoid": 16, "multiply": 16, "add": 9,
                        "stochasticdepth": 9},
    "plain20": {"relu": 19},
    "resnet20": {"relu": 19, "add": 9, "avgpool": 2, "slice": 2 * 2, "concat": 2},
    "inception_naive": {"relu": 4, "maxpool": 1, "concat": 1},
    "basic_block": {"relu": 3, "add": 1},
    "bottleneck_block": {"relu": 4, "add": 1},
    "stack3x3x3": {"relu": 4},
    "conv7x7": {"relu": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_without_parameters_are_as_many_as_in_the_paper(name: str) -> None:
    kinds = Counter(node.op.kind for node in graph(name).nodes)
    assert {kind: n for kind, n in kinds.items() if kind not in UNSEEN} == OPERATORS[name]


@pytest.mark.parametrize(
    ("name", "layers"),
    [("vgg11", 11), ("vgg13", 13), ("vgg16", 16), ("vgg19", 19), ("resnet18", 18), ("resnet34", 34),
     ("resnet50", 50), ("resnet101", 101), ("resnet152", 152), ("resnet50_v1", 50)],
)  # fmt: skip
def test_the_number_in_the_name_counts_layers_off_the_shortcuts(name: str, layers: int) -> None:
    assert len(convolutions(name)) + len(ops(name, Dense)) == layers


LARGE_EPS = re.compile("mobilenet_v3_|xception|mixnet_|efficientnet_")


@pytest.mark.parametrize("name", TABLE)
def test_batch_norms_have_the_epsilon_of_the_definition(name: str) -> None:
    large = LARGE_EPS.match(name)
    assert {op.eps for op in ops(name, BatchNorm)} <= {1e-3 if large else 1e-5}
    assert ops(name, BatchNorm) or not large


def test_no_convolution_before_a_batch_norm_has_a_bias() -> None:
    for name in TABLE:
        nodes = {node.name: node for node in graph(name).nodes}
        norms = [node for node in nodes.values() if node.op.kind == "batchnorm"]
        before = [nodes[i].op for node in norms for i in node.inputs]
        assert not [op for op in before if isinstance(op, Conv) and op.bias], name


RATES = {
    "alexnet": [0.5, 0.5], "vgg16": [0.5, 0.5], "googlenet": [0.4],
    "googlenet_aux": [0.7, 0.7, 0.4], "squeezenet1_0": [0.5], "mobilenet_v2": [0.2],
    "mobilenet_v3_large": [0.2], "resnet50": [], "mixnet_s": [0.2], "mixnet_l": [0.25],
    "efficientnet_b0": [0.2], "efficientnet_b3": [0.3], "efficientnet_b5": [0.4],
    "efficientnet_b7": [0.5],
}  # fmt: skip


@pytest.mark.parametrize("name", RATES)
def test_dropout_has_the_rate_of_the_paper(name: str) -> None:
    assert [op.rate for op in ops(name, Dropout) if type(op) is Dropout] == RATES[name]


def test_stochastic_depth_rises_linearly_where_there_are_shortcuts() -> None:
    rates = [op.rate for op in ops("efficientnet_b0", StochasticDepth)]
    assert rates == pytest.approx([0.2 * i / 16 for i in (2, 4, 6, 7, 9, 10, 12, 13, 14)])
    assert {n for n in TABLE if ops(n, StochasticDepth)} == {f"efficientnet_b{i}" for i in range(8)}


@pytest.mark.parametrize(("depth", "blocks"), [(1.0, 16), (1.1, 23), (1.8, 32), (3.1, 55)])
def test_efficientnets_get_deeper(depth: float, blocks: int) -> None:
    assert len(scaled(1.0, depth)) == blocks


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(32, 32), (35.2, 32), (11, 16), (10, 16), (9, 16), (8.5, 8), (3, 8), (36, 40), (19.2, 24)],
)
def test_widths_are_rounded_to_eight_and_lose_at_most_a_tenth(
    channels: float, rounded: int
) -> None:
    assert divisible(channels) == rounded


GATES = {"mobilenet_v3_large": 8, "mobilenet_v3_small": 9, "mixnet_s": 13, "efficientnet_b0": 16,
         "mobilenet_v2": 0}  # fmt: skip


@pytest.mark.parametrize("name", GATES)
def test_squeeze_and_excite_stands_in_as_many_blocks_as_the_table_says(name: str) -> None:
    assert len(ops(name, Multiply)) == GATES[name]


def test_gates_are_hard_in_mobilenet_and_smooth_in_its_successors() -> None:
    for name, kind in (("mobilenet_v3_small", "hardsigmoid"), ("efficientnet_b0", "sigmoid")):
        kinds = Counter(node.op.kind for node in graph(name).nodes)
        assert kinds[kind] == kinds["multiply"]


def test_mixed_kernels_take_equal_parts_and_the_first_what_is_left() -> None:
    net = build(lambda x: mixed(x, (3, 5, 7), 2).global_avgpool(), "mixed", shape=(8, 13, 9))
    convs = [node for node in net.nodes if isinstance(node.op, Conv)]
    assert [(n.op.kernel[0], n.op.groups, n.output) for n in convs if isinstance(n.op, Conv)] == [
        (3, 4, (4, 7, 5)), (5, 2, (2, 7, 5)), (7, 2, (2, 7, 5)),
    ]  # fmt: skip


def test_mixnet_has_kernels_from_3_to_11() -> None:
    kernels = {op.kernel[0] for op in ops("mixnet_s", Conv) if op.groups > 2}
    assert kernels == {3, 5, 7, 9, 11}


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_shufflenet_groups_all_pointwise_layers_but_the_first(groups: int) -> None:
    name = f"shufflenet_v1_g{groups}"
    first, *others = [op.groups for op in ops(name, Conv) if op.kernel == (1, 1)]
    assert (first, set(others), len(others)) == (1, {groups}, 31)
    assert {op.groups for op in ops(name, ChannelShuffle)} == ({groups} if groups > 1 else set())
    assert len(ops(name, ChannelShuffle)) == (16 if groups > 1 else 0)


# -- the pairs of the lessons ---------------------------------------------------------------------


def test_three_small_kernels_have_27_weights_for_the_49_of_a_large_one() -> None:
    assert weights("stack3x3x3", "conv2", "conv3", "conv4") == 27 * 64**2
    assert weights("conv7x7", "conv2") == 49 * 64**2


def reach(name: str) -> int:
    """The receptive field of one output of the convolutions."""
    return 1 + sum(op.kernel[0] - 1 for op in ops(name, Conv))


def test_three_small_kernels_see_what_a_large_one_sees() -> None:
    assert reach("stack3x3x3") == reach("conv7x7") == 7


def test_reductions_make_the_inception_module_cheaper() -> None:
    assert weights("inception_naive", "naive") == 1_089_536 + 128 + 192 + 96
    assert weights("inception_reduced", "inception") == 388_096 + 128 + 128 + 192 + 32 + 96 + 64


def test_a_bottleneck_of_the_same_width_is_cheaper() -> None:
    assert weights("basic_block", "basic1.conv") == 18 * 256**2
    assert weights("bottleneck_block", "bottleneck1.conv") == 17 * 256**2 // 16
