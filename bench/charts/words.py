"""What charts say, in the language that was asked for."""

from __future__ import annotations

from typing import Any

import pandas as pd

LANGUAGES = ("en", "zh")
ZH = {
    # titles
    "Time relative to the fastest": "相对最快者的用时",
    "Time of a step": "单步用时",
    "Ratios to the fastest, with intervals": "与最快者之比及其区间",
    "Time against memory": "用时与内存",
    "Throughput over batch size": "吞吐量随批量的变化",
    "Forward against backward": "前向与反向",
    "First call, and the steps that pay it back": "首次调用与收回所需步数",
    "Thread scaling": "线程扩展性",
    "Times over many runs": "多次运行的用时变化",
    # axes, columns and legends
    "time of a step, ms": "单步用时（毫秒）",
    "times as long as the fastest": "用时为最快者的倍数",
    "peak memory, MiB": "峰值内存（MiB）",
    "batch size": "批量大小",
    "images per second": "每秒图像数",
    "forward, ms": "前向（毫秒）",
    "backward, ms": "反向（毫秒）",
    "first call, s": "首次调用（秒）",
    "{steps} steps": "{steps} 步",
    "threads": "线程数",
    "times as fast as with the fewest threads": "相对最少线程时的加速比",
    "mean": "平均",
    "the fastest": "最快",
    "never": "永不",
    "starts quickest": "启动最快",
    "SAME": "相同",
    "SLOWER": "更慢",
    "FASTER": "更快",
    "UNDECIDED": "未定",
    "verdict": "判定",
    # phases
    "inference": "推理",
    "forward": "前向",
    "train": "训练",
    "step": "更新步",
    # outcomes
    "missing": "未测",
    "unsupported": "不支持",
    "unavailable": "不可用",
    "wrong": "结果不符",
    "out_of_memory": "内存不足",
    "timeout": "超时",
    "died": "崩溃",
    # the situation
    "batch {value}": "批量 {value}",
    "1 thread": "1 线程",
    "{value} threads": "{value} 线程",
    "run {value}": "运行 {value}",
    # what a chart shows
    "Each figure is how many times as long as the fastest contender of that network; darker is "
    "slower. Mean: geometric, over networks.":
    "数字为该网络中用时相对最快者的倍数；颜色越深越慢。平均：各网络的几何平均。",
    "Median, with its 95% interval where more than one process was measured; an arrow: it goes on.":
    "中位数及其 95% 区间（测了多个进程时）；箭头表示区间超出图外。",
    "Above 1 is slower; within the grey band (3%) is no difference in practice.":
    "大于 1 为更慢；灰带（3%）内视为无实际差别。",
    "Towards the lower left is better: less time, less memory.": "越靠左下越好：用时少、内存少。",
    "Higher is better; bars are 95% intervals.": "越高越好；竖线为 95% 区间。",
    "Backward is derived: train - forward, paired by process. Dashed: backward takes 1, 2, 3 times "
    "as long. Behind each name its own ratio.":
    "反向为推算值：训练 - 前向，按进程配对。虚线：反向用时为前向的 1、2、3 倍；名称后为各自倍数。",
    "First call: tracing and compiling included. A diamond, and after how many steps: it catches "
    "up with the one that starts quickest.":
    "首次调用含追踪与编译。菱形及步数：经过这么多步后追平启动最快者。",
    "A point for each run with its 95% interval, and the level it belongs to. A triangle: from "
    "there on the level is another, by this factor; with version and commit where these are new.":
    "每点为一次运行及其 95% 区间，线为所属水平。三角：水平自此按所示倍数改变，附新的版本与提交。",
    "The dashed line is ideal: twice the threads, half the time.":
    "虚线为理想情形：线程加倍，用时减半。",
}  # fmt: skip
SITUATION = {"batch": "batch {value}", "threads": "{value} threads", "run": "run {value}"}


class Words:
    """`say("text")` in a language; English is the key. Raises KeyError for what has no Chinese."""

    def __init__(self, lang: str = "en") -> None:
        self.lang = lang

    def __call__(self, text: str, **values: Any) -> str:
        return (ZH[text] if self.lang == "zh" else text).format(**values)

    def part(self, column: str, value: Any) -> str:
        """One fact of a situation: `batch 8`, `resnet50`."""
        if (column, value) == ("threads", 1):
            return self("1 thread")
        if column in SITUATION:
            return self(SITUATION[column], value=value)
        return self(value) if column == "phase" and value in ZH else str(value)

    def panels(self, frame: pd.DataFrame, columns: list[str]) -> tuple[list[str], str]:
        """What tells each row's situation from the others', and what all have in common."""
        varies = [c for c in columns if frame[c].nunique() > 1]
        labels = [
            ", ".join(self.part(c, v) for c, v in zip(varies, values, strict=True))
            for values in frame[varies].itertuples(index=False, name=None)
        ]
        shared = [c for c in columns if c not in varies and c != "run"]
        first = frame.iloc[0]
        return labels or [""] * len(frame), ", ".join(self.part(c, first[c]) for c in shared)
