"""A run as gauges in the text format of Prometheus, for node_exporter's textfile collector. Pure.

Names and units follow https://prometheus.io/docs/practices/naming/, the format
https://prometheus.io/docs/instrumenting/exposition_formats/. There are no ages but timestamps,
which stay right between runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync import __version__
from allowsync.model.outcome import Outcome
from allowsync.model.types import Basis
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from allowsync.model.fleet import FleetReport, SharedList
    from allowsync.model.outcome import ExitCode
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.policy.decision import Decision


class Gauge(Value):
    """A gauge: its name without `allowsync_`, its help text, a value for each set of labels."""

    name: str
    help: str
    samples: tuple[tuple[tuple[tuple[str, str], ...], float], ...]


def gauges(report: RunReport, code: ExitCode, last_good: datetime | None) -> Iterator[Gauge]:
    """Every gauge of a run.

    Args:
        report: The run.
        code: Its exit code.
        last_good: The start of the latest run that left every target in sync, if known.
    """
    yield Gauge("info", "The version of allowsync.", (((("version", __version__),), 1.0),))
    yield from _about_run(report, code, last_good)
    yield from _about_hosts(tuple(report.decisions.values()))
    yield from _about_targets(report.targets)
    yield from _about_blocked(tuple(one.report for one in report.blocked))
    if report.fleet is not None:
        yield from _about_fleet(report.fleet)


def text(all_gauges: Iterable[Gauge]) -> str:
    """Gauges in the text format. One without samples is omitted."""
    lines: list[str] = []
    for gauge in all_gauges:
        if gauge.samples:
            name = f"allowsync_{gauge.name}"
            lines += [f"# HELP {name} {gauge.help}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_labels(labels)} {number(one)}" for labels, one in gauge.samples]
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """A number without loss of precision, whole ones without a fraction."""
    return str(int(value)) if value == int(value) else repr(value)


def _about_run(report: RunReport, code: ExitCode, last_good: datetime | None) -> Iterator[Gauge]:
    started = report.started.timestamp()
    yield _plain("last_run_timestamp_seconds", "When the last run started.", started)
    yield _plain("last_run_duration_seconds", "How long the last run took.", report.seconds)
    yield _plain("last_run_exit_code", "The exit code of the last run.", float(code))
    yield _plain("last_run_problems", "Problems of the installation.", len(report.notices))
    if last_good is not None:
        yield _plain(
            "last_success_timestamp_seconds",
            "When the latest run started that left every target in sync.",
            last_good.timestamp(),
        )


def _about_hosts(decisions: tuple[Decision, ...]) -> Iterator[Gauge]:
    yield Gauge(
        "host_last_answer_timestamp_seconds",
        "When a name of the host last gave a usable answer.",
        tuple(_host(one, at.timestamp()) for one in decisions if (at := _last_answer(one))),
    )
    yield Gauge(
        "host_grants",
        "Networks of the host with access, by the basis of each.",
        tuple(
            ((("host", one.host.name), ("basis", basis.value)), float(_count(one, basis)))
            for one in decisions
            for basis in Basis
        ),
    )
    yield Gauge(
        "host_undecided",
        "1 while no address of the host is known.",
        tuple(_host(one, float(one.undecided)) for one in decisions),
    )
    yield Gauge(
        "host_suspicious_addresses",
        "Addresses of the last answers that were rejected.",
        tuple(_host(one, float(_disbelieved(one))) for one in decisions),
    )
    yield Gauge(
        "host_access_ends_timestamp_seconds",
        "When the first access of the host ends if nothing changes.",
        tuple(_host(one, at.timestamp()) for one in decisions if (at := _ends(one))),
    )


def _about_targets(targets: tuple[TargetReport, ...]) -> Iterator[Gauge]:
    yield Gauge(
        "target_in_step",
        "1 if the target holds just what it should.",
        tuple(_target(one, float(_in_step(one))) for one in targets),
    )
    yield Gauge(
        "target_entries",
        "Networks in the target, as far as is known.",
        _counts(targets),
    )
    yield Gauge(
        "target_withheld_entries",
        "Entries retained although no trusted host is known to use them.",
        tuple(_target(one, float(len(one.plan.withheld))) for one in targets if one.plan),
    )
    yield Gauge(
        "target_refused_removals",
        "Entries whose removal limits blocked.",
        tuple(
            _target(one, float(len(one.refusal.entries) if one.refusal else 0)) for one in targets
        ),
    )


def _about_blocked(targets: tuple[TargetReport, ...]) -> Iterator[Gauge]:
    yield Gauge(
        "denylist_in_step",
        "1 if the target blocks just what it should.",
        tuple(_target(one, float(_in_step(one)), "denylist") for one in targets),
    )
    yield Gauge(
        "denylist_networks",
        "Networks that the target blocks, as far as is known.",
        _counts(targets, "denylist"),
    )


def _about_fleet(fleet: FleetReport) -> Iterator[Gauge]:
    yield Gauge(
        "fleet_leads",
        "1 while the machine leads the fleet.",
        (((("fleet", fleet.name),), float(fleet.leads)),),
    )
    yield Gauge(
        "fleet_list_sequence",
        "The number of the document that is applied, or was published.",
        tuple(
            _shared(fleet, one, float(one.sequence))
            for one in fleet.lists
            if one.sequence is not None
        ),
    )
    yield Gauge(
        "fleet_list_decided_timestamp_seconds",
        "When it was decided.",
        tuple(
            _shared(fleet, one, one.decided.timestamp())
            for one in fleet.lists
            if one.decided is not None
        ),
    )
    yield Gauge(
        "fleet_list_silent",
        "1 while the list has no new document.",
        tuple(_shared(fleet, one, float(bool(one.trouble))) for one in fleet.lists),
    )


def _shared(
    fleet: FleetReport, one: SharedList, value: float
) -> tuple[tuple[tuple[str, str], ...], float]:
    return (("fleet", fleet.name), ("allowlist", one.name)), value


def _last_answer(decision: Decision) -> datetime | None:
    found = (track.last_found for track in decision.memory.tracks.values())
    return max((one for one in found if one is not None), default=None)


def _count(decision: Decision, basis: Basis) -> int:
    return sum(grant.basis is basis for grant in decision.grants)


def _disbelieved(decision: Decision) -> int:
    return sum(len(judged.rejected) for judged in decision.judged)


def _ends(decision: Decision) -> datetime | None:
    """The first end of access; that of a replaced address does not count."""
    lasting = (grant for grant in decision.grants if grant.basis is not Basis.REPLACED)
    return min((grant.ends for grant in lasting if grant.ends is not None), default=None)


def _in_step(target: TargetReport) -> bool:
    return target.outcome in (Outcome.UNCHANGED, Outcome.APPLIED) and not target.lacking


def _entries(target: TargetReport) -> int | None:
    if target.outcome in (Outcome.UNCHANGED, Outcome.APPLIED, Outcome.REFUSED) and target.plan:
        return len(target.plan.final)
    return None


def _plain(name: str, about: str, value: float) -> Gauge:
    return Gauge(name, about, (((), float(value)),))


def _host(decision: Decision, value: float) -> tuple[tuple[tuple[str, str], ...], float]:
    return (("host", decision.host.name),), value


def _target(
    target: TargetReport, value: float, of: str = "allowlist"
) -> tuple[tuple[tuple[str, str], ...], float]:
    return ((of, target.allowlist), ("target", target.target)), value


def _counts(
    targets: tuple[TargetReport, ...], of: str = "allowlist"
) -> tuple[tuple[tuple[tuple[str, str], ...], float], ...]:
    """The number of each target's entries, as far as known."""
    known = ((one, _entries(one)) for one in targets)
    return tuple(_target(one, float(count), of) for one, count in known if count is not None)


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return (
        "{" + ",".join(f'{name}="{_escaped(one)}"' for name, one in labels) + "}" if labels else ""
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
