"""TensorFlow without Keras: tf.Variable, tf.nn, tf.GradientTape; NHWC, which its kernels want.

Lists of paddings are avoided: the gradient of a grouped convolution and, under XLA, max pooling
refuse them, and on the CPU that of a depthwise convolution with strides is silently wrong. Where
"SAME" is the same padding (stride 1, odd kernel) it is used, for tf.pad makes a training step a
few per cent slower (an inference step not: the graph optimiser joins pad and convolution);
elsewhere tf.pad and "VALID"."""

import numpy
import tensorflow as tf
from convmark import Adapter as Contract
from convmark import (
    DepthwiseLast,
    Unsupported,
    define,
    identifier,
    is_depthwise,
    keys,
    program,
    same_padding,
    total_loss,
)

NAME = "tensorflow"
MODES = ("function", "eager", "xla")
MOVING = 0.1  # weight of a batch in the moving statistics


def batch_norm(x, scale, shift, mean, variance, eps):
    """With the statistics of the batch, which also move the stored ones. The raw operator, because
    tf.compat.v1.nn.fused_batch_norm silently raises eps to 1.001e-5."""
    result = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=shift, mean=mean, variance=variance, epsilon=eps,
        exponential_avg_factor=MOVING, is_training=True,
    )  # fmt: skip
    mean.assign(result.batch_mean)
    variance.assign(result.batch_variance)
    return result.y


def stored_norm(x, scale, shift, mean, variance, eps):
    """Batch norm with the stored statistics."""
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=shift, mean=mean, variance=variance, epsilon=eps, is_training=False
    ).y


def pad(node, x, value="0"):
    """The input of a sliding window and its padding argument, as source."""
    a, size, out = node["attrs"], node["input_shapes"][0][1:], node["output"][1:]
    if not any(a["pad"]):
        return x, '"VALID"'
    if all(map(same_padding, size, a["kernel"], a["stride"], a["pad"], out)):
        return x, '"SAME"'
    h, w = a["pad"]
    return (
        f"tf.pad({x}, [[0, 0], [{h}, {h}], [{w}, {w}], [0, 0]], constant_values={value})",
        '"VALID"',
    )


