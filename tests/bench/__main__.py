"""`python -m tests.bench`: measure, show, and write down."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests.bench.measure import Result, measure
from tests.bench.report import document, lines, machine_line
from tests.bench.table import ALL

if TYPE_CHECKING:
    from tests.bench.scenario import Scenario

QUICK_RUNS = 2


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="This scenario, or all of that group.")
@click.option("--runs", type=click.IntRange(1), help="How often each side is run.")
@click.option("--quick", is_flag=True, help=f"{QUICK_RUNS} runs, and only what takes seconds.")
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".cache/bench.json"),
    show_default=True,
    help="Where everything is written down.",
)
@click.option("--list", "listing", is_flag=True, help="Only name the scenarios.")
def main(only: tuple[str, ...], runs: int | None, quick: bool, path: Path, listing: bool) -> None:
    """Measure how fast allowsync is beside what people have now.

    A goal that is missed is a measurement, and no failure; the exit code is 1 only if a scenario
    broke.
    """
    chosen = _choose(only, quick=quick)
    if listing:
        for scenario in chosen:
            click.echo(f"{scenario.name:24} {scenario.title}")
        return
    click.echo(machine_line())
    results = [run(scenario, runs or (QUICK_RUNS if quick else 0)) for scenario in chosen]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(results), indent=1) + "\n")
    sys.exit(int(any(result.broken for result in results)))


def _choose(only: tuple[str, ...], *, quick: bool) -> list[Scenario]:
    for name in only:
        if not any(one.belongs(name) for one in ALL):
            raise click.BadParameter(f"there is no scenario {name!r} (see --list)")
    named = [one for one in ALL if not only or any(map(one.belongs, only))]
    return [one for one in named if not (quick and one.slow)]


def run(scenario: Scenario, runs: int) -> Result:
    """Measure a scenario and show it, whatever happens."""
    try:
        result = measure(scenario, runs)
    except Exception as error:  # noqa: BLE001 - the other scenarios are to be measured all the same
        result = Result(scenario, broken=f"{type(error).__name__}: {error}")
    for line in lines(result):
        click.echo(line)
    return result


if __name__ == "__main__":
    main()
