"""JAX with Flax: nnx, to which its documentation steers, and linen; NHWC, whole steps compiled.

A network becomes a module as one would write it by hand. jax.jit is handed plain dictionaries of
arrays (the functional form that the nnx guide to performance advises, merged while tracing): on
a small network nnx.jit takes twice as long. XLA sees the same computation in both modes."""

import flax
import jax
import jaxlib
import numpy
import optax
from convmark import Adapter as Contract
from convmark import ChannelsLast, Unsupported, define, identifier, keys, program, total_loss
from flax import linen as nn
from flax import nnx
from jax import lax
from jax import numpy as jnp

NAME = "jax"
MODES = ("nnx", "linen")
PRODUCTS = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "default"}  # their precision
NATIVE = {"weight": "kernel", "shift": "bias", "variance": "var"}  # the others have our names


def lrn(x, size, alpha, beta, k):
    # exp and log: on the CPU a power calls the C library for each value, 3 times as slow
    pads = ((0, 0), (0, 0), (0, 0), (size // 2, size // 2))
    squares = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, size), (1, 1, 1, 1), pads)
    return x * jnp.exp(-beta * jnp.log(k + alpha / size * squares))


def window(node):
    """Kernel, stride and padding as source."""
    kernel, stride, (h, w) = (tuple(node["attrs"][k]) for k in ("kernel", "stride", "pad"))
    return f"{kernel}, {stride}, padding=(({h}, {h}), ({w}, {w}))"


class Module:
    """A graph as a Flax module: what each operator is, as source, one method per operator."""

    def __init__(self, graph, dtype):
        self.dtype = "" if dtype == jnp.float32 else f"dtype=jnp.{jnp.dtype(dtype).name}"
        self.layers = []
        call = program(graph, self, self.call, " " * 8, training=True)
        head = [f"class Network({self.flax}.Module):", self.init]
        self.source = "\n".join([*head, *(self.layers or ["        pass"]), "", call])
        scope = {"jnp": jnp, "nn": nn, "nnx": nnx, "lrn": lrn, "__name__": __name__}
        self.network = define(self.source, "Network", scope)

    def layer(self, kind, node, *arguments):
        name, text = identifier(node["name"]), ", ".join(filter(None, arguments))
        self.layers.append(f"        self.{name} = {self.flax}.{kind}({text})")
        return f"self.{name}"

    def product(self, kind, node, x, *arguments):
        sizes = self.sizes(node["input_shapes"][0][0], node["attrs"]["out"])
        bias = "" if node["attrs"]["bias"] else "use_bias=False"
        return self.layer(kind, node, sizes, *arguments, bias, self.dtype, self.rngs) + f"({x[0]})"

    def conv(self, node, x):
        groups = node["attrs"]["groups"]
        more = f"feature_group_count={groups}" if groups > 1 else ""
        return self.product("Conv", node, x, window(node), more)

    def dense(self, node, x):
        return self.product(self.dense_layer, node, x)

    def batchnorm(self, node, x):
        sizes, eps = self.sizes(node["output"][0]), f"epsilon={node['attrs']['eps']!r}"
        layer = self.layer("BatchNorm", node, sizes, eps, self.dtype, self.rngs)
        return f"{layer}({x[0]}, use_running_average=not train)"

    def relu(self, node, x):
        return f"{self.flax}.relu({x[0]})"

    def relu6(self, node, x):
        return f"{self.flax}.relu6({x[0]})"

    def sigmoid(self, node, x):
        return f"{self.flax}.sigmoid({x[0]})"

    def hardsigmoid(self, node, x):
        return f"{self.flax}.hard_sigmoid({x[0]})"

    def swish(self, node, x):
        return f"{self.flax}.swish({x[0]})"

    def hardswish(self, node, x):
        return f"{self.flax}.hard_swish({x[0]})"

    def lrn(self, node, x):
        a = node["attrs"]
        return f"lrn({x[0]}, {a['size']}, {a['alpha']!r}, {a['beta']!r}, {a['k']!r})"

    def maxpool(self, node, x):
        return f"{self.flax}.max_pool({x[0]}, {window(node)})"

    def avgpool(self, node, x):
        return f"{self.flax}.avg_pool({x[0]}, {window(node)}, count_include_pad=False)"

    def globalavgpool(self, node, x):
        return f"jnp.mean({x[0]}, (1, 2))"

    def flatten(self, node, x):
        return f"{x[0]}.reshape(-1, {node['output'][0]})"

    def dropout(self, node, x, shared=""):
        layer = self.layer("Dropout", node, repr(node["attrs"]["rate"]), shared)
        return f"{layer}({', '.join(filter(None, [x[0], 'deterministic=not train', self.rngs]))})"

    def stochasticdepth(self, node, x):
        return self.dropout(node, x, "broadcast_dims=(1, 2, 3)")

    def channelshuffle(self, node, x):
        (c, h, w), groups = node["output"], node["attrs"]["groups"]
        split = f"{x[0]}.reshape(-1, {h}, {w}, {groups}, {c // groups})"
        return f"{split}.swapaxes(3, 4).reshape(-1, {h}, {w}, {c})"

    def slice(self, node, x):
        return f"{x[0]}[..., {node['attrs']['start']}:{node['attrs']['stop']}]"

    def multiply(self, node, x):
        return f"{x[0]} * {x[1]}[:, None, None]"

    def add(self, node, x):
        return " + ".join(x)

    def concat(self, node, x):
        return f"jnp.concatenate([{', '.join(x)}], -1)"


