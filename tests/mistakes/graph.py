"""Mistakes in reading the network: attributes, operators and edges."""

from tests.mistakes import mistake


def of(graph, *ops):
    """The nodes of these operators."""
    return [node for node in graph["nodes"] if node["op"] in ops]


def attributes(graph, *ops):
    return [node["attrs"] for node in of(graph, *ops)]


def named(graph, name):
    """The node of that name; nothing for the network's input."""
    return next((node for node in graph["nodes"] if node["name"] == name), None)


def redirect(graph, old, new):
    """Whoever read `old` reads `new`."""
    for node in graph["nodes"]:
        node["inputs"] = [new if name == old else name for name in node["inputs"]]


def bypass(graph, node):
    """Leave a node out."""
    graph["nodes"].remove(node)
    redirect(graph, node["name"], node["inputs"][0])


def become(graph, old, new):
    """Another operator without attributes in the place of one."""
    for node in of(graph, old):
        node["op"] = new


# -- convolution and dense -------------------------------------------------------------------------


@mistake("graph", "conv")
def conv_padding_left_out(graph):
    """Convolutions are not padded."""
    for attrs in attributes(graph, "conv"):
        attrs["pad"] = [0, 0]


@mistake("graph", "conv")
def conv_padding_half_the_kernel(graph):
    """Padding is half of the kernel, whatever the network says."""
    for attrs in attributes(graph, "conv"):
        attrs["pad"] = [k // 2 for k in attrs["kernel"]]


@mistake("graph", "conv")
def conv_padding_swapped(graph):
    """Padding is read as (width, height)."""
    for attrs in attributes(graph, "conv"):
        attrs["pad"].reverse()


@mistake("graph", "conv")
def conv_stride_left_out(graph):
    """Every convolution has stride 1."""
    for attrs in attributes(graph, "conv"):
        attrs["stride"] = [1, 1]


@mistake("graph", "conv")
def conv_stride_of_height_only(graph):
    """The vertical stride is taken for both axes."""
    for attrs in attributes(graph, "conv"):
        attrs["stride"] = [attrs["stride"][0]] * 2


@mistake("graph", "conv")
def conv_bias_left_out(graph):
    """Convolutions have no bias."""
    for attrs in attributes(graph, "conv"):
        attrs["bias"] = False


@mistake("graph", "dense")
def dense_bias_left_out(graph):
    """Dense layers have no bias."""
    for attrs in attributes(graph, "dense"):
        attrs["bias"] = False


# -- batch normalisation and local response normalisation -----------------------------------------


@mistake("graph", "batchnorm")
def batchnorm_epsilon_of_keras(graph):
    """Epsilon stays at 1e-3, the default of Keras."""
    for attrs in attributes(graph, "batchnorm"):
        attrs["eps"] = 1e-3


@mistake("graph", "batchnorm")
def batchnorm_epsilon_of_torch(graph):
    """Epsilon stays at 1e-5, the default of PyTorch."""
    for attrs in attributes(graph, "batchnorm"):
        attrs["eps"] = 1e-5


@mistake("graph", "batchnorm")
def batchnorm_left_out(graph):
    """Batch normalisation is taken for folded, and left out."""
    for node in of(graph, "batchnorm"):
        bypass(graph, node)


@mistake("graph", "lrn")
def lrn_alpha_not_divided(graph):
    """Alpha is not divided by the size."""
    for attrs in attributes(graph, "lrn"):
        attrs["alpha"] *= attrs["size"]


@mistake("graph", "lrn")
def lrn_alpha_divided_twice(graph):
    """Alpha is divided by the size for a framework that divides it too."""
    for attrs in attributes(graph, "lrn"):
        attrs["alpha"] /= attrs["size"]


@mistake("graph", "lrn")
def lrn_constant_one(graph):
    """k is 1, as where the framework has no k."""
    for attrs in attributes(graph, "lrn"):
        attrs["k"] = 1.0


@mistake("graph", "lrn")
def lrn_beta_by_default(graph):
    """Beta is 0.75 whatever the network says."""
    for attrs in attributes(graph, "lrn"):
        attrs["beta"] = 0.75


@mistake("graph", "lrn")
def lrn_alpha_and_beta_swapped(graph):
    """Alpha and beta are given in the wrong order."""
    for attrs in attributes(graph, "lrn"):
        attrs["alpha"], attrs["beta"] = attrs["beta"], attrs["alpha"]


@mistake("graph", "lrn")
def lrn_size_as_radius(graph):
    """The size is given where the framework wants a radius; alpha is scaled to match."""
    for attrs in attributes(graph, "lrn"):
        wide = 2 * attrs["size"] + 1
        attrs["size"], attrs["alpha"] = wide, attrs["alpha"] * wide / attrs["size"]


@mistake("graph", "lrn")
def lrn_left_out(graph):
    """Local response normalisation is left out."""
    for node in of(graph, "lrn"):
        bypass(graph, node)


# -- activations ----------------------------------------------------------------------------------


@mistake("graph", "relu")
def relu_left_out(graph):
    """The first ReLU is left out."""
    for node in of(graph, "relu")[:1]:
        bypass(graph, node)


@mistake("graph", "relu")
def relu_before_the_sum(graph):
    """The ReLU of a residual block stands before the sum, on one branch."""
    for relu in of(graph, "relu"):
        add = named(graph, relu["inputs"][0])
        if add and add["op"] == "add":
            redirect(graph, relu["name"], add["name"])
            relu["inputs"], add["inputs"][0] = [add["inputs"][0]], relu["name"]
            graph["nodes"].remove(relu)
            graph["nodes"].insert(graph["nodes"].index(add), relu)


@mistake("graph", "relu")
def relu_in_place(graph):
    """ReLU overwrites its input, which a later node reads as well."""
    for relu in of(graph, "relu"):
        for node in graph["nodes"][graph["nodes"].index(relu) + 1 :]:
            names = node["inputs"]
            node["inputs"] = [relu["name"] if n == relu["inputs"][0] else n for n in names]


@mistake("graph", "relu")
def relu_as_relu6(graph):
    """Every ReLU is cut off at 6."""
    become(graph, "relu", "relu6")


@mistake("graph", "relu6")
def relu6_as_relu(graph):
    """ReLU6 is not cut off at 6."""
    become(graph, "relu6", "relu")


@mistake("graph", "hardswish")
def hard_swish_as_swish(graph):
    """Hard swish is swish."""
    become(graph, "hardswish", "swish")


@mistake("graph", "swish")
def swish_as_hard_swish(graph):
    """Swish is hard swish, as it is faster."""
    become(graph, "swish", "hardswish")


@mistake("graph", "swish")
def swish_as_relu(graph):
    """Swish is ReLU, as where the framework has none."""
    become(graph, "swish", "relu")


@mistake("graph", "hardsigmoid")
def hard_sigmoid_as_sigmoid(graph):
    """Hard sigmoid is the sigmoid."""
    become(graph, "hardsigmoid", "sigmoid")


@mistake("graph", "sigmoid")
def sigmoid_left_out(graph):
    """The gate's sigmoid is left out."""
    for node in of(graph, "sigmoid"):
        bypass(graph, node)


# -- pooling --------------------------------------------------------------------------------------


@mistake("graph", "maxpool", "avgpool")
def pooling_padding_left_out(graph):
    """Poolings are not padded."""
    for attrs in attributes(graph, "maxpool", "avgpool"):
        attrs["pad"] = [0, 0]


@mistake("graph", "maxpool", "avgpool")
def pooling_stride_of_the_kernel(graph):
    """The stride of a pooling is its kernel, the default of most frameworks."""
    for attrs in attributes(graph, "maxpool", "avgpool"):
        attrs["stride"] = list(attrs["kernel"])


@mistake("graph", "maxpool", "avgpool")
def pooling_kernel_swapped(graph):
    """Kernel, stride and padding of a pooling are read as (width, height)."""
    for attrs in attributes(graph, "maxpool", "avgpool"):
        for key in ("kernel", "stride", "pad"):
            attrs[key].reverse()


@mistake("graph", "maxpool")
def maxpool_as_avgpool(graph):
    """Maximum pooling is average pooling."""
    become(graph, "maxpool", "avgpool")


@mistake("graph", "avgpool")
def avgpool_as_maxpool(graph):
    """Average pooling is maximum pooling."""
    become(graph, "avgpool", "maxpool")


# -- joins, channels, gates -----------------------------------------------------------------------


@mistake("graph", "concat")
def concat_reversed(graph):
    """Inputs of a concatenation are given in the reverse order."""
    for node in of(graph, "concat"):
        node["inputs"].reverse()


@mistake("graph", "add")
def residual_left_out(graph):
    """A residual sum gives its first input."""
    for node in of(graph, "add"):
        bypass(graph, node)


@mistake("graph", "add")
def sum_of_two(graph):
    """Of a sum's inputs the first two are added."""
    for node in of(graph, "add"):
        node["inputs"], node["input_shapes"] = node["inputs"][:2], node["input_shapes"][:2]


@mistake("graph", "channelshuffle")
def shuffle_inverted(graph):
    """The shuffle's matrix is read the other way: C / groups groups."""
    for node in of(graph, "channelshuffle"):
        node["attrs"]["groups"] = node["output"][0] // node["attrs"]["groups"]


@mistake("graph", "channelshuffle")
def shuffle_of_two(graph):
    """The shuffle has two groups, as in ShuffleNet v2, whatever the network says."""
    for attrs in attributes(graph, "channelshuffle"):
        attrs["groups"] = 2


@mistake("graph", "channelshuffle")
def shuffle_left_out(graph):
    """Channels are not shuffled."""
    for node in of(graph, "channelshuffle"):
        bypass(graph, node)


@mistake("graph", "slice")
def slice_off_by_one(graph):
    """Channels are counted from 1."""
    for attrs in attributes(graph, "slice"):
        shift = min(attrs["start"], 1)
        attrs["start"], attrs["stop"] = attrs["start"] - shift, attrs["stop"] - shift


@mistake("graph", "slice")
def slice_from_the_start(graph):
    """A slice takes the first channels, whatever its start."""
    for attrs in attributes(graph, "slice"):
        attrs["start"], attrs["stop"] = 0, attrs["stop"] - attrs["start"]


@mistake("graph", "multiply")
def gate_left_out(graph):
    """The gate of squeeze and excitation is not applied."""
    for node in of(graph, "multiply"):
        bypass(graph, node)


# -- auxiliary classifiers and training ------------------------------------------------------------


def heads(graph):
    return [name for name, _ in graph["auxiliary"]]


@mistake("graph", "auxiliary")
def auxiliary_weight_one(graph):
    """Losses of auxiliary classifiers are added without their weights."""
    graph["auxiliary"] = [[name, 1.0] for name in heads(graph)]


@mistake("graph", "auxiliary")
def auxiliary_loss_left_out(graph):
    """Losses of auxiliary classifiers are left out."""
    graph["auxiliary"] = [[name, 0.0] for name in heads(graph)]


@mistake("graph", "auxiliary")
def auxiliary_weight_of_inception(graph):
    """The weight of an auxiliary loss is always Inception v3's 0.4."""
    graph["auxiliary"] = [[name, 0.4] for name in heads(graph)]


@mistake("graph", "auxiliary")
def auxiliary_in_the_wrong_place(graph):
    """The auxiliary classifier hangs one layer too early."""
    for name in heads(graph):
        node = named(graph, name)
        while node["op"] not in ("flatten", "globalavgpool"):
            node = named(graph, node["inputs"][0])
        source = named(graph, node["inputs"][0])
        early = named(graph, source["inputs"][0])
        if early and early["output"] == source["output"]:
            node["inputs"] = [early["name"]]


@mistake("graph", "auxiliary")
def auxiliary_logits_returned(graph):
    """The logits are those of the auxiliary classifier."""
    for name in heads(graph):
        node = named(graph, name)
        graph["nodes"].remove(node)
        graph["nodes"].append(node)


@mistake("graph")
def learning_rate_by_default(graph):
    """The learning rate is 0.01, whatever the network says."""
    graph["training"]["learning_rate"] = 0.01


@mistake("graph")
def momentum_left_out(graph):
    """SGD without momentum."""
    graph["training"]["momentum"] = 0.0


@mistake("graph")
def learning_rate_and_momentum_swapped(graph):
    """Learning rate and momentum are given in the wrong order."""
    training = graph["training"]
    rate, momentum = training["learning_rate"], training["momentum"]
    training.update(learning_rate=momentum, momentum=rate)
