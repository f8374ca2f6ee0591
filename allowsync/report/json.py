"""Runs and statuses as JSON values. Field names are stable; more may be added.

Instants are ISO 8601 in UTC to the second, networks in CIDR form, lists sorted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from allowsync.model.answer import Absent, Found, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from allowsync.engine.orphan_targets import OrphanTarget
    from allowsync.inspect.block_status import BlockStatus
    from allowsync.inspect.host_use import HostUse
    from allowsync.inspect.status import AccessStatus, ScheduleFacts, TargetStatus
    from allowsync.model.fleet import FleetReport
    from allowsync.model.outcome import ExitCode, Notice
    from allowsync.model.types import Entry, Grant
    from allowsync.plan.result import BlockReport, RunReport, TargetReport
    from allowsync.policy.decision import Decision
    from allowsync.policy.denylist import NeverBlocked
    from allowsync.policy.screening import ScreenedAnswer

Json = dict[str, Any]


def run_document(report: RunReport, exit_code: ExitCode) -> Json:
    """A run (`allowsync.run/1`)."""
    return {
        "schema": "allowsync.run/1",
        "dry_run": report.dry_run,
        "offline": report.offline,
        "started": instant(report.started),
        "seconds": round(report.seconds, 3),
        "exit_code": int(exit_code),
        "hosts": [_host(one) for one in report.decisions.values()],
        "targets": [_target(one) for one in report.targets],
        **({"blocked": [_blocked(one) for one in report.blocked]} if report.blocked else {}),
        **({"fleet": fleet_document(report.fleet)} if report.fleet is not None else {}),
        "problems": problems(report.notices),
    }


def fleet_document(fleet: FleetReport) -> Json:
    """A fleet's state as known to one machine."""
    return {
        "name": fleet.name,
        "leads": fleet.leads,
        "leader": fleet.leader or None,
        "lists": [
            {
                "allowlist": one.name,
                "role": "publish" if one.publishes else "follow",
                "epoch": one.epoch,
                "sequence": one.sequence,
                "decided": None if one.decided is None else instant(one.decided),
                "trouble": one.trouble or None,
            }
            for one in fleet.lists
        ],
    }


def status_document(standing: AccessStatus, exit_code: ExitCode) -> Json:
    """The access of hosts, as far as known (`allowsync.status/1`).

    `findings`: all problems that `status` reports; `problems`: those that concern neither hosts nor
    targets.
    """
    from allowsync.inspect.status_problems import problems as found

    last = standing.last_run
    return {
        "schema": "allowsync.status/1",
        "exit_code": int(exit_code),
        "last_run": None if last is None else instant(last),
        "last_exit_code": None if standing.latest is None else standing.latest.exit_code,
        "schedule": None if standing.schedule is None else _schedule(standing.schedule),
        "hosts": [
            {
                **_known_host(one),
                "retained": list(map(str, standing.retained.get(name, ()))),
                **_use(standing.uses.get(name)),
            }
            for name, one in standing.decisions.items()
        ],
        "revoked": [
            {"subject": one.subject, "since": instant(one.at)} for one in standing.revocations
        ],
        "targets": [_standing_target(one, standing.now) for one in standing.targets],
        **(
            {"blocked": [_standing_block(one) for one in standing.blocked]}
            if standing.blocked
            else {}
        ),
        "leftovers": [_leftover(one) for one in standing.leftovers],
        "findings": [
            {"severity": one.severity.value, "where": one.where, "what": one.what}
            for one in found(standing)
        ],
        "problems": problems(standing.notices),
    }


def _use(use: HostUse | None) -> Json:
    """The time of a host's last packet, if packets are counted."""
    seen, since = (None, None) if use is None else (use.at, use.since)
    return {
        "seen": None if seen is None else instant(seen),
        "counted_since": None if since is None else instant(since),
        "seen_with": [] if use is None else list(use.beside),
        "uncounted": [] if use is None else list(use.uncounted),
    }


def _schedule(schedule: ScheduleFacts) -> Json:
    return {
        "scheduler": schedule.scheduler or None,
        "next_run": None if schedule.next_run is None else instant(schedule.next_run),
        "interval": None if schedule.interval is None else int(schedule.interval.total_seconds()),
        "trouble": schedule.trouble or None,
    }


def _leftover(one: OrphanTarget) -> Json:
    """The remains of a target that is no longer configured."""
    return {
        "target": one.name,
        "allowlist": one.allowlist,
        "place": None if one.marked is None else str(one.marked.place),
        "drops": one.drops,
        "effect": one.effect.name.lower(),
    }


def stopped_document(schema: str, exit_code: ExitCode, notices: Iterable[Notice]) -> Json:
    """The document of a command that changed nothing: exit codes 2 and 5."""
    return {"schema": schema, "exit_code": int(exit_code), "problems": problems(notices)}


def problems(notices: Iterable[Notice]) -> list[Json]:
    """The place and the fact of each notice."""
    return [{"where": one.where, "what": one.what} for one in notices]


