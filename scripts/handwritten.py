"""What do the harness and an adapter cost? Our worker against the same network written by hand, in
a bare loop of the framework; one process, alternating in blocks.

    python scripts/handwritten.py torch --network lenet5 --phase inference --batch 1
    python scripts/handwritten.py torch --network resnet50 --phase train --batch 8

Prints the ratio of our step to the handwritten one with its 95% interval, and their difference;
rounds are paired.
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
WRITTEN = sorted({path.stem for path in FOLDER.glob("*/*.py")})
NETWORKS = sorted({path.parent.name for path in FOLDER.glob("*/*.py")})


@click.command()
@click.argument("framework", type=click.Choice(WRITTEN))
@click.option("--network", default="resnet50", type=click.Choice(NETWORKS))
@click.option("--mode", help="Default: the adapter's first.")
@click.option("--phase", default="train", type=click.Choice(["inference", "train"]))
@click.option("--batch", default=8)
@click.option("--rounds", default=30)
@click.option("--block", default=0.1, help="Seconds of a block, or one step.")
@click.option("--warmup", default=3.0, help="Seconds.")
@click.option("--threads", default=machine.processors())
def main(framework: str, network: str, mode: str | None, **options: Any) -> None:
    """Race an adapter against scripts/handwritten/NETWORK/FRAMEWORK.py."""
    written = FOLDER / network / f"{framework}.py"
    if not written.exists():
        raise click.ClickException(f"nobody wrote {written.relative_to(FOLDER.parent)} yet")
    contender = cases.contenders(frameworks.select(framework), mode or "default")[0]
    entrant = session.provision([contender], "cpu", console.Watch())[contender]
    if isinstance(entrant, Unavailable):
        raise click.ClickException(str(entrant))
    with tempfile.TemporaryDirectory() as folder:
        files = parity.save_usual(Path(folder), models.load(network), options["batch"])
        request = files | options | {"adapter": str(entrant.adapter), "mode": contender.mode}
        request |= {"handwritten": str(written), "cpus": client.processors(options["threads"])}
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
    ours, hand = ({(i, 0): s for i, s in enumerate(samples[k])} for k in ("ours", "handwritten"))
    one, two, ratio = stats.median(ours), stats.median(hand), stats.ratio(ours, hand)
    click.echo(what)
    for name, side in (("ours", one), ("handwritten", two)):
        click.echo(f"  {name}: {side.value * 1e3:.4g} ms, {len(ours)} blocks")
    click.echo(
        f"  ratio {ratio.value:.4f} (95%: {ratio.low:.4f} to {ratio.high:.4f}), "
        f"difference {(ratio.value - 1) * two.value * 1e6:.1f} us"
    )


if __name__ == "__main__":
    main()
