"""What do the harness and an adapter cost? Our worker against the adapter's own step in a bare
loop, and against the same network written by hand in that loop; one process, alternating in blocks.

    python scripts/handwritten.py torch --network lenet5 --phase inference --batch 1
    python scripts/handwritten.py theano --network resnet20 --phase train --batch 8 --bare

Prints the ratio of our step to each of the others with its 95% interval, and their difference;
rounds are paired. The first is what the harness costs, the second has the adapter in it. `--bare`
leaves the second out: any framework, any network.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

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
)
from bench.entrants import Entrant
from bench.errors import Unavailable

FOLDER = Path(__file__).with_name("handwritten")


@click.command()
@click.argument("framework")
@click.option("--network", default="resnet50")
@click.option("--mode", help="Default: the adapter's first.")
@click.option("--phase", default="train", type=click.Choice(["inference", "train"]))
@click.option("--batch", default=8)
@click.option("--rounds", default=30)
@click.option("--block", default=0.1, help="Seconds of a block, or one step.")
@click.option("--warmup", default=3.0, help="Seconds.")
@click.option("--threads", default=machine.processors())
@click.option("--bare", is_flag=True, help="Against the bare loop alone.")
def main(framework: str, network: str, mode: str | None, bare: bool, **options: Any) -> None:
    """Race an adapter against a bare loop, and scripts/handwritten/NETWORK/FRAMEWORK.py."""
    written = FOLDER / network / f"{framework}.py"
    if not bare and not written.exists():
        there = ", ".join(sorted(f"{p.stem} {p.parent.name}" for p in FOLDER.glob("*/*.py")))
        raise click.ClickException(f"nobody wrote {framework} {network}: --bare, or {there}")
    contender = cases.contenders(frameworks.select(framework), mode or "default")[0]
    entrant = session.provision([contender], "cpu", console.Watch())[contender]
    if isinstance(entrant, Unavailable):
        raise click.ClickException(str(entrant))
    with tempfile.TemporaryDirectory() as folder:
        files = parity.save_usual(Path(folder), models.load(network), options["batch"])
        request = files | options | {"adapter": str(entrant.adapter), "mode": contender.mode}
        request["handwritten"] = "" if bare else str(written)
        request["cpus"] = client.processors(options["threads"])
        report(run(entrant, request, Path(folder)), f"{contender} {network} {options}")


def run(entrant: Entrant, request: dict[str, Any], folder: Path) -> dict[str, list[list[float]]]:
    """The samples of each block of both."""
    path, threads = folder / "request.json", request["threads"]
    path.write_text(json.dumps(request))
    done = subprocess.run(
        [entrant.python, "-s", FOLDER / "driver.py", path], check=True, stdout=subprocess.PIPE,
        env=client.environment(threads, entrant.variables(threads)),
    )  # fmt: skip
    found: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(samples: dict[str, list[list[float]]], what: str) -> None:
    """Each round is a pair, and a replicate: the interval is of this process, not of others."""
    click.echo(what)
    sides = {k: {(i, 0): s for i, s in enumerate(blocks)} for k, blocks in samples.items()}
    for name, side in sides.items():
        middle, ratio = stats.median(side).value, stats.ratio(sides["ours"], side)
        click.echo(f"  {name}: {middle * 1e3:.4g} ms, {len(side)} blocks")
        if name != "ours":
            click.echo(
                f"    ours is {ratio.value:.4f} of it (95%: {ratio.low:.4f} to {ratio.high:.4f}), "
                f"{(ratio.value - 1) * middle * 1e6:+.1f} us"
            )


if __name__ == "__main__":
    main()