def instant(value: datetime) -> str:
    """An instant to the second, with its offset."""
    return value.isoformat(timespec="seconds")


def query_document(judged: ScreenedAnswer) -> Json:
    """One query, its answer, and the rejected addresses."""
    addresses: list[str] = []
    reason: str | None = None
    ttl: int | None = None
    match judged.answer:
        case Found() as found:
            kind, addresses, ttl = "found", [str(one) for one in found.addresses], found.ttl
        case Absent(why):
            kind, reason = "absent", why
        case Unavailable(why):
            kind, reason = "unavailable", why
        case _:
            assert_never(judged.answer)
    return {
        "hostname": judged.query.hostname,
        "family": judged.query.family.value,
        "answer": kind,
        "addresses": addresses,
        "reason": reason,
        "ttl": ttl,
        "suspicious": isinstance(judged.answer, Unavailable) and judged.answer.suspicious,
        "rejected": [
            {"address": str(one.address), "reason": one.reason} for one in judged.rejected
        ],
    }


def entry_document(entry: Entry) -> Json:
    """A network and its hosts."""
    return {"network": str(entry.network), "hosts": list(entry.hosts)}


def _host(decision: Decision) -> Json:
    return {
        "host": decision.host.name,
        "undecided": decision.undecided,
        "ended": decision.ended,
        "queries": [query_document(one) for one in decision.judged],
        "sources": _sources(decision),
        "grants": [_grant(one) for one in decision.grants],
    }


def _known_host(decision: Decision) -> Json:
    return {
        "host": decision.host.name,
        "hostnames": list(decision.host.hostnames),
        "sources": _sources(decision),
        "undecided": decision.undecided,
        "ended": decision.ended,
        "until": None if decision.host.until is None else instant(decision.host.until),
        "granted": decision.host.granted,
        "revoked": None if decision.host.revoked is None else instant(decision.host.revoked),
        "grants": [_grant(one) for one in decision.grants],
        "latched": list(decision.latched),
        "held_back": [
            {"hostname": hostname, "what": what} for hostname, what in decision.held_back
        ],
    }


def _sources(decision: Decision) -> list[Json]:
    """The sources that a host names, with the number of their known networks; null: unknown."""
    known = {name: len(networks) for name, networks in decision.host.published}
    counts = {**known, **dict.fromkeys(decision.host.sources)}
    return [{"source": name, "networks": count} for name, count in counts.items()]


def _grant(grant: Grant) -> Json:
    return {
        "network": str(grant.network),
        "basis": grant.basis.value,
        "since": instant(grant.since),
        "confirmed": instant(grant.confirmed),
        "ends": None if grant.ends is None else instant(grant.ends),
        "hostname": grant.hostname or None,
        "reason": grant.why or None,
    }


def _target(report: TargetReport) -> Json:
    plan = report.plan
    return {
        "target": report.target,
        "outcome": report.outcome.value,
        "add": [entry_document(one) for one in plan.add] if plan else [],
        "remove": [entry_document(one) for one in plan.remove] if plan else [],
        "withheld": [entry_document(one) for one in plan.withheld] if plan else [],
        "keep": len(plan.keep) if plan else 0,
        "repair": list(plan.repair) if plan else [],
        "unfit": [entry_document(one) for one in report.unfit],
        "ineffective": [
            {"network": str(one), "reason": why} for one, why in report.ineffective.items()
        ],
        "reason": report.said or None,
    }


def _blocked(one: BlockReport) -> Json:
    """A target of a denylist: networks as plain text, since there are thousands."""
    report, plan = one.report, one.report.plan
    return {
        "target": report.target,
        "outcome": report.outcome.value,
        "add": [str(entry.network) for entry in plan.add] if plan else [],
        "remove": [str(entry.network) for entry in plan.remove] if plan else [],
        "keep": len(plan.keep) if plan else 0,
        "repair": list(plan.repair) if plan else [],
        "never_blocked": _never_blocked(one.spared),
        "reason": report.said or None,
    }


def _standing_block(one: BlockStatus) -> Json:
    """The status of a denylist's target: networks are counted, since there are thousands."""
    return {
        "target": one.target,
        "denylist": one.denylist,
        "in_step": one.in_step,
        "state": one.state.replace(" ", "_"),
        "networks": len(one.held),
        "never_blocked": _never_blocked(one.spared),
        "reason": one.reason or None,
    }


def _never_blocked(spared: Iterable[NeverBlocked]) -> list[Json]:
    return [{"network": str(each.network), "reason": each.why} for each in spared]


def _standing_target(target: TargetStatus, now: datetime) -> Json:
    return {
        "target": target.target,
        "in_step": target.in_step,
        "state": target.state.replace(" ", "_"),
        "open": list(target.openings),
        "verified": instant(now) if target.readable else None,
        "failing": None if target.failing is None else instant(target.failing),
        "entries": [entry_document(one) for one in target.entries],
        "reason": target.reason or None,
    }
