"""Networks <b>for pictures</b> & tables, "every" shape that a block takes; a | b, 2 * 3 * 4."""

from __future__ import annotations

from bench.graph import Tensor, block, network


@block
def squeeze_excite(x: Tensor, width: int) -> Tensor:
    gate = x.global_avgpool().dense(width).relu().dense(x.shape[0]).sigmoid()
    return x.multiply(gate)


@block
def inverted(x: Tensor, out: int, stride: int = 1) -> Tensor:
    """A block with a block inside, and a shortcut where the size stays."""
    y = x.conv(2 * x.shape[0], 1, bias=False).batchnorm().swish()
    y = y.conv(y.shape[0], 3, stride, pad=1, groups=y.shape[0], bias=False).batchnorm().swish()
    y = squeeze_excite(y, 8).conv(out, 1, bias=False).batchnorm()
    return y.stochastic_depth(0.1).add(x) if x.shape == y.shape else y


@block
def mixed(x: Tensor) -> Tensor:
    a, b, c = x.split(8, 8, x.shape[0] - 16)
    wide = c.conv(x.shape[0] - 16, 7, pad=3)
    return a.conv(8, 3, pad=1).concat(b.conv(8, 5, pad=2), wide).batchnorm().relu()


@block
def shuffled(x: Tensor) -> Tensor:
    half = x.shape[0] // 2
    a, b = x.split(half, half)
    return a.concat(b.conv(half, 1).batchnorm().relu()).channel_shuffle(2)


@block
def head(x: Tensor, weight: float) -> Tensor:
    logits = x.avgpool(5, 3).conv(16, 1).relu().flatten().dense(10)
    logits.auxiliary(weight)
    return logits


@block
def tangled(x: Tensor) -> Tensor:
    """Neither series nor parallel."""
    a, b = x.conv(24, 1), x.conv(24, 3, pad=1)
    c = a.add(b)
    return c.conv(24, 1).add(b.relu(), a)


@network(3, 64, 49)
def zoo(x: Tensor) -> Tensor:
    """The zoo of <script>alert(1)</script> & co."""
    x = x.conv(24, 3, stride=(2, 1), pad=(1, 0), bias=False).batchnorm().swish()
    x = inverted(x, 24, name="<b>&amp;")
    x = inverted(inverted(x, 24), 24)
    x = inverted(x, 32, 2)
    head(x, 0.3)
    for number in range(4):
        x = mixed(x, name=f"a|{number}")
    x = shuffled(x)
    head(x, 0.25)
    x = tangled(x)
    x = x.conv(24, 1).relu().add(x.conv(24, 1))
    return x.add(x).global_avgpool().dense(10)


@block
def residual(x: Tensor, out: int) -> Tensor:
    y = x.conv(out, 3, pad=1).batchnorm().relu().conv(out, 3, pad=1).batchnorm()
    return y.add(x if x.shape == y.shape else x.conv(out, 1)).relu()


@network(3, 16, 16)
def deep(x: Tensor) -> Tensor:
    """Thirty residual blocks in two stages."""
    for number in range(30):
        x = residual(x, 8 if number < 15 else 16)
    return x.global_avgpool().dense(10)
