"""What tests say, in English and Chinese; the statements' own Chinese stands in claims.toml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Message(str):
    """English, made from a template and its parts, so that it can be said in another language too.

    A part may be a message itself, or a tuple of texts that are listed."""

    __slots__ = ("parts", "template")
    template: str
    parts: dict[str, Any]

    def __new__(cls, template: str, /, **parts: Any) -> Message:
        message = super().__new__(cls, filled(template, parts, str))
        message.template, message.parts = template, parts
        return message


def filled(template: str, parts: dict[str, Any], say: Callable[[Any], str]) -> str:
    """The template with each part as it is said."""
    return template.format(**{
        name: ", ".join(map(say, part)) if isinstance(part, tuple) else say(part)
        for name, part in parts.items()
    })  # fmt: skip


def translated(text: object, lang: str) -> str:
    """A message or a text in a language; a user's own words as they are."""
    if lang == "en":
        return str(text)
    if isinstance(text, Message):
        return filled(
            ZH.get(text.template, text.template), text.parts, lambda part: translated(part, lang)
        )
    return ZH.get(str(text), str(text))


ZH = {
    # what a rule says by itself
    "time of a step, times the rival's": "单步用时与对手之比",
    "peak memory, times the rival's": "峰值内存与对手之比",
    "peak memory above the framework's own, times the rival's": "框架自身之外的峰值内存与对手之比",
    "time to build the graph, times the rival's": "构图时间与对手之比",
    "time to import the framework, times the rival's": "导入时间与对手之比",
    "time of the first call, compiling included, times the rival's": "首次调用（含编译）与对手之比",
    "spread of the time of a step, times the rival's": "单步用时离散程度与对手之比",
    "share of pairs of networks in which fewer macs are faster": "乘加更少者更快的网络对所占比例",
    "share of pairs of networks in which fewer params are faster": "参数更少者更快的网络对所占比例",
    "not measured": "未测",
    # claims.toml
    "parameters of CONV1": "CONV1 的参数量",
    "output of CONV1": "CONV1 的输出",
    "kernel of CONV1": "CONV1 的卷积核",
    "stride of CONV1": "CONV1 的步长",
    "parameters of MAX POOL1": "MAX POOL1 的参数量",
    "output of MAX POOL1": "MAX POOL1 的输出",
    "window of MAX POOL1": "MAX POOL1 的窗口",
    "stride of MAX POOL1": "MAX POOL1 的步长",
    "groups of CONV1": "CONV1 的分组数",
    "groups of CONV2": "CONV2 的分组数",
    "groups of CONV4 and CONV5": "CONV4、CONV5 的分组数",
    "groups of CONV3": "CONV3 的分组数",
    "weights of FC1 to FC3, where each sees all of the layer before":
    "FC1 至 FC3 的参数量（每层与前层全部相连）",
    "kernels of CONV2 to CONV5, as AlexNet's": "CONV2 至 CONV5 的卷积核，与 AlexNet 相同",
    "stride of CONV2, as AlexNet's": "CONV2 的步长，与 AlexNet 相同",
    "strides of CONV3 to CONV5, as AlexNet's": "CONV3 至 CONV5 的步长，与 AlexNet 相同",
    "groups of CONV2 to CONV5, as AlexNet's": "CONV2 至 CONV5 的分组数，与 AlexNet 相同",
    "layers with weights, VGG16": "带权重的层数，VGG16",
    "layers with weights, VGG19": "带权重的层数，VGG19",
    "layers with weights, AlexNet": "带权重的层数，AlexNet",
    "kernels of all convolutions": "所有卷积的卷积核",
    "strides of all convolutions": "所有卷积的步长",
    "pads of all convolutions": "所有卷积的填充",
    "windows of all pools": "所有池化的窗口",
    "strides of all pools": "所有池化的步长",
    "LRN layers": "LRN 层数",
    "parameters, three 3x3 over one 7x7": "参数量之比，三个 3x3 比一个 7x7",
    "receptive field of three 3x3": "三个 3x3 的感受野",
    "receptive field of one 7x7": "一个 7x7 的感受野",
    "parameters of three 3x3: 27*64*64": "三个 3x3 的参数量：27*64*64",
    "parameters of one 7x7: 49*64*64": "一个 7x7 的参数量：49*64*64",
    "ReLUs, three 3x3 over one 7x7": "ReLU 个数之比，三个 3x3 比一个 7x7",
    "parameters of AlexNet over GoogLeNet's": "参数量之比，AlexNet 比 GoogLeNet",
    "parameters of VGG16 over GoogLeNet's": "参数量之比，VGG16 比 GoogLeNet",
    "layers with weights on the longest way": "最长路径上带权重的层数",
    "global average poolings": "全局平均池化的个数",
    "dense layers: the one that gives the classes": "全连接层：仅有输出类别的一层",
    "layers of the first auxiliary head": "第一个辅助分类器的各层",
    "layers of the second auxiliary head": "第二个辅助分类器的各层",
    "multiply-accumulates, naive over reduced": "乘加次数之比，原始模块比降维模块",
    "parameters, naive over reduced": "参数量之比，原始模块比降维模块",
    "depth of the naive module's output (256 go in)": "原始模块的输出通道数（输入为 256）",
    "multiply-accumulates, bottleneck over basic block": "乘加次数之比，瓶颈块比基本块",
    "parameters, bottleneck over basic block": "参数量之比，瓶颈块比基本块",
    "input channels of the 3x3, over those of the block": "3x3 的输入通道数与块的通道数之比",
    "parameters over ResNet-50's": "参数量与 ResNet-50 之比",
    "multiply-accumulates over ResNet-50's": "乘加次数与 ResNet-50 之比",
    "early over late gradients in plain56, with batch norm, at the start":
    "plain56 前部与后部梯度之比，有批归一化，训练前",
    "early over late gradients in plain56, with batch norm, after training":
    "plain56 前部与后部梯度之比，有批归一化，训练后",
    "early gradients of plain56 over plain20's, with batch norm, at the start":
    "前部梯度之比，plain56 比 plain20，有批归一化，训练前",
    "early over late gradients in plain56 without batch norm, at the start":
    "plain56 前部与后部梯度之比，无批归一化，训练前",
    "early gradients of plain56 over plain20's, without batch norm, at the start":
    "前部梯度之比，plain56 比 plain20，无批归一化，训练前",
    "training loss, plain56 over plain20": "训练损失之比，plain56 比 plain20",
    "loss on other images, plain56 over plain20": "其他图像上的损失之比，plain56 比 plain20",
    "training loss, resnet56 over plain56": "训练损失之比，resnet56 比 plain56",
    "loss on other images, resnet56 over plain56": "其他图像上的损失之比，resnet56 比 plain56",
    "first call of Theano, compiling included, times the rival's":
    "Theano 首次调用（含编译）与对手之比",
    "building Theano's graph, times the rival's building": "Theano 构图时间与对手之比",
    "time of a step with Keras, times that without": "有无 Keras 的单步用时之比",
    "slope: what the time grows by with the work, with Keras over without":
    "斜率：用时随计算量的增长，有 Keras 比无",
    "intercept: 1 + the cost of each step over the shortest step":
    "截距：1 + 每步固定开销与最短一步之比",
    "peak memory of MXNet on the CPU, times the rival's": "MXNet 在 CPU 上的峰值内存与对手之比",
    "peak memory of MXNet on the GPU, times the rival's": "MXNet 在 GPU 上的峰值内存与对手之比",
    # rules and words of the tables
    "counted": "计数", "ratio": "比值", "spread": "离散", "fit": "拟合", "rank": "排序",
    "trained": "训练", "never": "不测", "yes": "是", "no": "否", "open": "未定",
    "the same": "相同",
    # what is compared, with what is expected
    "{what}, expected {expected}": "{what}，应为 {expected}",
    "{low} to {high}": "{low} 至 {high}",
    "of {count} tests hold": "项检验成立（共 {count} 项）",
    # what would decide a statement
    "no comparison on device {names}": "没有设备 {names} 上的比较",
    "no comparison on model {names}": "没有网络 {names} 上的比较",
    "no comparison on phase {names}": "没有阶段 {names} 的比较",
    "no comparison on batch {names}": "没有批大小 {names} 的比较",
    "comparisons on at least {least} networks, not {found} (--model)":
    "至少在 {least} 个网络上比较，现有 {found} 个（--model）",
    "both in the same cells, with {processes} processes each: {names}":
    "双方在相同条件下各测 {processes} 个进程：{names}",
    "both in the same cells: {names}": "双方在相同条件下测量：{names}",
    "{one} and {other}": "{one} 与 {other}",
    "{missing}; at least {least} cells (networks, batches) of one phase":
    "{missing}；同一阶段至少 {least} 个条件（网络、批大小）",
    "at least {networks} networks with {processes} processes in one phase and batch: {names}":
    "同一阶段与批大小下至少 {networks} 个网络、各 {processes} 个进程：{names}",
    "training of {names} with at least {seeds} seeds that stay finite: bench train":
    "训练 {names}，至少 {seeds} 个随机种子且损失保持有限：bench train",
    "{value} comes from one replicate alone: at least 3 {replicate}":
    "{value} 只来自一个重复：至少需 3 个{replicate}",
    "{value} is not told from the limit of {limit}: some more {replicate}":
    "{value} 与界限 {limit} 尚分不开：再增加一些{replicate}",
    "{value} is not told from the limit of {limit}: about {times} times as many {replicate}":
    "{value} 与界限 {limit} 尚分不开：约需 {times} 倍的{replicate}",
    "{value} is not told from the limit of {limit}: very many more {replicate}":
    "{value} 与界限 {limit} 尚分不开：需要多得多的{replicate}",
    "{value} ({low} to {high})": "{value} ({low} 至 {high})",
    "processes (--processes), or a quieter machine": "进程（--processes），或更安静的机器",
    "networks (--model), or runs": "网络（--model）或运行",
    "seeds (bench train --seeds)": "随机种子（bench train --seeds）",
    "data-parallel runs on several devices: convmark measures one device":
    "多设备数据并行的测量：convmark 只测单个设备",
    "data-parallel runs on a GPU cluster: convmark measures one device":
    "GPU 集群上数据并行的测量：convmark 只测单个设备",
}  # fmt: skip