class Nnx(Module):
    flax, dense_layer, rngs = "nnx", "Linear", "rngs=rngs"
    init = "    def __init__(self, rngs):"
    call = "    def __call__(self, x, train, rngs=None):"

    def __init__(self, graph, dtype):
        super().__init__(graph, dtype)
        self.graphdef = nnx.graphdef(nnx.eval_shape(lambda: self.network(nnx.Rngs(0))))

    def sizes(self, *numbers):
        return ", ".join(map(str, numbers))

    def inference(self, params, statistics, x):
        return nnx.merge(self.graphdef, params, statistics)(x, train=False)

    def training(self, params, statistics, x, key):
        model = nnx.merge(self.graphdef, params, statistics)
        outputs = model(x, train=True, rngs=nnx.Rngs(dropout=key))
        return outputs, nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))


class Linen(Module):
    flax, dense_layer, rngs = "nn", "Dense", ""
    init = "    def setup(self):"
    call = "    def __call__(self, x, train):"

    def sizes(self, *numbers):
        return ", ".join(map(str, numbers[1:]))  # the first is seen in the input

    def inference(self, params, statistics, x):
        return self.network().apply({"params": params, "batch_stats": statistics}, x, train=False)

    def training(self, params, statistics, x, key):
        variables = {"params": params, "batch_stats": statistics}
        outputs, changed = self.network().apply(
            variables, x, train=True, rngs={"dropout": key}, mutable="batch_stats"
        )
        return outputs, changed.get("batch_stats", {})


