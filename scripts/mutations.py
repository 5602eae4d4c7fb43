"""Mutation test of the parity gate: does it see the mistakes that authors of adapters make?

    python scripts/mutations.py [--framework torch] [--markdown docs/mutations.md] [--json]

Each mistake of tests/mistakes is planted into a correct framework (the referee in float32), which
is then taken through the gate: the conformance cases of the operators concerned, with whole
training steps, and a few small networks. Exit status 1: a mistake was not seen that should be, or
the correct framework was refused.

With --framework the mistakes are planted into a real adapter, as far as they need no part of the
referee: those in reading the network, in weights, pictures and results.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import cases, chance, conformance, console, frameworks, moving, parity, session  # noqa: E402
from bench.cases import Contender  # noqa: E402
from bench.chance import Chance  # noqa: E402
from bench.client import Worker  # noqa: E402
from bench.errors import Unavailable  # noqa: E402
from bench.graph import Graph, Tensor, build  # noqa: E402
from bench.moving import Moving  # noqa: E402
from bench.parity import Checker, Referee, Verdict, compare  # noqa: E402
from bench.reference import Arrays  # noqa: E402
from tests.mistakes import Mistake, load  # noqa: E402

CHECKS = (  # in the gate's order
    "count", "logits", "loss", "gradients", "forward", "steps", "chance", "crash"
)  # fmt: skip
CHECK_OF = {
    "inference": "logits", "training": "gradients", "forward": "forward", "step": "steps"
}  # fmt: skip
CONTROL = "none"  # no mistake has this name
GENERAL = (  # what concerns no operator is asked of these, and of the small networks
    "conv_plain", "batchnorm_small_epsilon", "lrn", "maxpool_pad", "input_used_twice",
    "squeeze_and_excite", "auxiliary_classifier", "flatten_dense",
)  # fmt: skip
MUTANT, TOY = (ROOT / "tests" / "adapters" / f"{name}.py" for name in ("mutant", "toy"))


# -- small networks --------------------------------------------------------------------------------


def classic(x: Tensor) -> Tensor:
    """As from 2012 to 2015: normalisations, poolings, branches, a second classifier."""
    x = x.conv(6, (3, 5), stride=2, pad=(1, 2)).relu().lrn(5, 1e-2, 0.7, 2.0).maxpool(3, 2, pad=1)
    x = x.conv(9, 3, pad=1, groups=3, bias=False).batchnorm(1e-4).relu()
    x.global_avgpool().dense(7).relu().dense(5).auxiliary(0.3)
    x = x.conv(4, 1).concat(x.avgpool(3, 1, pad=1), x.conv(4, 3, pad=1))
    return x.maxpool(2, 2).flatten().dense(8).relu().dropout(0.5).dense(5)


def light(x: Tensor) -> Tensor:
    """As from 2017 to 2019: depthwise, shuffled, gated, with residuals."""
    x = x.conv(8, 3, stride=2, pad=1, bias=False).batchnorm().hard_swish()
    left, right = x.split(4, 4)
    right = right.conv(4, 3, pad=1, groups=4).relu6().conv(4, 1)
    x = left.concat(right).channel_shuffle(4)
    x = x.multiply(x.global_avgpool().dense(3).swish().dense(8).hard_sigmoid())
    x = x.add(x.conv(8, 1, groups=2).batchnorm(1e-3).stochastic_depth(0.2)).relu()
    return x.maxpool(3, 2).global_avgpool().dense(5)


def squares(x: Tensor) -> Tensor:
    """Square kernels with as many inputs as outputs, and square dense layers: layouts may slip."""
    x = x.conv(3, 3, pad=1).relu().conv(3, 3, stride=2, pad=1).relu().conv(3, 3).relu()
    return x.avgpool(2, 2).flatten().dense(27).relu().dense(27).relu().dense(27)


def pooled(x: Tensor) -> Tensor:
    """Ends in a global average, so that wrong strides and paddings give wrong numbers, no crash."""
    x = x.conv(6, (3, 5), stride=(2, 1), pad=(1, 2)).relu().conv(4, 2).relu()
    x = x.maxpool((3, 2), (2, 1), pad=(1, 0)).conv(4, 3, stride=2, pad=1)
    return x.avgpool((2, 3), (1, 2), pad=(0, 1)).global_avgpool().dense(5)


NETWORKS: dict[Callable[[Tensor], Tensor], tuple[int, int, int]] = {
    classic: (3, 21, 27),
    light: (3, 19, 23),
    squares: (3, 16, 16),
    pooled: (3, 29, 37),
}


# -- what is asked ---------------------------------------------------------------------------------


class Remembering(Referee):
    """Expected results are computed once for all mistakes."""

    def __init__(self, graph: Graph, batch: int) -> None:
        super().__init__(graph, batch)
        self.trained = cache(super().trained)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Case:
    """A network of the gate; conformance cases are asked of more."""

    referee: Referee
    conforms: bool

    @property
    def name(self) -> str:
        return self.referee.graph.name.split()[-1]

    @property
    def kinds(self) -> set[str]:
        """The operators between the convolution and dense layer that are in every case;
        `auxiliary` where there are auxiliary classifiers."""
        graph = self.referee.graph
        heads = {"auxiliary"} if graph.auxiliary else set()
        return heads | {node.op.kind for node in graph.nodes[1:-1]}

    def concerns(self, mistake: Mistake) -> bool:
        if not mistake.kinds:
            return not self.conforms or self.name in GENERAL
        return bool(self.kinds & set(mistake.kinds))

    def verdicts(self, probe: Checker, mistake: str) -> list[Verdict]:
        """The gate's, the network being named so that the worker plants the mistake."""
        referee = self.referee
        referee.graph = replace(referee.graph, name=f"{mistake} {self.name}")
        return probe.check(referee) + (probe.conform(referee) if self.conforms else [])

    def loss_alone(self, compared: Arrays) -> dict[str, Any]:
        """What the gate says of the loss alone."""
        return compare({"loss": compared["loss"]}, {"loss": self.referee.training["loss"]})


