"""Xception: Chollet, "Xception: deep learning with depthwise separable convolutions", 2016,
figure 5. The first two convolutions have no padding; batch norm stands behind each separable
convolution, not between its halves; eps 1e-3 as in the author's Keras."""

from bench.graph import Tensor, block, network

ENTRY, MIDDLE = (128, 256, 728), 8  # widths of the entry flow's modules; the middle flow's modules
EPS = 1e-3


@block
def separable(x: Tensor, out: int) -> Tensor:
    """3x3 in each channel by itself, then 1x1 across the channels, batch norm."""
    y = x.conv(x.shape[0], 3, pad=1, groups=x.shape[0], bias=False)
    return y.conv(out, 1, bias=False).batchnorm(EPS)


def projected(x: Tensor, y: Tensor) -> Tensor:
    """y pooled to half the size, and x brought to it by a 1x1 of stride 2."""
    y = y.maxpool(3, 2, pad=1)
    return y.add(x.conv(y.shape[0], 1, 2, bias=False).batchnorm(EPS))


@block
def entry(x: Tensor, out: int, active: bool) -> Tensor:
    """Two separable convolutions; the first module begins without a ReLU."""
    y = separable(x.relu() if active else x, out)
    return projected(x, separable(y.relu(), out))


@block
def middle(x: Tensor) -> Tensor:
    """Three separable convolutions of the same width, added to their input."""
    y = x
    for _ in range(3):
        y = separable(y.relu(), x.shape[0])
    return y.add(x)


@block
def leave(x: Tensor) -> Tensor:
    """The exit flow's module: 728 to 1024 channels."""
    y = separable(x.relu(), 728)
    return projected(x, separable(y.relu(), 1024))


@network(3, 299, 299)
def xception(x: Tensor) -> Tensor:
    """Xception without the optional dense layers: 36 convolutions with parameters in 14 modules."""
    x = x.conv(32, 3, 2, bias=False).batchnorm(EPS).relu()
    x = x.conv(64, 3, bias=False).batchnorm(EPS).relu()
    for index, width in enumerate(ENTRY):
        x = entry(x, width, index > 0)
    for _ in range(MIDDLE):
        x = middle(x)
    x = separable(separable(leave(x), 1536).relu(), 2048).relu()
    return x.global_avgpool().dense(1000)