class Expressions:
    """What each operator is in TensorFlow, as source: one method per operator."""

    def __init__(self, training, dtype):
        self.training, self.dtype = training, dtype

    def cast(self, value, dtype):
        """In fp32 nothing is cast; elsewhere variables stay float32, as in Keras's mixed policy."""
        return value if self.dtype == "float32" else f"tf.cast({value}, tf.{dtype})"

    def weighted(self, function, node, *arguments):
        """A call with the node's weight as second argument, and its bias."""
        name = identifier(node["name"])
        x, *rest = arguments
        call = f"{function}({', '.join([x, self.cast(name + '_weight', self.dtype), *rest])})"
        if "bias" not in node["weights"]:
            return call
        return f"tf.nn.bias_add({call}, {self.cast(name + '_bias', self.dtype)})"

    def pooled(self, function, node, x, padding):
        return f"{function}({x}, {node['attrs']['kernel']}, {node['attrs']['stride']}, {padding})"

    def conv(self, node, x):
        (value, padding), (h, w) = pad(node, x[0]), node["attrs"]["stride"]
        # Has gradients without oneDNN too. A grouped tf.nn.conv2d, which the CPU joins with tf.pad,
        # is a tenth faster in inference with strides; in training they are level.
        if is_depthwise(node):
            strides = f"[1, {h}, {w}, 1]"
            return self.weighted("tf.nn.depthwise_conv2d", node, value, strides, padding)
        return self.weighted("tf.nn.conv2d", node, value, f"[{h}, {w}]", padding)

    def dense(self, node, x):
        return self.weighted("tf.matmul", node, x[0])

    def batchnorm(self, node, x):
        name = identifier(node["name"])
        variables = ", ".join(f"{name}_{w}" for w in ("scale", "shift", "mean", "variance"))
        function = "batch_norm" if self.training else "stored_norm"
        return f"{function}({x[0]}, {variables}, {node['attrs']['eps']!r})"

    def relu(self, node, x):
        return f"tf.nn.relu({x[0]})"

    def relu6(self, node, x):
        return f"tf.nn.relu6({x[0]})"

    def sigmoid(self, node, x):
        return f"tf.nn.sigmoid({x[0]})"

    def hardsigmoid(self, node, x):
        return f"tf.nn.relu6({x[0]} + 3.0) * (1 / 6)"

    def swish(self, node, x):
        return f"tf.nn.silu({x[0]})"

    def hardswish(self, node, x):
        return f"{x[0]} * tf.nn.relu6({x[0]} + 3.0) * (1 / 6)"

    def lrn(self, node, x):  # has float32 kernels only
        a, value = node["attrs"], self.cast(x[0], "float32")
        settings = f"{a['size'] // 2}, {a['k']!r}, {a['alpha'] / a['size']!r}, {a['beta']!r}"
        return self.cast(f"tf.nn.local_response_normalization({value}, {settings})", self.dtype)

    def maxpool(self, node, x):
        return self.pooled("tf.nn.max_pool2d", node, *pad(node, x[0], f"{x[0]}.dtype.min"))

    def avgpool(self, node, x):
        value, padding = pad(node, x[0])
        mean = self.pooled("tf.nn.avg_pool2d", node, value, padding)
        if value == x[0]:  # "SAME" does not count its padding
            return mean
        h, w = node["input_shapes"][0][1:]
        ones = pad(node, f"tf.ones([1, {h}, {w}, 1], {x[0]}.dtype)")
        return f"{mean} / {self.pooled('tf.nn.avg_pool2d', node, *ones)}"

    def globalavgpool(self, node, x):
        return f"tf.reduce_mean({x[0]}, [1, 2])"

    def flatten(self, node, x):
        return f"tf.reshape({x[0]}, [-1, {node['output'][0]}])"

    def dropout(self, node, x):
        return f"tf.nn.dropout({x[0]}, {node['attrs']['rate']!r})" if self.training else x[0]

    def stochasticdepth(self, node, x):
        rate, ones = node["attrs"]["rate"], "1, " * len(node["output"])
        if not self.training or not rate:
            return x[0]
        kept = f"tf.ones([{x[0]}.shape[0], {ones[:-2]}], {x[0]}.dtype)"
        return f"{x[0]} * tf.nn.dropout({kept}, {rate!r})"

    def channelshuffle(self, node, x):
        groups, (c, h, w) = node["attrs"]["groups"], node["output"]
        parted = f"tf.reshape({x[0]}, [-1, {groups}, {c // groups}])"
        return f"tf.reshape(tf.transpose({parted}, [0, 2, 1]), [-1, {h}, {w}, {c}])"

    def slice(self, node, x):
        return f"{x[0]}[..., {node['attrs']['start']} : {node['attrs']['stop']}]"

    def multiply(self, node, x):
        return f"{x[0]} * tf.reshape({x[1]}, [-1, 1, 1, {node['output'][0]}])"

    def add(self, node, x):
        return " + ".join(x) if len(x) == 2 else f"tf.add_n([{', '.join(x)}])"

    def concat(self, node, x):
        return f"tf.concat([{', '.join(x)}], -1)"