@dataclass(frozen=True)
class ByChance(Case):
    """An operator of chance at its rate."""

    referee: Chance  # type: ignore[assignment]
    conforms: bool = True

    @property
    def kinds(self) -> set[str]:
        return super().kinds & {"dropout", "stochasticdepth"}

    def verdicts(self, probe: Checker, mistake: str) -> list[Verdict]:
        self.referee.graph = replace(self.referee.graph, name=f"{mistake} {self.name}")
        return chance.examine(probe, self.referee)


@dataclass(frozen=True)
class OfStatistics(Case):
    """Statistics that training moves."""

    referee: Moving  # type: ignore[assignment]
    conforms: bool = True
    kinds = frozenset({"statistics"})

    def verdicts(self, probe: Checker, mistake: str) -> list[Verdict]:
        self.referee.graph = replace(self.referee.graph, name=f"{mistake} {self.name}")
        return moving.examine(probe, self.referee)


def all_cases() -> list[Case]:
    """The conformance cases and the small networks, each with the gate's batch."""
    small = [build(network, network.__name__, shape) for network, shape in NETWORKS.items()]
    found = [Case(Remembering(g, conformance.BATCH), True) for g in conformance.cases()]
    found += [ByChance(Chance(chance.case(name))) for name in chance.CASES]
    found.append(OfStatistics(Moving(moving.case())))
    return found + [Case(Remembering(graph, parity.BATCH), False) for graph in small]


class Probe(Checker):
    """The gate's checker, which keeps what it compared in training."""

    trained: Arrays = {}  # noqa: RUF012  replaced, never changed

    def training(self, calls: int = 1) -> Arrays:
        self.trained = super().training(calls)
        return self.trained

    def located(self, referee: Referee, phase: str) -> str:
        """Runs prefixes of the network, which are not what was compared."""
        kept = self.trained
        found = super().located(referee, phase)
        self.trained = kept
        return found


