"""How often `bench history` and `bench compare` cry wolf, and what they find (docs/history.md).

    python scripts/alarms.py [RUN...] [--histories N] [--seed N]

A/A: histories and pairs of runs in which nothing ever changed. Their noise is made up (normal; with
tails so heavy that the variance is infinite; one-sided; shared by all series of a night) and, with
RUN..., it is how the processes of real runs differ: drawn in any order, and, where a run has six or
more, each process taken as a night, in the order in which they ran. Exit status: 1 where false
alarms are more frequent than LEVEL, by more than chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import compare, history, stats, steps, store, summary  # noqa: E402

Random = np.random.Generator
Noise = Callable[[Random, tuple[int, ...]], NDArray[np.float64]]  # of logarithms, spread about 1
SPREAD = 0.05  # of the logarithm, between nights
NIGHTS = (10, 30, 90)
SERIES = (1, 40)
PROCESSES = (3, 10)  # of a run, for compare
FACTORS = (1.05, 1.1, 1.2)
SURE = 0.001  # the level of each mark: there are many rows
AFTER = (3, 5, 8)  # nights on the new level


def normal(random: Random, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return random.standard_normal(shape)


def heavy(random: Random, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Student's with two degrees of freedom: its variance is infinite."""
    return random.standard_t(2, shape)


