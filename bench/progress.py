"""What a race knows so far, and whether that is enough. Learns from the lines of the journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import inf, isfinite
from typing import Any

from bench import schedule, stats
from bench.cases import Cell, Contender, Plan
from bench.guard import disturbance
from bench.stats import Block, Estimate, Watched

Network = tuple[str, int]
Centres = dict[Block, float]


class Progress:
    """Of a plan: what each block came to, what starting processes cost, which networks need more.

    A network needs no more where every ratio to the fastest of its cell is known as precisely as
    the plan asks (`within`), from ENOUGH processes at least; or where the budget holds no further
    process of everyone. Starting the planned processes is not counted against the budget; starting
    further ones is."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.centres: dict[Cell, dict[Contender, Centres]] = defaultdict(lambda: defaultdict(dict))
        self.marked: dict[Cell, dict[Contender, set[Block]]] = defaultdict(lambda: defaultdict(set))
        self.turns: set[tuple[Contender, Cell, int]] = set()  # that have begun
        self.measured: dict[Network, float] = defaultdict(float)  # seconds, warm-up included
        self.starting: dict[Network, float] = defaultdict(float)  # seconds
        self.starts: dict[tuple[Contender, Network], dict[int, float]] = defaultdict(dict)
        self.processes: dict[Network, int] = defaultdict(int)
        self.repetitions: dict[Network, int] = defaultdict(int)
        self.stopped: dict[Network, dict[str, Any]] = {}

    def learn(self, entry: Mapping[str, Any]) -> None:
        """From a line of the journal, of any kind."""
        learner = getattr(self, f"learn_{entry['kind']}", None)
        if learner:
            learner(entry, (entry["model"], entry["batch"]))

    def learn_process(self, entry: Mapping[str, Any], network: Network) -> None:
        self.processes[network] = max(self.processes[network], entry["process"] + 1)

    def learn_warmup(self, entry: Mapping[str, Any], network: Network) -> None:
        self.measured[network] += entry["seconds"]

    def learn_block(self, entry: Mapping[str, Any], network: Network) -> None:
        cell, contender = key(Cell, entry), key(Contender, entry)
        block = (entry["process"], entry["round"])
        self.centres[cell][contender][block] = stats.centre(entry["samples"])
        self.turns.add((contender, cell, entry["process"]))
        if disturbance(entry):
            self.marked[cell][contender].add(block)
        self.measured[network] += entry["wall"] + (entry["settle"] or 0) * entry["repeats"]

    def learn_outcome(self, entry: Mapping[str, Any], network: Network) -> None:
        """What was found out to be wrong is nobody's measure."""
        if entry["status"] == "wrong":
            self.centres[key(Cell, entry)].pop(key(Contender, entry), None)

    def learn_repetition(self, entry: Mapping[str, Any], network: Network) -> None:
        self.repetitions[network] += 1

    def learn_stop(self, entry: Mapping[str, Any], network: Network) -> None:
        self.stopped[network] = {k: entry[k] for k in ("reason", "processes", "widest", "within")}

    def started(self, contender: Contender, network: Network, process: int, seconds: float) -> None:
        """So many more seconds went into starting a process, building and compiling."""
        known = self.starts[contender, network]
        known[process] = known.get(process, 0.0) + seconds
        self.starting[network] += seconds

    # -- decisions --------------------------------------------------------------------------------

    def complete(self, network: Network) -> int:
        """How many processes every contender has had."""
        return self.repetitions[network]

    def next_process(self, network: Network) -> int:
        """The number of the next process: not one that was cut off before."""
        return max(self.processes[network], self.repetitions[network])

    def settled(self, network: Network) -> bool:
        """Whether a network needs no further process."""
        return bool(self.reason(network)["reason"] != "unsettled")

    def reason(self, network: Network) -> dict[str, Any]:
        """Why no further process is taken, from how many, and the widest interval of a ratio."""
        done, widest = self.complete(network), self.widest(network)
        why = "unsettled"
        if done and not self.measured[network]:
            why = "nothing to measure"
        elif done >= min(schedule.ENOUGH, self.plan.processes) and widest <= self.plan.within:
            why = "precise"
        elif done >= self.plan.processes and not self.affordable(network):
            why = "budget"
        shown = widest if isfinite(widest) else None
        return {
            "reason": why, "processes": done, "widest": shown, "within": self.plan.within,
        }  # fmt: skip

    def affordable(self, network: Network) -> bool:
        """Whether the budget holds another process of everyone on a network."""
        done = self.complete(network)
        if self.plan.processes < schedule.ENOUGH:
            return False  # one look was asked for
        extra = (self.measured[network] + self.starting[network]) / done
        return self.spent() + extra <= self.plan.budget

    def spent(self) -> float:
        """Seconds of the budget: all measuring, and the starting of processes beyond the plan."""
        found = 0.0
        for network, seconds in self.measured.items():
            beyond = max(0, self.complete(network) - self.plan.processes)
            share = beyond / max(1, self.complete(network))
            found += seconds + share * self.starting[network]
        return found

    def spare(self) -> float:
        """Seconds that the turns so far have left of their shares, and the budget holds."""
        shares = self.plan.share * len(self.turns)
        return min(shares, self.plan.budget) - sum(self.measured.values())

    def disturbed(self, cell: Cell, process: int) -> set[int]:
        """The rounds of a process in which somebody's block was disturbed."""
        blocks = [block for marked in self.marked[cell].values() for block in marked]
        return {number for of, number in blocks if of == process}

    def widest(self, network: Network) -> float:
        """The widest interval of a ratio to the fastest of its cell, relative; infinite where there
        is none."""
        widths = [e.width for cell in self.plan.cells(*network) for e in self.ratios(cell).values()]
        return max(widths, default=inf)

    def ratios(self, cell: Cell) -> dict[Contender, Estimate]:
        """Everybody's ratio to the fastest; of one who is alone the time."""
        found = self.blocks(cell)
        if len(found) < 2:
            return {c: stats.median(blocks) for c, blocks in found.items()}
        base = self.fastest(cell)
        return {c: stats.ratio(b, found[base]) for c, b in found.items() if c != base}

    def blocks(self, cell: Cell) -> dict[Contender, Watched]:
        """What each contender's blocks came to, as blocks of one sample."""
        found, marked = self.centres.get(cell, {}), self.marked[cell]
        return {c: Watched(one_each(values), marked[c]) for c, values in found.items()}

    def fastest(self, cell: Cell) -> Contender:
        found = self.blocks(cell)
        return min(found, key=lambda c: stats.median(found[c]).value)

    def wanted(self, cell: Cell, contenders: Sequence[Contender]) -> int:
        """How many rounds the next process takes, by the noise so far."""
        found = self.centres.get(cell, {})
        if len(found) < 2:
            return schedule.ROUNDS[1]
        base = found[self.fastest(cell)]
        counts = [
            self.rounds_of(contender, cell, paired(found[contender], base))
            for contender in contenders
            if contender in found and found[contender] is not base
        ]
        return max(counts, default=schedule.ROUNDS[1])

    def rounds_of(self, contender: Contender, cell: Cell, ratios: Centres) -> int:
        starts = self.starts[contender, (cell.model, cell.batch)]
        if not starts or not ratios:
            return schedule.ROUNDS[1]
        cost = sum(starts.values()) / len(starts) / len(self.plan.phases)
        return schedule.wanted(stats.components(ratios), cost, schedule.BLOCK)


def paired(values: Centres, base: Centres) -> Centres:
    """The ratios of blocks that both have."""
    return {block: values[block] / base[block] for block in values.keys() & base.keys()}


def one_each(values: Centres) -> dict[Block, list[float]]:
    """Blocks of one sample."""
    return {block: [value] for block, value in values.items()}


def key(kind: Any, entry: Mapping[str, Any]) -> Any:
    """The contender or the cell of a line."""
    return kind(**{field.name: entry[field.name] for field in fields(kind)})
