"""MobileNet: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision
applications", 2017, table 1: a depthwise 3x3 and a pointwise 1x1 in place of each convolution."""

from functools import partial

from bench.graph import Network, Tensor, block, network

#          out, stride of the depthwise convolution      <- table 1
LAYERS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
#                   width resolution      <- tables 6 and 7
MEMBERS = {
    "mobilenet_v1": (1.0, 224),
}


@block
def separable(x: Tensor, out: int, stride: int) -> Tensor:
    """Figure 3, right: batch norm and ReLU after the depthwise and after the pointwise layer."""
    x = x.conv(x.shape[0], 3, stride, pad=1, groups=x.shape[0], bias=False).batchnorm().relu()
    return x.conv(out, 1, bias=False).batchnorm().relu()


def mobilenet_v1(x: Tensor, width: float, classes: int = 1000) -> Tensor:
    """MobileNet (v1) of the paper: plain ReLU and symmetric padding; TensorFlow's has ReLU6, SAME
    padding (of stride 2: below and on the right only) and dropout. The last depthwise layer has
    stride 1: the table's stride 2 there does not agree with its own sizes."""
    x = x.conv(int(32 * width), 3, stride=2, pad=1, bias=False).batchnorm().relu()
    for out, stride in LAYERS:
        x = separable(x, int(out * width), stride)
    return x.global_avgpool().dense(classes)


NETWORKS: dict[str, Network] = {
    name: network(3, size, size)(partial(mobilenet_v1, width=width))
    for name, (width, size) in MEMBERS.items()
}