def one_sided(random: Random, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Never faster than the machine can, often slower."""
    return random.standard_exponential(shape)


def shared(random: Random, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Half of the noise is the night's, the same for every series."""
    return (heavy(random, shape) + heavy(random, shape[-1:])) / 2


def neighbouring(random: Random, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Each night resembles the last (correlation 0.3): what no shuffling can allow for."""
    found = random.standard_normal(shape)
    for night in range(1, shape[-1]):
        found[..., night] += 0.3 * found[..., night - 1]
    return found


NOISES: dict[str, Noise] = {
    "normal": normal, "t, 2 degrees": heavy, "exponential": one_sided, "half shared": shared,
}  # fmt: skip


def deviations(run: store.Run) -> list[list[float]]:
    """For each case, how its processes differ from their mean, as logarithms in running order."""
    samples = store.load(run.folder).samples
    logs = [
        stats.by_process({b: stats.centre(s) for b, s in summary.blocks(group).items()})
        for _, group in samples.groupby(summary.CASE, sort=False)
    ]
    return [list(values - values.mean()) for values in logs if len(values) > 1]


def drawn_from(cases: Sequence[Sequence[float]]) -> Noise:
    """Noise whose values are those of real processes, in the units of SPREAD."""
    pool = np.array([value for case in cases for value in case]) / SPREAD
    return lambda random, shape: random.choice(pool, shape)


# -- history ---------------------------------------------------------------------------------------


def nights(noise: Noise, random: Random, series: int, count: int) -> NDArray[np.float64]:
    return np.exp(SPREAD * noise(random, (series, count)))


def alarmed(times: NDArray[np.float64]) -> bool:
    return any(steps.find(times.tolist()))


def newly(times: NDArray[np.float64]) -> bool:
    """Whether the last night brings a step to light, as the exit status of `bench history` says."""
    now, before = steps.find(times.tolist()), steps.find(times[:, :-1].tolist())
    series = [
        history.Series("", {}, (), seen, [step.index for step in earlier])
        for seen, earlier in zip(now, before, strict=True)
    ]
    return any(one.is_new(step) for one in series for step in one.steps)


def false_histories(noises: dict[str, Noise], random: Random, count: int) -> Iterator[list[str]]:
    for name, noise in noises.items():
        for series in SERIES:
            repeats = max(count // 4, count // series)
            for length in NIGHTS:
                wrong = sum(alarmed(nights(noise, random, series, length)) for _ in range(repeats))
                yield ["history with a step", name, f"{series} series, {length} runs",
                       *rate(wrong, repeats)]  # fmt: skip


def false_nights(noises: dict[str, Noise], random: Random, count: int) -> Iterator[list[str]]:
    """A year's worth of looking every night costs more than one look: alarms per night."""
    for name, noise in noises.items():
        for series in SERIES:
            looks = [
                newly(nights(noise, random, series, int(random.integers(6, 61))))
                for _ in range(max(count // 4, count // series))
            ]
            yield ["night with a new step", name, f"{series} series, 6 to 60 runs",
                   *rate(sum(looks), len(looks))]  # fmt: skip


def in_order(name: str, cases: Sequence[Sequence[float]]) -> Iterator[list[str]]:
    """Real processes as nights: each case a history of its own."""
    long = [np.exp([case]) for case in cases if len(case) >= 2 * steps.SHORTEST]
    if long:
        wrong = sum(alarmed(times) for times in long)
        yield ["history with a step", f"{name}, in order", "each case alone",
               *rate(wrong, len(long))]  # fmt: skip


def found_steps(noise: Noise, random: Random, count: int) -> Iterator[list[str]]:
    """One network of 20 becomes slower after 30 nights, or all of one framework's five."""
    for slower in (1, 5):
        for factor in FACTORS:
            for after in AFTER:
                seen = 0
                for _ in range(count):
                    times = nights(noise, random, 20, 30 + after)
                    times[:slower, -after:] *= factor
                    seen += any(steps.find(times.tolist())[:slower])
                yield [f"{slower} of 20", f"{factor - 1:.0%}", f"{after} nights",
                       f"{seen / count:.0%}"]  # fmt: skip


# -- compare ---------------------------------------------------------------------------------------


def words(noise: Noise, random: Random, processes: int, series: int, drift: float) -> list[str]:
    """The verdicts on two runs in which nothing changed but the machine, by `drift` (sd)."""
    times = np.exp(SPREAD * noise(random, (2, series, processes)))
    times *= np.exp(drift * random.standard_normal((2, 1, 1)))
    keys = range(series)
    before, after = (
        {(k,): {(p, 0): [float(t)] for p, t in enumerate(run[k])} for k in keys} for run in times
    )
    ratios = [stats.quotient(stats.median(after[k,]), stats.median(before[k,])) for k in keys]
    return stats.verdicts(ratios, compare.MARGIN, beyond=compare.MARGIN)


def false_pairs(noises: dict[str, Noise], random: Random, count: int) -> Iterator[list[str]]:
    for name, noise in noises.items():
        for processes in PROCESSES:
            for drift in (0.0, 0.02):
                wrong = sum(
                    bool({"SLOWER", "FASTER"} & set(words(noise, random, processes, 20, drift)))
                    for _ in range(count)
                )
                yield ["comparison with a difference", name,
                       f"20 cases, {processes} processes, runs differ by {drift:.0%}",
                       *rate(wrong, count)]  # fmt: skip


# -- the answer ------------------------------------------------------------------------------------


def rate(wrong: int, total: int) -> list[str]:
    """In percent, with its 95% interval, and a mark where LEVEL is exceeded for sure."""
    interval = binomtest(wrong, total).proportion_ci()
    chance = binomtest(wrong, total, steps.LEVEL, alternative="greater").pvalue
    mark = "**more than nominal**" if chance < SURE else ""
    return [f"{wrong / total:.1%}", f"{interval.low:.1%} to {interval.high:.1%}", mark]


def table(title: str, columns: list[str], rows: Iterator[list[str]]) -> bool:
    """Print rows as they come; whether none is marked."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    good = True
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
        good = good and not row[-1].startswith("**")
    return good


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--histories", type=int, default=1000, help="for each rate")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    random, count = np.random.default_rng(chosen.seed), chosen.histories
    real = {run.folder.name: deviations(run) for run in map(store.Run.open, chosen.runs)}
    noises = NOISES | {f"{name}, drawn": drawn_from(cases) for name, cases in real.items()}
    columns = ["what", "noise", "of", "false", "95% interval", ""]
    good = [
        table("Histories without a step", columns, false_histories(noises, random, count)),
        table("Every night a look", columns, false_nights(noises, random, count)),
        table("Two runs that are the same", columns, false_pairs(noises, random, count)),
    ]
    beyond = false_histories({"nights alike": neighbouring}, random, count)
    table("Outside of what is promised: correlated nights", columns, beyond)
    for name, cases in real.items():
        good.append(table("Processes in their order", columns, in_order(name, cases)))
    power = found_steps(heavy, random, max(1, count // 10))
    table("Steps found (t, 2 degrees)", ["slower", "by", "for", "found"], power)
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
