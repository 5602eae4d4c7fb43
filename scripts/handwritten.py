"""Is an adapter as fast as the same network written by hand? ResNet-50, one process, interleaved.

    python scripts/handwritten.py torch --phase train --batch 8 --rounds 30

Prints the ratio of our step to the handwritten one with its 95% interval; rounds are paired.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import click

from bench import (
    cases,
    client,
    console,
    frameworks,
    machine,
    models,
    parity,
    session,
    stats,
    weights,
)
from bench.errors import Unavailable

FOLDER = Path(__file__).with_name("handwritten")
WRITTEN = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "driver")


@click.command()
@click.argument("framework", type=click.Choice(WRITTEN))
@click.option("--mode", help="Default: the adapter's first.")
@click.option("--phase", default="train", type=click.Choice(["inference", "train"]))
@click.option("--batch", default=8)
@click.option("--rounds", default=30)
@click.option("--warmup", default=3)
@click.option("--threads", default=machine.processors())
def main(framework: str, mode: str | None, **options: int) -> None:
    """Race an adapter against scripts/handwritten/FRAMEWORK.py."""
    contender = cases.contenders(frameworks.select(framework), mode or "default")[0]
    entrant = session.provision([contender], "cpu", console.Watch())[contender]
    if isinstance(entrant, Unavailable):
        raise click.ClickException(str(entrant))
    graph, threads = models.load("resnet50"), options["threads"]
    with tempfile.TemporaryDirectory() as folder:
        x, y = weights.batch(graph, options["batch"])
        files = parity.save(Path(folder), graph, weights.weights(graph), x, y)
        request = {"adapter": str(entrant.adapter), "mode": contender.mode}
        request["handwritten"] = str(FOLDER / f"{framework}.py")
        request |= files | options | {"cpus": client.processors(threads)}
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request))
        done = subprocess.run(
            [entrant.python, "-s", FOLDER / "driver.py", path], check=True, stdout=subprocess.PIPE,
            env=client.environment(threads, entrant.variables(threads)),
        )  # fmt: skip
    report(json.loads(done.stdout.splitlines()[-1]), f"{contender} {options}")


def report(samples: dict[str, list[float]], what: str) -> None:
    """Each round is a pair, and a replicate: the interval is of this process, not of others."""
    ours, hand = ({(i, 0): [s] for i, s in enumerate(samples[k])} for k in ("ours", "handwritten"))
    for name, side in (("ours", ours), ("handwritten", hand)):
        click.echo(f"{name}: median {stats.median(side).value * 1e3:.1f} ms of {len(side)}")
    ratio = stats.ratio(ours, hand)
    click.echo(f"{what}: ratio {ratio.value:.3f} (95%: {ratio.low:.3f} to {ratio.high:.3f})")


if __name__ == "__main__":
    main()