@dataclass(frozen=True)
class Finding:
    """What the gate found on one network: the first check that refused, or none."""

    case: str
    conforms: bool
    check: str = ""
    tensor: str | None = None
    error: float | None = None
    bound: float | None = None
    reason: str = ""

    @property
    def caught(self) -> bool:
        """Refused as wrong: a crash would have been noticed without a gate."""
        return self.check not in ("", "crash")

    @property
    def excess(self) -> float:
        """By how much the bound is passed."""
        return self.error / max(self.bound or 0, 1e-30) if self.error is not None else float("inf")


def judge(probe: Probe, case: Case, mistake: str) -> Finding:
    """Take one mistake through the gate on one network."""
    verdicts = case.verdicts(probe, mistake)
    bad = sorted((v for v in verdicts if not v.ok), key=lambda v: v.status != "wrong")
    return found(probe, case, bad[0]) if bad else Finding(case.name, case.conforms)


def found(probe: Probe, case: Case, verdict: Verdict) -> Finding:
    """A refusal, with the loss told from the gradients."""
    row = (verdict.worst_tensor, verdict.worst_error, verdict.bound, verdict.reason)
    check = CHECK_OF[verdict.phase]
    if verdict.status != "wrong":
        check = "crash"
    elif verdict.parameters != case.referee.graph.params:
        check = "count"
    elif isinstance(case, ByChance) and check != "logits":
        check = "chance"
    elif check == "gradients" and (loss := case.loss_alone(probe.trained))["status"] == "wrong":
        check, row = "loss", ("loss", loss["worst_error"], loss["bound"], loss["reason"])
    return Finding(case.name, case.conforms, check, *row)


@dataclass(frozen=True)
class Row:
    """One mistake and what the gate found on every network that it concerns."""

    mistake: Mistake
    findings: list[Finding]

    @property
    def first(self) -> Finding | None:
        """The earliest check that refused, on the network where it is plainest."""
        order = sorted(self.findings, key=lambda f: (-f.caught, CHECKS.index(f.check or "crash")))
        caught = [f for f in order if f.caught and f.check == order[0].check]
        return max(caught, key=lambda f: f.excess, default=None)

    @property
    def hidden(self) -> bool:
        return bool(self.mistake.same or self.mistake.blind)

    @property
    def crashed(self) -> bool:
        """Never wrong, but some error: of a real framework that is a refusal as well."""
        return self.first is None and any(f.check for f in self.findings)

    @property
    def right(self) -> bool:
        """Caught, or hidden and nowhere refused."""
        if self.hidden:
            return not any(f.check for f in self.findings)
        return self.first is not None

    def shown(self, conforms: bool) -> bool:
        """Whether a network of this kind shows it."""
        return any(f.caught for f in self.findings if f.conforms == conforms)

    def seen(self, conforms: bool) -> str:
        """On how many networks of a kind it was caught."""
        mine = [f for f in self.findings if f.conforms == conforms]
        return f"{sum(f.caught for f in mine)}/{len(mine)}" if mine else ""


def examine(probe: Probe, some: Iterable[Case], mistake: Mistake, until_caught: bool) -> Row:
    findings = []
    for case in some:
        if case.concerns(mistake):
            findings.append(judge(probe, case, mistake.name))
            if until_caught and findings[-1].caught:
                break
    return Row(mistake, findings)


# -- the worker ------------------------------------------------------------------------------------


