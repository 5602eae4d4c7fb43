"""ResNet-50 (v1.5) as a user of Flax writes it by hand: linen modules, one jitted training step."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax


class Bottleneck(nn.Module):
    width: int
    stride: int

    @nn.compact
    def __call__(self, x, train):
        conv = functools.partial(nn.Conv, use_bias=False)
        norm = functools.partial(nn.BatchNorm, use_running_average=not train, epsilon=1e-5)
        y = nn.relu(norm()(conv(self.width, (1, 1))(x)))
        stride = (self.stride, self.stride)
        y = nn.relu(norm()(conv(self.width, (3, 3), stride, padding=((1, 1), (1, 1)))(y)))
        y = norm()(conv(4 * self.width, (1, 1))(y))
        if x.shape != y.shape:
            x = norm()(conv(4 * self.width, (1, 1), stride)(x))
        return nn.relu(x + y)


class ResNet50(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Conv(64, (7, 7), (2, 2), padding=((3, 3), (3, 3)), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, epsilon=1e-5)(x))
        x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for stage, count in enumerate((3, 4, 6, 3)):
            for index in range(count):
                x = Bottleneck(64 << stage, 2 if stage and not index else 1)(x, train)
        return nn.Dense(1000)(x.mean((1, 2)))


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    x, y = jnp.asarray(x.transpose(0, 2, 3, 1)), jnp.asarray(y)
    model = ResNet50()
    state = jax.jit(functools.partial(model.init, train=True))(jax.random.key(0), x)
    params, statistics = state["params"], state["batch_stats"]

    def loss(params, statistics, x, y):
        variables = {"params": params, "batch_stats": statistics}
        logits, updated = model.apply(variables, x, train=True, mutable=["batch_stats"])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return losses.mean(), updated

    def logits(params, statistics, x):
        return model.apply({"params": params, "batch_stats": statistics}, x, train=False)

    infer = jax.jit(logits)
    train = jax.jit(jax.value_and_grad(loss, has_aux=True))

    def prepare(phase):
        if phase == "inference":
            return lambda: infer(params, statistics, x)
        return lambda: train(params, statistics, x, y)

    return prepare, sum(p.size for p in jax.tree.leaves(params))
