"""Small networks, one for each meaning of an operator that frameworks get wrong.

Each is a 1x1 convolution (so that the gradient of the operator's input is seen in its weights,
and its input has both signs), the operator, and a dense layer. All dimensions differ, and
attributes are large enough for a mistake to show: zero-padded max pooling and an LRN that does not
divide alpha are invisible in a whole network. Sixteen channels make oneDNN use its blocked layout,
in which MXNet 1.9.1 computes a wrong gradient of an LRN that has a convolution behind it. Windows
of a pooling behind a pooling hold one maximum several times: Theano gives each of them the whole
gradient. What one operator gives another has to take: some blocks are here so that whichever
operator feeds which in a network does so in a case. They go through the same gate as the networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.graph import Graph, Tensor, build

SHAPE = (3, 7, 11)  # C, H, W
BATCH = 4
CLASSES = 5
LEARNING_RATE = 0.02  # of whole steps: no framework's default; from 0.05 on, losses grow to 2000
STEPS = 3

CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "conv_plain": lambda x: x.conv(8, 3),
    "conv_pad_stride": lambda x: x.conv(8, 3, stride=2, pad=1),
    "conv_even_stride": lambda x: x.conv(8, 4, stride=3, pad=2),
    "conv_rectangular": lambda x: x.conv(8, (2, 5), stride=(3, 2), pad=(1, 2)),
    "conv_no_bias": lambda x: x.conv(8, 3, pad=1, bias=False),
    "conv_groups": lambda x: x.conv(9, 3, pad=1, groups=3),
    "conv_one_per_channel": lambda x: x.conv(6, 3, pad=1, groups=6, bias=False),
    "conv_large_depthwise": lambda x: x.conv(6, 5, stride=2, pad=2, groups=6),
    "conv_larger_than_the_image": lambda x: x.conv(6, 9, stride=2, pad=4, groups=6),
    "conv_grouped_1x1": lambda x: x.conv(12, 1, groups=2, bias=False),
    "conv_depthwise": lambda x: x.conv(12, 3, stride=2, pad=1, groups=6),
    "batchnorm_epsilon": lambda x: x.batchnorm(eps=0.1),
    "batchnorm_small_epsilon": lambda x: x.batchnorm(eps=1e-3),
    "relu": lambda x: x.relu(),
    "relu6": lambda x: spread(x).relu6(),
    "sigmoid": lambda x: x.sigmoid(),
    "hard_sigmoid": lambda x: spread(x).hard_sigmoid(),
    "swish": lambda x: x.swish(),
    "hard_swish": lambda x: spread(x).hard_swish(),
    "lrn": lambda x: x.lrn(size=3, alpha=2.0, beta=0.6, k=1.5),
    "lrn_wide": lambda x: x.lrn(size=5, alpha=1.0, beta=0.75, k=2.0),
    "lrn_between_convs": lambda x: x.conv(16, 1).lrn(5, 1.0, 0.75, 2.0).conv(16, 3, pad=1),
    "maxpool": lambda x: x.maxpool(3, 2),
    "maxpool_pad": lambda x: x.maxpool((3, 5), (2, 3), pad=(1, 2)),
    "maxpool_pad_stride1": lambda x: x.maxpool(3, 1, pad=1),
    "maxpool_of_maxpool": lambda x: x.maxpool(3, 2).maxpool(3, 1, pad=1),
    "avgpool": lambda x: x.avgpool((2, 3), (2, 1)),
    "avgpool_pad": lambda x: x.avgpool(3, 2, pad=1),
    "avgpool_of_one": lambda x: x.avgpool(1, 2),
    "global_avgpool": lambda x: x.global_avgpool(),
    "dropout": lambda x: x.dropout(0.5),
    "dropout_of_images": lambda x: x.stochastic_depth(0.2).add(x),
    "channel_shuffle_two": lambda x: x.channel_shuffle(2),
    "channel_shuffle_three": lambda x: x.channel_shuffle(3),
    "slice": lambda x: x.channels(1, 4).concat(x),
    "split_and_join": lambda x: halves(x),
    "split_of_odd_channels": lambda x: odd_parts(x),
    "squeeze_and_excite": lambda x: x.multiply(squeezed(x).sigmoid()),
    "squeeze_and_excite_hard": lambda x: x.multiply(squeezed(x).hard_sigmoid()),
    "auxiliary_classifier": lambda x: with_head(x),
    "auxiliary_behind_relu": lambda x: with_late_head(x),
    "add_three": lambda x: x.add(x.conv(6, 1), x.conv(6, 3, pad=1)),
    "concat_order": lambda x: x.concat(x.conv(2, 1), x.conv(4, 1)),
    "concat_of_equals": lambda x: x.conv(6, 1).concat(x),
    "relu_of_concat": lambda x: x.conv(8, 1).concat(x.conv(16, 3, pad=1)).relu(),
    "relu_of_sum": lambda x: x.add(x.conv(6, 1)).relu(),
    "sum_with_its_relu": lambda x: sum_with_relu(x.conv(16, 3, pad=1)),
    "sum_with_its_relu6": lambda x: sum_with_relu6(x.conv(16, 1)),
    "input_used_twice": lambda x: x.relu().concat(x.conv(2, 1), x),
    "block_resnet_cifar": lambda x: option_a(x.relu()),
    "block_xception": lambda x: x.batchnorm().maxpool(3, 2, pad=1).add(x.conv(6, 1, stride=2)),
    "block_squeezenet": lambda x: x.maxpool(3, 1, pad=1).concat(x).dropout(0.5).conv(4, 1),
    "block_shufflenet_v1": lambda x: shuffled(x.maxpool(2, 1)),
    "block_mobilenet_v2": lambda x: clipped(spread(x)),
    "block_mobilenet_v3": lambda x: x.hard_swish().add(x),
    "block_mixnet": lambda x: mixed(x.swish()),
    "block_efficientnet": lambda x: x.conv(6, 1).batchnorm().stochastic_depth(0.2).add(x),
    "flatten_dense": lambda x: x.flatten().relu().dropout(0.3).dense(7),
    "dense_square": lambda x: x.global_avgpool().dense(6).relu().dense(6),
    "dense_no_bias": lambda x: x.flatten().dense(7, bias=False).relu(),
}


def spread(x: Tensor) -> Tensor:
    """Values from about -10 to 10, so that there are some beyond the corners at -3, 0, 3 and 6."""
    return x.add(*[x] * 5)


def halves(x: Tensor) -> Tensor:
    """As in ShuffleNet v2: one part goes through, the other is worked on."""
    left, right = x.split(2, 4)
    return left.concat(right.conv(4, 1).relu()).channel_shuffle(2)


def odd_parts(x: Tensor) -> Tensor:
    """Groups, parts and their sum are no multiples of 4, for which libraries have fast code."""
    left, right = x.conv(9, 1, groups=3).concat(x).relu().split(5, 10)
    return right.concat(left)


def sum_with_relu(x: Tensor) -> Tensor:
    """As before activation in a residual network: a ReLU in place would change the shortcut."""
    return x.add(x.relu().conv(16, 3, pad=1))


def sum_with_relu6(x: Tensor) -> Tensor:
    return x.add(x.relu6())


def option_a(x: Tensor) -> Tensor:
    """Every other pixel is added to some channels; the others have no shortcut."""
    old, new = x.conv(10, 3, stride=2, pad=1).batchnorm().split(6, 4)
    return old.add(x.avgpool(1, 2)).concat(new).relu()


def shuffled(x: Tensor) -> Tensor:
    y = x.conv(4, 1, groups=2).relu().channel_shuffle(2).conv(4, 3, stride=2, pad=1).batchnorm()
    return x.avgpool(3, 2, pad=1).concat(y)


def clipped(x: Tensor) -> Tensor:
    return x.batchnorm().relu6().conv(5, 1, bias=False).relu6().global_avgpool()


def mixed(x: Tensor) -> Tensor:
    """Kernels of two sizes, then squeeze and excite."""
    left, right = x.split(2, 4)
    y = left.conv(2, 3, pad=1, groups=2).concat(right.conv(4, 5, pad=2, groups=4)).batchnorm()
    y = y.swish()
    return y.multiply(y.global_avgpool().dense(6).sigmoid()).concat(y.conv(4, 1))


def squeezed(x: Tensor) -> Tensor:
    return x.global_avgpool().dense(3).swish().dense(6)


def with_head(x: Tensor) -> Tensor:
    """A second classifier on the way, whose loss has a weight of its own."""
    x.maxpool(2, 2).flatten().dense(4).relu().dense(CLASSES).auxiliary(0.3)
    return x.relu()


def with_late_head(x: Tensor) -> Tensor:
    """The same, where the classifier hangs on a value that goes on."""
    y = x.relu()
    y.global_avgpool().dense(4).relu().dense(CLASSES).auxiliary(0.3)
    return y.conv(6, 1)


def case(name: str) -> Graph:
    """The small network around the operator of one case."""

    def around(x: Tensor) -> Tensor:
        y = CASES[name](x.conv(6, 1, bias=False))
        return (y.flatten() if len(y.shape) == 3 else y).dense(CLASSES)

    graph = build(around, name, SHAPE)
    return replace(graph, learning_rate=LEARNING_RATE)


def cases() -> list[Graph]:
    """All of them."""
    return [case(name) for name in CASES]