@contextmanager
def probe(framework: str = "toy") -> Iterator[Probe]:
    """A worker whose framework plants what a network's name says; raises Unavailable, Failure."""
    python, real, variables = Path(sys.executable), TOY, {}
    contender = Contender("mutant", "plain")
    if framework != "toy":
        contender = cases.contenders(frameworks.select(framework), "default")[0]
        entrant = session.provision([contender], "cpu", console.Watch())[contender]
        if isinstance(entrant, Unavailable):
            raise entrant
        python, real, variables = entrant.python, entrant.adapter, entrant.variables(1)
    variables |= {"CONVMARK_REAL": str(real), "CONVMARK_REPOSITORY": str(ROOT)}
    about = {"mode": contender.mode, "device": "cpu", "precision": "fp32", "threads": 1}
    with (
        tempfile.TemporaryDirectory(prefix="convmark-") as folder,
        Worker(python, MUTANT, 1, variables, Path(folder) / "log") as worker,
    ):
        worker.call("hello", parity.LIMIT, **about)
        yield Probe(worker, contender, Path(folder))


# -- reports ---------------------------------------------------------------------------------------


def scientific(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def columns(row: Row) -> list[str]:
    """One mistake as a line of a table."""
    first = row.first or Finding("", True)
    missed = "hidden" if row.hidden else "crash" if row.crashed else "NOT CAUGHT"
    check = first.check or missed
    figures = [scientific(first.error), scientific(first.bound)]
    seen = [row.seen(True), row.seen(False)]
    return [row.mistake.name, row.mistake.what, check, first.case, *figures, *seen]


HEADER = ["mistake", "what its author got wrong", "check", "plainest on", "error", "bound"]
HEADER += ["cases", "networks"]


def table(rows: list[Row]) -> Table:
    shown = Table(*HEADER, box=console.SIMPLE_HEAD)
    for row in rows:
        shown.add_row(*columns(row), style="" if row.right else "bold red")
    return shown


def figures(rows: list[Row], passing: str) -> list[str]:
    """What came out, in sentences."""
    caught = [row for row in rows if row.first and not row.hidden]
    checks = Counter(row.first.check for row in caught if row.first)
    by = ", ".join(f"{checks[check]} by {check}" for check in CHECKS if checks[check])
    crashed = sum(row.crashed for row in rows)
    more = f"; {crashed} more end in an error of the framework's own" if crashed else ""
    same, blind = (sum(bool(getattr(r.mistake, k)) for r in rows) for k in ("same", "blind"))
    return [
        f"Without a mistake it passes on {passing}; mistakes are judged on these alone.",
        f"{len(caught)} of {len(rows) - same - blind} mistakes are caught: {by}{more}.",
        f"{same} programs that look like mistakes and are none pass, as they must.",
        f"{blind} mistakes are outside of what the gate runs or compares, and pass.",
    ]


def comparisons(rows: list[Row]) -> list[str]:
    """What only one part of the networks shows; meaningless where each was left when caught."""
    caught = [row for row in rows if row.first and not row.hidden]
    cases = [row for row in caught if not row.shown(conforms=False)]
    small = [row for row in caught if not row.shown(conforms=True)]
    silent = [r.mistake.name for r in small if not any(f.check for f in r.findings if f.conforms)]
    least = min(caught, key=lambda row: row.first.excess if row.first else 0.0)
    by = f"{least.first.excess:.0f} times its bound" if least.first else ""
    return [
        f"The narrowest catch is {least.mistake.name}, at {by} where it is plainest.",
        f"{len(cases)} show in conformance cases alone: in none of the small networks.",
        f"{len(small)} are wrong in small networks alone; in conformance cases {len(silent)} of "
        "them pass, the others crash, for shapes no longer fit. Those that pass: "
        f"{', '.join(silent) or 'none'}.",
    ]


def cells(values: Iterable[str]) -> str:
    return "| " + " | ".join(values) + " |"


def markdown(rows: list[Row], about: dict[str, str], sentences: list[str]) -> str:
    """The report as a document."""
    lines = ["# Mistakes planted into a correct framework", ""]
    lines += [
        f"Made by `python scripts/mutations.py --markdown docs/mutations.md` on {about['date']}"
    ]
    lines += [f"at revision {about['revision']}; framework: {about['framework']}.", ""]
    lines += [f"- {line}" for line in sentences] + ["", EXPLAINED, ""]
    lines += [cells(HEADER), cells(["---"] * len(HEADER))]
    lines += [cells(columns(row)) for row in rows if not row.hidden]
    for key, title in HIDDEN.items():
        hidden = [row.mistake for row in rows if getattr(row.mistake, key)]
        lines += [
            "",
            f"## {title}",
            "",
            cells(["program", "what it does", "why"]),
            cells(["---"] * 3),
        ]
        lines += [cells([m.name, m.what, getattr(m, key)]) for m in hidden]
    return "\n".join(lines) + "\n"


EXPLAINED = """\
Each is planted alone and taken through the gate's own checks, in their order: count of parameters,
logits, loss, gradients, the loss of the phase `forward`, whole training steps, and what operators
of chance do at their rates (`bench/chance.py`). Named is the earliest check that refuses it on any
network, and the network where it passes the bound furthest; error and bound are relative to the
referee's rms, and empty where a shape, a name or a count is wrong. `cases` and `networks`: on how
many of the conformance cases and networks that have the operator it is refused as wrong; a crash
does not count."""
HIDDEN = {
    "same": "Not mistakes: the same function, and so not refused",
    "blind": "Mistakes that the gate cannot see: it neither runs nor compares these",
}


def plain(rows: list[Row], about: dict[str, str]) -> str:
    """The report for programs."""
    whole = [
        {k: v for k, v in row.mistake._asdict().items() if k != "plant"}
        | {"right": row.right, "findings": [asdict(f) for f in row.findings]}
        for row in rows
    ]
    return json.dumps(about | {"mistakes": whole}, indent=1)


def revision() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def passed(probe: Probe, some: list[Case]) -> list[Case]:
    """The networks on which the framework without a mistake passes; those on which a real one does
    not are left out, and told.

    Raises ClickException where the toy fails anywhere, and where nothing passes."""
    found = [(case, judge(probe, case, CONTROL)) for case in some]
    refused = [f for _, f in found if f.check]
    for finding in refused:
        console.say(f"left out: {finding.case}, {finding.check}: {finding.reason}")
    if len(refused) == len(some) or (refused and probe.who[0] == "mutant"):
        raise click.ClickException("without a mistake it is refused on these networks")
    return [case for case, finding in found if not finding.check]


def run(framework: str, until_caught: bool) -> tuple[list[Row], str]:
    """Every mistake, and on how many networks there is none without; raises ClickException."""
    every, rows, mistakes = all_cases(), [], load(toy=framework == "toy")
    with probe(framework) as worker, console.Steps("mistakes", len(mistakes)) as progress:
        some = passed(worker, every)
        for mistake in mistakes.values():
            rows.append(examine(worker, some, mistake, until_caught))
            progress.step(" ".join(columns(rows[-1])[k] for k in (0, 2, 3)))
            if worker.worker.process.poll() is not None:
                raise click.ClickException(f"{mistake.name} ended the worker")
    return rows, f"{len(some)} of {len(every)} networks"


@click.command(help=(__doc__ or "").partition("\n\n")[0])
@click.option("--framework", default="toy", help="Plant into this adapter. Default: the referee.")
@click.option("--markdown", "document", type=click.Path(path_type=Path), help="Write a document.")
@click.option("--json", "as_json", is_flag=True, help="Print every finding as JSON.")
@click.option("--quick", is_flag=True, help="Leave each mistake when it is caught.")
def main(framework: str, document: Path | None, as_json: bool, quick: bool) -> None:
    """Plant every mistake, and report."""
    rows, passing = run(framework, quick)
    today = datetime.now(UTC).date().isoformat()
    about = {"date": today, "revision": revision(), "framework": framework}
    sentences = figures(rows, passing) + ([] if quick else comparisons(rows))
    if document:
        document.write_text(markdown(rows, about, sentences), encoding="utf-8")
    if as_json:
        click.echo(plain(rows, about))
    else:
        console.out.print(table(rows))
        click.echo("\n".join(sentences))
    sys.exit(not all(row.right or (row.crashed and framework != "toy") for row in rows))


if __name__ == "__main__":
    main()