class Adapter(Contract):
    def __init__(self, mode, device, precision, threads):
        if precision == "fp16":
            raise Unsupported("fp16 is not implemented for tensorflow: it needs loss scaling")
        if precision == "tf32" and device == "cpu":
            raise Unsupported("tf32 is a precision of CUDA devices")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
        gpus = tf.config.list_physical_devices("GPU")
        if device == "cuda" and not gpus:
            built = "with" if tf.test.is_built_with_cuda() else "without"
            raise Unsupported(f"tf.config.list_physical_devices('GPU') is []; built {built} CUDA")
        gpus = gpus[:1] if device == "cuda" else []
        tf.config.set_visible_devices(gpus, "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        self.device = "GPU:0" if gpus else "CPU:0"
        self.dtype = "bfloat16" if precision == "bf16" else "float32"
        self.compiled = {
            "function": tf.function(autograph=False),
            "eager": lambda function: function,
            "xla": tf.function(autograph=False, jit_compile=True),
        }[mode]

    def versions(self):
        build = tf.sysconfig.get_build_info()
        cuda = {k: str(build[k]) for k in ("cuda_version", "cudnn_version") if k in build}
        return {"tensorflow": tf.__version__, "numpy": numpy.__version__, **cuda}

    def build(self, graph, weights):
        self.layout = DepthwiseLast(graph)
        native = {k: self.layout.to_native(k, weights[k]) for k in keys(graph)}
        self.variables = {k: tf.Variable(v) for k, v in native.items()}
        state = {k: tf.Variable(weights[k], trainable=False) for k in keys(graph, "state")}
        scope = {"tf": tf, "batch_norm": batch_norm, "stored_norm": stored_norm}
        for key, variable in {**self.variables, **state}.items():
            scope[identifier(key.replace("/", "_"))] = variable
        self.text = {}
        for name, training in (("inference", False), ("training", True)):
            expressions = Expressions(training, self.dtype)
            self.text[name] = program(graph, expressions, f"def {name}(x):", training=training)
        networks = [define(text, name, scope) for name, text in self.text.items()]
        phases = self.phases_of(graph, *networks, **graph["training"])
        self.phases = {phase: self.compiled(function) for phase, function in phases.items()}

    def phases_of(self, graph, network, training, learning_rate, momentum):
        """The four phases as functions of the arguments that `batch` makes."""
        variables = list(self.variables.values())
        optimizer = tf.compat.v1.train.MomentumOptimizer(learning_rate, momentum)

        def inference(x):
            return tf.cast(network(tf.cast(x, self.dtype)), tf.float32)

        def loss(x, y):
            def entropy(logits):
                logits = tf.cast(logits, tf.float32)
                return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))

            return total_loss(graph, training(tf.cast(x, self.dtype)), entropy)

        def forward(x, y):
            with tf.GradientTape():  # an eager tape keeps what a backward pass needs
                return loss(x, y)

        def train(x, y):
            with tf.GradientTape() as tape:
                value = loss(x, y)
            return value, tape.gradient(value, variables)

        def step(x, y):
            value, gradients = train(x, y)
            optimizer.apply_gradients(zip(gradients, variables))
            return value

        return {"inference": inference, "forward": forward, "train": train, "step": step}

    def batch(self, x, y=None):
        """The arguments of a phase, on the device."""
        with tf.device(self.device):
            x = tf.constant(x.transpose(0, 2, 3, 1))
            return (x,) if y is None else (x, tf.constant(y))

    def parameters(self):
        return {k: self.layout.to_graph(k, v.numpy()) for k, v in self.variables.items()}

    def logits(self, x):
        return self.step("inference", x, None)().numpy()

    def loss(self, x, y):
        return float(self.step("forward", x, y)())

    def gradients(self, x, y):
        loss, gradients = self.step("train", x, y)()
        named = zip(self.variables, gradients)
        return float(loss), {k: self.layout.to_graph(k, g.numpy()) for k, g in named}

    def step(self, phase, x, y):
        function = self.phases[phase]
        arguments = self.batch(x) if phase == "inference" else self.batch(x, y)
        return lambda: function(*arguments)

    def wait(self, result):
        tf.test.experimental.sync_devices()

    def memory(self):
        if self.device == "CPU:0":
            return {}
        return {"allocated_peak": tf.config.experimental.get_memory_info(self.device)["peak"]}

    def source(self):
        return "\n\n".join(self.text.values())