class Adapter(Contract):
    def __init__(self, mode, device, precision, threads):
        if precision == "fp16":
            raise Unsupported("loss scaling, which fp16 needs, is not implemented for jax")
        if precision == "tf32" and device == "cpu":
            raise Unsupported("tf32 is a precision of CUDA devices")
        try:
            self.device = jax.devices(device)[0]
        except RuntimeError as error:
            raise Unsupported(str(error)) from None
        jax.config.update("jax_default_device", self.device)
        jax.config.update("jax_default_matmul_precision", PRODUCTS[precision])
        self.kind = {"nnx": Nnx, "linen": Linen}[mode]
        self.dtype = jnp.bfloat16 if precision == "bf16" else jnp.float32

    def versions(self):
        found = {m.__name__: m.__version__ for m in (jax, jaxlib, flax, optax, numpy)}
        return dict(found, xla=self.device.client.platform_version)

    def build(self, graph, weights):
        self.graph, self.layout, self.keys = graph, ChannelsLast(graph), keys(graph)
        self.module = self.kind(graph, self.dtype)
        self.params = self.tree(self.keys, weights)
        # what a training step changes besides: the statistics, and a count for dropout's keys
        self.state = self.tree(keys(graph, "state"), weights), jnp.zeros((), jnp.int32)
        self.velocity = None
        training = graph["training"]
        self.optimizer = optax.sgd(training["learning_rate"], momentum=training["momentum"])
        self.phases = {
            "inference": jax.jit(self.inference),
            "forward": jax.jit(self.forward, donate_argnums=1),
            "train": jax.jit(self.train, donate_argnums=1),
            "step": jax.jit(self.update, donate_argnums=(0, 1, 2)),
        }

    def inference(self, params, state, x):
        outputs = self.module.inference(params, state[0], x)
        logits = outputs[0] if self.graph["auxiliary"] else outputs  # XLA drops unused heads
        return logits.astype(jnp.float32)

    def forward(self, params, state, x, y):
        statistics, count = state
        key = jax.random.fold_in(jax.random.key(0), count)
        outputs, statistics = self.module.training(params, statistics, x, key)

        def loss(logits):
            losses = optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), y)
            return losses.mean()

        return total_loss(self.graph, outputs, loss), (statistics, count + 1)

    def train(self, params, state, x, y):
        function = jax.value_and_grad(self.forward, has_aux=True)
        (loss, state), gradients = function(params, state, x, y)
        return loss, state, gradients

    def update(self, params, state, velocity, x, y):
        loss, state, gradients = self.train(params, state, x, y)
        updates, velocity = self.optimizer.update(gradients, velocity, params)
        return loss, state, optax.apply_updates(params, updates), velocity

    def place(self, key):
        """Where nnx and linen keep a weight: ("conv1", "kernel") of "conv1/weight"."""
        node, _, weight = key.rpartition("/")
        return identifier(node), NATIVE.get(weight, weight)

    def tree(self, names, weights):
        found = {}
        for key in names:
            layer, weight = self.place(key)
            array = jnp.array(self.layout.to_native(key, weights[key]))
            found.setdefault(layer, {})[weight] = array
        return found

    def named(self, tree):
        """Copies with the graph's names and layout; the next step may reuse the originals."""
        places = {key: self.place(key) for key in self.keys}
        arrays = {k: numpy.array(tree[layer][weight]) for k, (layer, weight) in places.items()}
        return {k: self.layout.to_graph(k, v) for k, v in arrays.items()}

    def images(self, x):
        # on the default device but not committed to it: what a step returns would be, unlike the
        # weights that the first one was given, and the second one would compile again
        return jax.device_put(numpy.ascontiguousarray(x.transpose(0, 2, 3, 1)))

    def parameters(self):
        return self.named(self.params)

    def logits(self, x):
        return numpy.array(self.step("inference", x, numpy.zeros(len(x)))())

    def loss(self, x, y):
        return float(self.step("forward", x, y)())

    def gradients(self, x, y):
        loss, gradients = self.step("train", x, y)()
        return float(loss), self.named(gradients)

    def step(self, phase, x, y):
        function, x = self.phases[phase], self.images(x)
        y = jax.device_put(y.astype(numpy.int32))
        if phase == "step" and self.velocity is None:
            self.velocity = self.optimizer.init(self.params)

        def inference():
            return function(self.params, self.state, x)

        def forward():
            loss, self.state = function(self.params, self.state, x, y)
            return loss

        def train():
            loss, self.state, gradients = function(self.params, self.state, x, y)
            return loss, gradients

        def step():
            result = function(self.params, self.state, self.velocity, x, y)
            loss, self.state, self.params, self.velocity = result
            return loss

        return {"inference": inference, "forward": forward, "train": train, "step": step}[phase]

    def wait(self, result):
        jax.block_until_ready(result)  # a device computes in order: earlier steps are done too

    def memory(self):
        figures = self.device.memory_stats()  # None on the CPU
        return {"allocated_peak": figures["peak_bytes_in_use"]} if figures else {}

    def source(self):
        return self.module.source
