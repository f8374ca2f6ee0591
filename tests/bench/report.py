"""Results as text for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.bench.measure import Result, Verdict
    from tests.bench.scenario import Figure

SCHEMA = "allowsync.bench/1"


def machine() -> dict[str, Any]:
    """What the figures depend on, the load of the last minute included."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def machine_line() -> str:
    """The same for people."""
    return "Python {python}, Linux {kernel}, {processors} processors, load {load:.1f}".format(
        **machine()
    )


def lines(result: Result) -> Iterator[str]:
    """What is shown of one scenario."""
    yield f"{result.scenario.name}: {result.scenario.title}"
    if result.skipped:
        yield f"  not run: {result.skipped}"
    if result.broken:
        yield f"  broken: {result.broken}"
    if result.samples:
        yield f"  {'':46} {'min':>9} {'median':>9} {'max':>9}"
    for figure in _figures(result):
        for side in result.samples:
            if values := result.values(side, figure):
                yield _row(side, figure, values)
    yield from map(_goal, result.verdicts)


def _figures(result: Result) -> dict[Figure, None]:
    return {figure: None for side in result.samples for figure in result.figures(side)}


def _row(side: str, figure: Figure, values: list[float]) -> str:
    shown = (min(values), statistics.median(values), max(values))
    columns = " ".join(f"{value * figure.scale:9.1f}" for value in shown)
    return f"  {figure.title:18}  {side:26} {columns} {figure.unit}".rstrip()


def _goal(verdict: Verdict) -> str:
    goal = verdict.goal
    met = "met" if verdict.met else "NOT MET"
    value = f"{verdict.value:.2f}" + (" x" if goal.against else "")
    kind = "then" if goal.then else "goal"
    return f"  {kind}  {goal.figure.title}: {goal}: {value}, {met}"


def document(results: Iterable[Result]) -> dict[str, Any]:
    """Everything as plain values. Times in seconds, memory in bytes; goals in their own units."""
    return {
        "schema": SCHEMA,
        "machine": machine(),
        "scenarios": [_scenario(result) for result in results],
    }


def _scenario(result: Result) -> dict[str, Any]:
    return {
        "name": result.scenario.name,
        "title": result.scenario.title,
        "skipped": result.skipped or None,
        "broken": result.broken or None,
        "sides": {
            side: {
                figure.name.lower(): _summary(result.values(side, figure))
                for figure in result.figures(side)
            }
            for side in result.samples
        },
        "goals": [_verdict(verdict) for verdict in result.verdicts],
    }


def _summary(values: list[float]) -> dict[str, Any]:
    return {
        "min": min(values),
        "median": statistics.median(values),
        "max": max(values),
        "values": values,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    goal = verdict.goal
    return {
        "figure": goal.figure.name.lower(),
        "comparison": goal.comparison.value,
        "limit": goal.limit,
        "unit": "ratio" if goal.against else goal.figure.unit or "count",
        "against": goal.against or None,
        "then": goal.then,
        "value": verdict.value,
        "met": verdict.met,
    }
