"""The least memory of small networks, worked out by hand; batch 2 of float32: 8 bytes a number."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from bench import models
from bench.cases import PHASES, PRECISIONS
from bench.footprint import READS, SIZES, Footprint, Kept, footprint
from bench.graph import Graph, Tensor, build
from bench.ops import OPS
from bench.pieces import Layout

Net = Callable[[Tensor], Tensor]


def graph(net: Net) -> Graph:
    return build(net, "net", (2, 4, 4))


def plain(x: Tensor) -> Tensor:
    """77 parameters, 308 bytes; the batch has 256. Values: 384, 384, 24 and 40 bytes."""
    return x.conv(3, 3, pad=1).relu().global_avgpool().dense(5)


BY_HAND = {
    # global_avgpool: its input and its output, 384 + 24
    "inference": Footprint(308, 0, 0, 256, 0, 308 + 256 + 408),
    "forward": Footprint(308, 0, 0, 256, 0, 308 + 256 + 408),
    # the dense layer's input, 24, and a bit for each of the ReLU's 96 elements; fullest when the
    # convolution's gradient is computed: gradients of all parameters, and that of its result, 384
    "train": Footprint(308, 308, 0, 256, 24 + 12, 308 + 256 + 308 + 384),
    # the same moment, but the dense layer's gradient was applied: 228 of 308 bytes
    "step": Footprint(308, 308, 308, 256, 24 + 12, 308 + 308 + 256 + 228 + 384),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_small_network_agrees_with_the_sum_by_hand(phase: str) -> None:
    assert footprint(graph(plain), 2, phase) == BY_HAND[phase]


def test_a_gradient_takes_the_place_of_what_was_read_for_the_last_time() -> None:
    def two(x: Tensor) -> Tensor:
        return x.conv(3, 3, pad=1).conv(3, 3, pad=1).global_avgpool().dense(5)

    # at the second convolution: gradients of its 84 parameters and the dense layer's 20, that of
    # its result, and its input, over which the gradient of that input is written
    assert footprint(graph(two), 2, "train").least == 4 * 161 + 256 + 4 * (84 + 20) + 384 + 384


def batch_norm(x: Tensor) -> Tensor:
    return x.conv(3, 3, pad=1, bias=False).batchnorm().relu().conv(2, 1).global_avgpool().dense(5)


def pooled(x: Tensor) -> Tensor:
    return x.conv(3, 3, pad=1).relu().maxpool(2, 2).conv(2, 1).global_avgpool().dense(5)


def pooled_beside(x: Tensor) -> Tensor:
    y = x.conv(3, 3, pad=1).relu()
    return y.maxpool(3, 1, 1).add(y.conv(3, 1)).global_avgpool().dense(5)


def concatenated(x: Tensor) -> Tensor:
    y = x.conv(3, 1).relu().concat(x.conv(5, 1).relu())
    return y.conv(2, 1).global_avgpool().dense(5)


def sliced(x: Tensor) -> Tensor:
    a, b = x.conv(4, 1).split(1, 3)
    return a.concat(b.conv(3, 1)).global_avgpool().dense(5)


def sliced_beside(x: Tensor) -> Tensor:
    y = x.conv(4, 1)
    a, b = y.split(1, 3)
    return a.concat(b.conv(3, 1)).add(y.conv(4, 1)).global_avgpool().dense(5)


def shuffled(x: Tensor) -> Tensor:
    return x.conv(4, 1).relu().channel_shuffle(2).conv(2, 1).global_avgpool().dense(5)


def gated(x: Tensor) -> Tensor:
    y = x.conv(4, 1)
    return y.multiply(y.global_avgpool().dense(4).sigmoid()).global_avgpool().dense(5)


def dropped(x: Tensor) -> Tensor:
    return x.flatten().dense(6).dropout(0.5).dense(5)


def residual(x: Tensor) -> Tensor:
    return x.conv(3, 1).stochastic_depth(0.1).add(x.conv(3, 1)).global_avgpool().dense(5)


def without_parameters_before(x: Tensor) -> Tensor:
    return x.swish().lrn(3, 1e-4, 0.75, 1.0).maxpool(2, 2).conv(3, 1).global_avgpool().dense(5)


KEPT: dict[Net, int] = {
    batch_norm: 384 + 24 + 384 + 16,  # its input and two vectors; the ReLU's result; dense's input
    pooled: 12 + 24 + 96 + 16,  # the ReLU's bits, a byte for each window, inputs of conv and dense
    pooled_beside: 384 + 24,  # the ReLU's result tells which place won, and where it was positive
    concatenated: 8 * 128 + 16,  # the ReLUs' results lie in it
    sliced: 3 * 128 + 32,  # the part, not the whole
    sliced_beside: 4 * 128 + 32,  # the whole, of which the other is a part
    shuffled: 4 * 128 + 16,  # the ReLU's result in another order
    gated: 4 * 128 + 32 + 32 + 32,  # image, gate (sigmoid's result too), inputs of both dense
    dropped: 2 + 48,  # 12 bits
    residual: 1 + 24,  # a bit for each image
    without_parameters_before: 3 * 0 + 2 * 4 * 8 + 24,  # only what the conv and the dense read
}


@pytest.mark.parametrize("net", KEPT, ids=lambda net: net.__name__)
def test_what_the_backward_pass_reads_is_kept_once(net: Net) -> None:
    assert footprint(graph(net), 2, "train").kept == KEPT[net]


def test_what_is_kept_stays_until_its_first_reader_was_passed_on_the_way_back() -> None:
    network = graph(pooled_beside)
    layout = Layout(network)
    until = Kept(network, layout, 2, 4).until
    assert {until[piece] for piece in layout.of["relu1"]} == {1}  # not 2 or 3: pooling and conv


def test_dropout_of_rate_0_keeps_nothing() -> None:
    assert footprint(graph(dropped).without_dropout(), 2, "train").kept == KEPT[dropped] - 2


def test_in_place_and_views_need_no_memory_of_their_own() -> None:
    def long(x: Tensor) -> Tensor:
        y = x.conv(3, 3, pad=1).relu().batchnorm().swish().sigmoid()
        return y.channels(0, 1).concat(y.channels(1, 3)).flatten().dense(5)

    found = footprint(graph(long), 2, "inference")
    assert found.least == found.weights + found.input + 384 + 40


def test_an_input_that_is_read_again_is_not_overwritten() -> None:
    def twice(x: Tensor) -> Tensor:
        y = x.conv(3, 3, pad=1)
        return y.relu().add(y).global_avgpool().dense(5)

    found = footprint(graph(twice), 2, "inference")
    assert found.least == found.weights + found.input + 2 * 384


def test_auxiliary_classifiers_count_in_training_only() -> None:
    whole, without = models.load("googlenet_aux"), models.load("googlenet")
    assert footprint(whole, 4, "inference") == footprint(without, 4, "inference")
    assert footprint(whole, 4, "train").least > footprint(without, 4, "train").least


def test_the_pieces_of_slices_of_slices_and_concatenations() -> None:
    def net(x: Tensor) -> Tensor:
        y = x.conv(6, 1)
        a, b = y.split(2, 4)
        return b.concat(a).channels(1, 5).global_avgpool().dense(5)

    layout = Layout(graph(net))
    spans = {name: sorted((p.start, p.stop) for p in pieces) for name, pieces in layout.of.items()}
    assert spans["slice3"] == [(0, 1), (3, 6)]
    assert spans["concat1"] == spans["conv1"] == [(0, 1), (1, 2), (2, 3), (3, 6)]


def test_every_operator_has_a_rule_and_every_precision_a_size() -> None:
    assert set(READS) == set(OPS)
    assert set(SIZES) == set(PRECISIONS)


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "shufflenet_v2_x1_0", "mobilenet_v3_small"])
def test_each_phase_needs_what_the_one_before_needs(name: str) -> None:
    network = models.load(name)
    found = [footprint(network, 4, phase) for phase in PHASES]
    assert all(a.least <= b.least for a, b in pairwise(found))
    for each in found:
        assert each.least >= each.weights + each.velocity + each.input


def test_activations_grow_with_the_batch_and_weights_do_not() -> None:
    one, many = (footprint(models.load("resnet50"), n, "train") for n in (1, 16))
    assert many.weights == one.weights and many.input == 16 * one.input
    vectors = 2 * 4 * 26_560  # two for each of the channels that are normalised
    assert many.kept - vectors == pytest.approx(16 * (one.kept - vectors), abs=200)


def test_half_the_size_of_numbers_is_half_the_memory() -> None:
    full, half = (footprint(models.load("lenet5"), 4, "inference", p) for p in ("fp32", "bf16"))
    assert full.least == 2 * half.least
