"""`allowsync check`: problems of the configuration and the machine, and missing effects."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, common, echo_json, instant
from allowsync.model.outcome import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from allowsync.config.settings import Config
    from allowsync.dns.process import ResolverProcess
    from allowsync.inspect.diagnostics import Located, NameserverAnswers
    from allowsync.inspect.status import AccessStatus
    from allowsync.text import Line

SCHEMA = "allowsync.check/1"


@click.command()
@click.option(
    "--notify", is_flag=True, help="Send a test notification to every channel in `notify`."
)
@click.option("--no-packets", is_flag=True, help="Do not test with packets.")
@common
def check(invocation: Invocation, notify: bool, no_packets: bool) -> int:
    """Check configuration, permissions, names, nameservers, backends, and their effect.

    Changes nothing, and sends nothing unless --notify is given. With the rights for it, packets are
    tried in a copy of this machine's packet filter: whether hosts get in and others do not. Exit
    code 1 if a target cannot work or has no effect, or a name or a nameserver gives no usable
    answer; 2 if the configuration is not valid.
    """
    return check_once(invocation, notify=notify, packets=not no_packets)


def check_once(invocation: Invocation, *, notify: bool = False, packets: bool = True) -> int:
    """Check everything, report the findings, and return the exit code."""
    from allowsync.dns.process import ResolverProcess

    with ResolverProcess() as resolver:
        resolver.start()
        return _checked(invocation, resolver, notify=notify, packets=packets)


def _checked(
    invocation: Invocation, resolver: ResolverProcess, *, notify: bool, packets: bool
) -> int:
    from allowsync.engine.published import ask_all, known_lists, with_known
    from allowsync.inspect.diagnostics import about_lists, about_sources
    from allowsync.inspect.next_apply import about_session, held_back, told_once
    from allowsync.inspect.status import look

    config = invocation.load(SCHEMA)
    now = instant()
    asked = ask_all(config, now)
    lists = about_lists(known_lists(config, now))
    said = _heard(config, resolver)
    dns = [*about_sources(asked), *lists, *_dns(config, resolver, said), *_fleet(config, now)]
    standing = look(config, now)
    targets = list(_targets(with_known(config, asked), standing))
    targets += _packets(config, standing, said) if packets else ()
    targets = [*held_back(told_once(targets), standing), *about_session(config, standing)]
    others = [
        *_configuration(config, now),
        *_channels(config, tell=notify),
        *_state(config, standing),
        *_schedule(config, invocation.place),
        *_boot(config),
    ]
    found = [*others, *dns, *targets]
    code = _code(found)
    if invocation.json:
        echo_json(
            {
                "schema": SCHEMA,
                "exit_code": int(code),
                "findings": [
                    {
                        "severity": one.finding.severity.value,
                        "where": one.where,
                        "what": one.finding.what,
                        "advice": one.finding.advice or None,
                    }
                    for one in found
                ],
                "problems": [],
            }
        )
    else:
        invocation.echo(_lines(config, found, quiet=invocation.quiet))
    return int(code)


def _targets(config: Config, standing: AccessStatus) -> Iterator[Located]:
    from allowsync.engine.orphan_targets import others_targets
    from allowsync.inspect.diagnostics import Located, about_entries, about_target
    from allowsync.model.target import Finding, Severity

    others = others_targets(config)
    read = {one.target for one in standing.targets if one.readable}
    for target in config.targets:
        if target.name in others:
            yield Located(target.name, Finding(Severity.ERROR, others[target.name]))
        else:
            yield from about_target(target, was_read=target.name in read)
    # Entries of another configuration's target are not to be repaired here.
    found = about_entries(standing)
    if standing.blocked:
        from allowsync.inspect.denylist_findings import about_blocked

        found = chain(found, about_blocked(standing.blocked, ran=standing.last_run is not None))
    yield from (one for one in found if one.where not in others)


def _packets(
    config: Config, standing: AccessStatus, said: list[NameserverAnswers]
) -> Iterator[Located]:
    """Whether hosts get in and others do not, at targets that guard ports of this machine."""
    from allowsync.inspect.admitted_networks import about_named, admitted
    from allowsync.inspect.bare_sets import guarded_by_rules
    from allowsync.inspect.diagnostics import Located, answered_networks
    from allowsync.inspect.neighbours import undiscovered
    from allowsync.inspect.other_ports import about_other_ports, other_openings
    from allowsync.inspect.packets import answered, guarded
    from allowsync.inspect.reachability import about_friends, about_strangers, judged
    from allowsync.inspect.served_ports import about_served, listening, served, unreached, untold
    from allowsync.inspect.service_addresses import unserved

    targets = guarded(config, standing.targets)
    targets += guarded_by_rules(config, standing.targets)
    asked = (*about_strangers(targets), *about_friends(targets), *about_other_ports(targets))
    # For hosts without a decision yet: the networks that the next run would grant.
    new = [one.host for one in standing.decisions.values() if one.undecided]
    lacking = {entry.network for one in standing.targets for entry in one.lacking}
    servers = [untold(config, one, lacking) for one in served(config, standing.targets)]
    held = (entry.network for one in targets for entry in one.entries)
    # Rules of others count for present hosts only: a former host is a stranger.
    granted = (grant.network for one in standing.decisions.values() for grant in one.grants)
    expected = (*held, *lacking, *granted, *answered_networks(new, said))
    asked += (*about_named(targets), *about_served(servers))
    answers = answered(asked, expected)
    found = (
        *judged(targets, answers),
        *unserved(targets, answers, listening(servers, targets, answers)),
        *undiscovered(targets, answers),
    )
    found += tuple(admitted(targets, answers))
    seen = (*found, *other_openings(targets, answers), *unreached(servers, answers))
    yield from (Located(name, found) for name, found in seen)


def _fleet(config: Config, now: datetime) -> Iterator[Located]:
    if config.fleet is not None:
        from allowsync.inspect.fleet_findings import about_fleet

        yield from about_fleet(config, now)


def _configuration(config: Config, now: datetime) -> Iterator[Located]:
    from allowsync.inspect.local_findings import about_configuration

    yield from about_configuration(config, now)


def _schedule(config: Config, place: Path) -> Iterator[Located]:
    from pathlib import Path

    from allowsync.inspect.diagnostics import Located
    from allowsync.model.target import Finding, Severity
    from allowsync.schedule.diagnostics import about_schedule
    from allowsync.schedule.files import Disk
    from allowsync.schedule.service_user import (
        broken_targets,
        closed_channels,
        closed_hosts_file,
    )

    disk = Disk(Path("/"))
    unserved = (
        *broken_targets(config, disk),
        *closed_channels(config, disk),
        *closed_hosts_file(config, disk),
    )
    yield from about_schedule(config, place.absolute(), disk, unserved)
    for one in unserved:
        if not config.is_broken(one.where):  # otherwise its own findings report it
            yield Located(one.where, Finding(Severity.ERROR, one.what))


def _boot(config: Config) -> Iterator[Located]:
    from allowsync.inspect.boot import about_boot

    yield from about_boot(config)


def _channels(config: Config, *, tell: bool) -> Iterator[Located]:
    from allowsync.inspect.diagnostics import about_channels, about_hosts_file

    yield from about_hosts_file(config)
    yield from about_channels(config, tell=tell)


def _heard(config: Config, resolver: ResolverProcess) -> list[NameserverAnswers]:
    """The present answers of each nameserver about each host that is resolved here."""
    from allowsync.engine.published import known
    from allowsync.inspect.diagnostics import heard

    hosts = [host for host in config.hosts.values() if not host.followed]
    queries = dict.fromkeys(query for host in hosts for query in host.queries)
    if not queries:
        return []
    resolver.use(config.resolver, len(config.hosts))
    return list(heard(hosts, resolver.survey(queries), known(config).proxies))


def _dns(
    config: Config, resolver: ResolverProcess, said: list[NameserverAnswers]
) -> Iterator[Located]:
    from allowsync.inspect.diagnostics import about_names, about_nameservers, about_resolver

    if said:
        yield from about_resolver(config.resolver, resolver.nameservers)
        yield from about_nameservers(said)
        yield from about_names([one for one in said if one.answers])


def _state(config: Config, seen: AccessStatus) -> Iterator[Located]:
    from allowsync.engine.access_orders import standing
    from allowsync.engine.orphan_targets import left_over
    from allowsync.inspect.diagnostics import Located, about_memory, about_revocations
    from allowsync.inspect.local_findings import about_state_folder
    from allowsync.model.target import Finding, Severity
    from allowsync.policy.clock import at_rest
    from allowsync.state import StateError, Store

    yield from about_state_folder(config.state)
    try:
        with Store.reading(config.state) as store:
            still = at_rest(store.chronology(), seen.now)
            yield from about_memory(config, store.hosts(), still)
            yield from about_revocations(standing(config.state, store)[0].revocations)
    except StateError as error:
        yield Located(str(error.path), Finding(Severity.ERROR, error.why))
    for notice in left_over(config, seen.leftovers):
        severity = Severity.ERROR if notice.code else Severity.WARNING
        yield Located(notice.where, Finding(severity, notice.what))


def _code(found: list[Located]) -> ExitCode:
    from allowsync.model.target import Severity

    bad = any(one.finding.severity is Severity.ERROR for one in found)
    return ExitCode.FAILED if bad else ExitCode.IN_STEP


def _lines(config: Config, found: list[Located], *, quiet: bool) -> Iterator[Line]:
    from allowsync.model.target import Severity
    from allowsync.text import Line, counted

    colours = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: ""}
    for one in found:
        finding = one.finding
        if quiet and finding.severity is not Severity.ERROR:
            continue
        colour = colours[finding.severity]
        yield Line(f"{finding.severity.value}: {one.where}: {finding.what}", colour)
        if finding.advice:
            yield Line(f"    {finding.advice}")
    if not quiet:
        hosts = counted(len(config.hosts), "host")
        targets = counted(len(config.targets), "target")
        wrong = sum(one.finding.severity is not Severity.INFO for one in found)
        verdict = counted(wrong, "finding") if wrong else "all in order"
        yield Line(f"{config.path}: {hosts}, {targets}: {verdict}")
