"""`allowsync explain`: whether an address or a host is allowed, where, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from allowsync.cli.common import Invocation, choose, common, echo_json, instant
from allowsync.cli.completion_values import hosts as complete
from allowsync.cli.port_argument import PortArgument
from allowsync.cli.time_argument import When
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from allowsync.config.settings import Config
    from allowsync.inspect.access_at import AccessAt
    from allowsync.inspect.explain import Explanation
    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget
    from allowsync.inspect.status import AccessStatus
    from allowsync.model.target import PortRange
    from allowsync.model.types import Entry, Network
    from allowsync.state import Store
    from allowsync.state.history import Past

SCHEMA = "allowsync.explain/1"
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@click.command()
@click.argument("what", metavar="ADDRESS|HOST|HOSTNAME", shell_complete=complete)
@click.option(
    "--at",
    type=When(),
    help="Use the history: 2h, 3d, 2026-11-20T18:30, 2026-11-20T18:30+01:00.",
)
@click.option("--port", type=PortArgument(), help="Check only this port: 443, 443/udp.")
@common
def explain(invocation: Invocation, what: str, at: datetime | None, port: PortRange | None) -> int:
    """Whether an address, a network or a host is allowed, where, why, since when, until when.

    Asks no DNS and writes nothing. Without --at it looks at the targets themselves and, with the
    rights for it, tries what packets meet in a copy of this machine's packet filter. A host that is
    not configured any more is answered for from the history. Exit code 0 whatever the answer is, 1
    if that is unknown.
    """
    from allowsync.inspect.explain import AccessVerdict

    config = invocation.load(SCHEMA)
    answer = (
        _now(invocation, config, what, port) if at is None else _then(invocation, config, what, at)
    )
    code = ExitCode.FAILED if answer.verdict is AccessVerdict.UNKNOWN else ExitCode.IN_STEP
    if invocation.json:
        from allowsync.report.explain import explain_document

        echo_json(explain_document(answer, int(code)))
    else:
        from allowsync.report.explain import explain_lines

        invocation.echo(explain_lines(answer))
    return int(code)


def _now(invocation: Invocation, config: Config, what: str, port: PortRange | None) -> Explanation:
    from allowsync.engine.access_orders import ordered
    from allowsync.inspect.access_at import lingering, present, with_retained
    from allowsync.inspect.explain import AccessVerdict, about_former, about_host, about_network
    from allowsync.inspect.layers import by_layers
    from allowsync.inspect.list_effect import as_far_as_effective
    from allowsync.inspect.status import look
    from allowsync.inspect.status_problems import doubts
    from allowsync.state import StateError, Store
    from allowsync.state.history import Past
    from allowsync.system.clock import pulse

    standing = look(config, instant())
    known, on_record = None, set[str]()
    try:
        with Store.reading(config.state) as store:
            known, on_record = store.past(EVER), store.hosts_on_record()
            # A temporary grant belongs to the allowlists that its command named.
            config = ordered(config, store, pulse()).config
    except StateError as error:
        notice = Notice(str(error.path), error.why, ExitCode.FAILED)
        if notice not in standing.notices:
            standing = replace(standing, notices=(*standing.notices, notice))
    past = known or Past()
    scene = with_retained(present(standing), standing, past)
    if what not in config.hosts:
        scene = lingering(scene, past, what)
    answer = _answer(invocation, config, what, scene, {*config.hosts, *on_record})
    # Packets come first: they decide whether advice on access is needed.
    answer = _with_packets(config, standing, by_layers(config, answer), port)
    answer = as_far_as_effective(config, answer)
    if answer.host is not None and answer.host in standing.decisions:
        decision = standing.decisions[answer.host]
        found = about_host(decision, past, doubts(decision, standing.now))
    elif answer.host is not None:
        found = about_former(answer.host, past)
    elif (
        answer.network is not None
        and answer.verdict is not AccessVerdict.YES
        and not (answer.accesses or answer.unguarded)
    ):
        found = about_network(answer.network, standing.decisions, known, config.policy)
    else:
        found = iter(())
    reasons = (*found, *_blocked(config, standing, answer.network), *_wrong(standing))
    return replace(answer, reasons=(*reasons, *answer.reasons))


def _blocked(config: Config, standing: AccessStatus, network: Network | None) -> Iterator[str]:
    """The denylists that block a network."""
    if network is not None and standing.blocked:
        from allowsync.inspect.denylist_findings import about_asked

        yield from about_asked(network, standing.blocked, config)


def _with_packets(
    config: Config, standing: AccessStatus, answer: Explanation, port: PortRange | None
) -> Explanation:
    """Add the results of packets, if targets guard ports of this machine."""
    from allowsync.inspect.bare_sets import guarded_by_rules
    from allowsync.inspect.packets import guarded
    from allowsync.inspect.served_ports import served

    targets = guarded(config, standing.targets)
    targets += guarded_by_rules(config, standing.targets)
    servers = served(config, standing.targets)
    if port is not None:
        return _at_port(config, answer, port, targets, servers)
    if not (targets or servers):
        return answer
    return _beside(answer, targets, servers, _answered(answer, targets, servers))


def _at_port(
    config: Config,
    answer: Explanation,
    port: PortRange,
    targets: Sequence[GuardedTarget],
    servers: Sequence[GuardedTarget],
) -> Explanation:
    """The answer about a port: by its own targets, or without any by packets alone."""
    from allowsync.inspect.asked_port import at_unguarded, forwarded_from, unguarded, without
    from allowsync.inspect.layers import elsewhere
    from allowsync.inspect.reachability import at_port

    here, serving = at_port(targets, port), at_port(servers, port)
    forwarding = () if here else tuple(one for one in targets if one.guard.forwarded)
    entries = tuple(entry for one in targets for entry in one.entries)
    alone = () if here or serving else (unguarded(port, entries),)
    answers = _answered(answer, (*here, *forwarding, *alone), serving)
    here += forwarded_from(port, answer, forwarding, answers)
    others = {one.name for one in (*targets, *servers)} | elsewhere(config, port)
    answer = without(answer, others - {one.name for one in (*here, *serving)})
    if here or serving:
        return _beside(answer, here, serving, answers)
    return at_unguarded(answer, port, alone, answers)


def _answered(
    answer: Explanation, targets: Sequence[GuardedTarget], servers: Sequence[GuardedTarget]
) -> PacketAnswers:
    """The answers to packets from the explained networks and from strangers."""
    from allowsync.inspect.other_ports import about_other_ports
    from allowsync.inspect.packet_verdicts import about_asked, about_translated
    from allowsync.inspect.packets import answered
    from allowsync.inspect.reachability import about_strangers

    asked = [question for _, question in about_asked(answer, (*targets, *servers))]
    asked += [question for one in servers for question in about_translated(answer, one)]
    return answered((*asked, *about_strangers(targets), *about_other_ports(targets)))


def _beside(
    answer: Explanation,
    targets: Sequence[GuardedTarget],
    servers: Sequence[GuardedTarget],
    answers: PacketAnswers,
) -> Explanation:
    from allowsync.inspect.packet_verdicts import at_servers, beside_packets

    return at_servers(beside_packets(answer, targets, answers), servers, answers)


def _wrong(standing: AccessStatus) -> list[str]:
    return [f"{one.where}: {one.what}" for one in standing.notices]


def _then(invocation: Invocation, config: Config, what: str, at: datetime) -> Explanation:
    from allowsync.inspect.access_at import remembered
    from allowsync.inspect.explain import about_past, unrecorded
    from allowsync.state import StateError, Store

    try:
        with Store.reading(config.state) as store:
            past, run = store.past(EVER), store.run_before(at)
            scene = remembered(past, _entries(store), at, run)
            hosts = store.hosts_on_record()
    except StateError as error:
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(error.path), error.why)])
    answer = _answer(invocation, config, what, scene, {*config.hosts, *hosts})
    reasons = (*about_past(scene, past), *unrecorded(answer), *_around(answer, past))
    return replace(answer, reasons=reasons)


def _around(answer: Explanation, past: Past) -> list[str]:
    """The uses of this network by other hosts, if none was allowed at the time."""
    from allowsync.inspect.explain import MOST, told, touches

    if answer.accesses or answer.network is None:
        return []
    asked = answer.network
    return [told(one) for one in past.stays if touches(one.network, asked)][-MOST:]


def _entries(store: Store) -> Mapping[str, tuple[Entry, ...]]:
    memories = {name: store.target(name) for name in store.targets()}
    return {name: () if one is None else one.entries for name, one in memories.items()}


def _answer(
    invocation: Invocation, config: Config, what: str, scene: AccessAt, hosts: set[str]
) -> Explanation:
    """The answer about a host, by its label or one of its hostnames, or about an address."""
    from allowsync.inspect.explain import asked_network, of_host, of_network

    members = {
        target.name: one.hosts for one in config.allowlists.values() for target in one.targets
    }
    named = [one.name for one in config.hosts.values() if what.lower() in one.hostnames]
    network = None if what in hosts or named else asked_network(what)
    if network is not None:
        return of_network(what, network, scene, members)
    label = named[0] if named and what not in hosts else what
    if label not in hosts and not set(label) - set("0123456789.:/"):
        from allowsync.text import quote

        what = f"{quote(label)} is not an address: expected one such as 203.0.113.7 or 2001:db8::7"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    choose(invocation, SCHEMA, (label,), sorted(hosts), "address or host")
    return of_host(what, label, scene, members)
