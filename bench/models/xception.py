"""Xception: Chollet, "Xception: deep learning with depthwise separable convolutions", 2016,
figure 5."""

from bench.graph import Tensor, block, network

#    two layers, ReLU before the first      <- blocks that halve the size, figure 5
ENTRY = {
    "2": (128, 128, False),
    "3": (256, 256, True),
    "4": (728, 728, True),
}
EXIT = (728, 1024, True)
MIDDLE = range(5, 13)  # blocks of three layers of 728, numbered as in Keras
EPS = 1e-3  # of batch norm


def separable(x: Tensor, out: int) -> Tensor:
    """Depthwise 3x3 and pointwise 1x1 with nothing between, then batch norm."""
    x = x.conv(x.shape[0], 3, pad=1, groups=x.shape[0], bias=False)
    return x.conv(out, 1, bias=False).batchnorm(EPS)


@block
def down(x: Tensor, first: int, second: int, relu: bool) -> Tensor:
    """Two separable layers and a pool, plus a 1x1 of stride 2."""
    y = separable(x.relu() if relu else x, first).relu()
    y = separable(y, second).maxpool(3, 2, pad=1)
    return y.add(x.conv(second, 1, stride=2, bias=False).batchnorm(EPS))


@block
def middle(x: Tensor) -> Tensor:
    """Three separable layers, a ReLU before each, plus the input."""
    y = x
    for _ in range(3):
        y = separable(y.relu(), x.shape[0])
    return y.add(x)


@network(3, 299, 299)
def xception(x: Tensor) -> Tensor:
    """Xception as its author has it in Keras: convolutions without a bias, batch norm of eps 1e-3,
    no padding in the first two; no dropout. Keras pads the pools on one side where sizes are even
    (SAME), here on both: the sizes are equal."""
    x = x.conv(32, 3, stride=2, bias=False).batchnorm(EPS).relu()
    x = x.conv(64, 3, bias=False).batchnorm(EPS).relu()
    for name, row in ENTRY.items():
        x = down(x, *row, name=name)
    for i in MIDDLE:
        x = middle(x, name=str(i))
    x = down(x, *EXIT, name="13")
    x = separable(separable(x, 1536).relu(), 2048).relu()
    return x.global_avgpool().dense(1000)
