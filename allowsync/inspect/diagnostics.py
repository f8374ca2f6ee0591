"""Nameserver answers and configuration problems: the facts behind `resolve` and `check`."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.backend.driver import marks_of, unusable
from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.memory import HostMemory
from allowsync.model.nameserver import Dnssec, Transport
from allowsync.model.networks import around, short
from allowsync.model.special_purpose import acceptable
from allowsync.model.target import Finding, Severity, remedy
from allowsync.model.types import LISTS
from allowsync.model.value import Value
from allowsync.policy.clock import Now
from allowsync.policy.decision import has_ended, recall
from allowsync.policy.published import said_of
from allowsync.policy.screening import ScreenedAnswer, judge, network_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from allowsync.backend.driver import Driver
    from allowsync.config.settings import Config, Target
    from allowsync.engine.published import ListsKnown
    from allowsync.inspect.status import AccessStatus
    from allowsync.model.access_order import Revocation
    from allowsync.model.nameserver import Nameserver, ResolverSettings
    from allowsync.model.types import Entry, Host, Network, Query
    from allowsync.policy.published import SourceRecord


def about_file(key: str, path: Path) -> Iterator[Located]:
    """Whether a file named by a key of the configuration can be written at its path."""
    from allowsync.model.target import Finding, Severity

    if path.is_dir():
        what, advice = f"{path} is a folder, not a file", "choose another path"
    elif not path.parent.is_dir():
        what, advice = f"folder {path.parent} does not exist", "create it, or choose another path"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        what = f"folder {path.parent} cannot be written"
        advice = "choose another path, or check its permissions"
    else:
        return
    yield Located(key, Finding(Severity.ERROR, what, advice))


class Located(Value):
    """A finding and its subject."""

    where: str
    finding: Finding

    def __str__(self) -> str:
        parts = (self.finding.what, self.finding.advice)
        return f"{self.where}: " + "; ".join(part for part in parts if part)


class NameserverAnswers(Value):
    """The answers of each nameserver to one question of a host, screened."""

    host: str
    query: Query
    answers: Mapping[str, ScreenedAnswer]


def heard(
    hosts: Iterable[Host],
    answers: Mapping[Query, Mapping[str, Answer]],
    published: tuple[Network, ...] = (),
) -> Iterator[NameserverAnswers]:
    """The answers of each nameserver for each host, screened by the host's policy.

    `published` is the set of networks known to be published by Cloudflare; empty where unknown.
    """
    for host in hosts:
        for query in host.queries:
            said = answers.get(query, {})
            judged = {name: judge(query, one, host, published) for name, one in said.items()}
            yield NameserverAnswers(host.name, query, judged)


def answered_networks(
    hosts: Iterable[Host], all_heard: Iterable[NameserverAnswers]
) -> Iterator[Network]:
    """The networks that hosts would be granted by their nameservers' current answers."""
    by_name = {one.name: one for one in hosts}
    for one in all_heard:
        for judged in one.answers.values() if one.host in by_name else ():
            if isinstance(judged.answer, Found):
                for address in judged.answer.addresses:
                    yield network_of(address, by_name[one.host])


def about_hosts(config: Config, now: datetime) -> Iterator[Located]:
    """Configured hosts that have no access."""
    used = {name for allowlist in config.allowlists.values() for name in allowlist.hosts}
    used |= {str(one) for denylist in config.denylists.values() for one in denylist.spared}
    for name, host in config.hosts.items():
        if name not in used:
            what = "is in no allowlist"
            yield Located(name, Finding(Severity.WARNING, what, "name it in an allowlist's hosts"))
        if has_ended(host, Now(now)):
            what = f"access ended on {host.until:%Y-%m-%d %H:%M} UTC"
            yield Located(name, Finding(Severity.INFO, what))


def about_memory(config: Config, memory: Mapping[str, HostMemory], now: Now) -> Iterator[Located]:
    """Names pending approval, and addresses that a guard rejected in the last run."""
    for name, host in config.hosts.items():
        known = recall(host, memory.get(name, HostMemory()), now)
        for what in (f"{hostname}: {text}" for hostname, text in known.held_back):
            yield Located(name, Finding(Severity.WARNING, what))
        spoken_of = {hostname for hostname, _ in known.held_back}
        for hostname in (one for one in known.latched if one not in spoken_of):
            what = f"{hostname} was gone from DNS for longer than latch_absent"
            advice = f"if it returns and still belongs to the host: allowsync approve {name}"
            yield Located(name, Finding(Severity.WARNING, what, advice))


def about_revocations(revocations: Iterable[Revocation]) -> Iterator[Located]:
    """Hosts and networks revoked by command."""
    for one in revocations:
        what = f"revoked on {one.at:%Y-%m-%d %H:%M} UTC: it has no access, whatever the DNS says"
        advice = f"to allow it again: allowsync approve {one.subject}"
        yield Located(one.subject, Finding(Severity.INFO, what, advice))


def about_sources(asked: Mapping[str, SourceRecord]) -> Iterator[Located]:
    """Sources without credible networks."""
    for name, kept in asked.items():
        if kept.trouble and not name.startswith(LISTS):
            severity = Severity.ERROR if kept.fetched is None else Severity.WARNING
            yield Located(f"sources.{name}", Finding(severity, said_of(kept)))


def about_lists(known: ListsKnown | None) -> Iterator[Located]:
    """Lists that are outdated, unknown, or rejected."""
    for one in () if known is None else known.notices:
        record = known.records.get(one.where) if known else None
        lost = record is not None and not record.networks
        severity = Severity.ERROR if lost else Severity.WARNING
        yield Located(one.where, Finding(severity, one.what))


def about_resolver(
    settings: ResolverSettings, nameservers: Sequence[Nameserver]
) -> Iterator[Located]:
    """Requirements on answers that the nameservers cannot meet, or that can be forged."""
    if settings.agreement > len(nameservers):
        what = f"{settings.agreement} cannot agree: there are {len(nameservers)} nameservers"
        advice = "add more to resolver.nameservers; until then no new address is granted"
        yield Located("resolver.agreement", Finding(Severity.ERROR, what, advice))
    yield from _of_one_machine(nameservers)
    if settings.dnssec is not Dnssec.REQUIRE:
        return
    for one in nameservers:
        if one.transport is Transport.DNS and not ip_address(one.address).is_loopback:
            what = "is queried without encryption: anyone on the path can set the AD bit"
            advice = "use a validating resolver on this machine, or one by tls:// or https://"
            yield Located(str(one), Finding(Severity.WARNING, what, advice))


def _of_one_machine(nameservers: Iterable[Nameserver]) -> Iterator[Located]:
    """Several nameservers at one address, which count as several where nameservers must agree."""
    known: dict[str, list[str]] = {}
    for one in nameservers:
        known.setdefault(one.address or one.url, []).append(str(one))
    for address, names in known.items():
        if len(names) > 1:
            what = f"{', '.join(names)} are one machine ({address}), and count as {len(names)}"
            what += ": it alone can add and remove an address"
            advice = "name nameservers at different addresses"
            yield Located("resolver.nameservers", Finding(Severity.WARNING, what, advice))


_NAMESERVERS: Final = (
    "is it reachable? It is one of resolver.nameservers, or without these of /etc/resolv.conf"
)


_IN_PLACE: Final = "if that is correct in your network, allow it with policy.accept"
_MISTYPED: Final = "check the name; to change it: allowsync config edit"


def about_names(all_heard: Collection[NameserverAnswers]) -> Iterator[Located]:
    """Names without an address, and rejected addresses."""
    by_host: dict[str, list[NameserverAnswers]] = {}
    for one in all_heard:
        by_host.setdefault(one.host, []).append(one)
    if len(by_host) > 1 and not any(map(_usable, all_heard)):  # not the names' fault
        what = f"no nameserver gave a usable answer for any of {', '.join(by_host)}"
        advice = "runs keep the last known addresses meanwhile"
        yield Located("hosts", Finding(Severity.ERROR, what, advice))
        return
    for host, questions in by_host.items():
        judged = [answer for one in questions for answer in one.answers.values()]
        if not any(isinstance(one.answer, Found) for one in judged):
            yield Located(host, _without_address(questions))
        else:
            yield from (Located(host, one) for one in _absent_names(questions))
        seen = {(one.address, one.reason) for answer in judged for one in answer.rejected}
        for address, reason in sorted(seen, key=str):
            what = f"{address} is rejected: {reason}"
            advice = _IN_PLACE if acceptable(around(address, address.max_prefixlen)) else ""
            yield Located(host, Finding(Severity.WARNING, what, advice))


def _usable(one: NameserverAnswers) -> bool:
    return any(isinstance(each.answer, Found | Absent) for each in one.answers.values())


def _without_address(questions: list[NameserverAnswers]) -> Finding:
    said = {
        f"{one.query.hostname}: {_reason(judged.answer)}"
        for one in questions
        for judged in one.answers.values()
    }
    what = "no address: " + "; ".join(sorted(said))
    return Finding(Severity.ERROR, what, "check the name, and that its dynamic DNS client runs")


def _absent_names(questions: list[NameserverAnswers]) -> Iterator[Finding]:
    """Nonexistent hostnames of a host that has an address by another hostname."""
    by_name: dict[str, list[Answer]] = {}
    for one in questions:
        said = [judged.answer for judged in one.answers.values()]
        by_name.setdefault(one.query.hostname, []).extend(said)
    for hostname, answers in by_name.items():
        if answers and all(one == Absent("NXDOMAIN") for one in answers):
            what = (
                f"{hostname} does not exist (NXDOMAIN); the host has an address by another hostname"
            )
            yield Finding(Severity.WARNING, what, _MISTYPED)


def _reason(answer: Answer) -> str:
    match answer:
        case Found(addresses):
            return ", ".join(str(address) for address in addresses)
        case Absent(reason) | Unavailable(reason):
            return reason


def about_nameservers(all_heard: Iterable[NameserverAnswers]) -> Iterator[Located]:
    """Nameservers that fail to answer, or that strip proofs of absence."""
    by_server: dict[str, list[Answer]] = {}
    for one in all_heard:
        for name, judged in one.answers.items():
            by_server.setdefault(name, []).append(judged.answer)
    for name, answers in by_server.items():
        usable = [one for one in answers if isinstance(one, Found | Absent)]
        reasons = sorted({one.reason for one in answers if isinstance(one, Unavailable)})
        if not usable:
            what = f"gave no usable answer: {', '.join(reasons)}"
            yield Located(name, Finding(Severity.ERROR, what, _NAMESERVERS))
        elif any("without SOA" in reason for reason in reasons):
            yield Located(name, _stripped())


def _stripped() -> Finding:
    return Finding(
        Severity.WARNING,
        "leaves out the proof (SOA) when a name does not exist, so a deleted name is kept longer",
        "name real nameservers in resolver.nameservers instead of a forwarder",
    )


def about_target(target: Target, *, was_read: bool = False) -> Iterator[Located]:
    """Findings of a target's backend, and obstacles that `apply` would meet there.

    Args:
        target: The target.
        was_read: Whether it could be read just now, so that it is not read for this alone.
    """
    try:
        backend = target.driver()
        findings = list(backend.check())
    except BackendError as error:
        findings = [Finding(Severity.ERROR, str(error))]
    else:
        if not any(one.severity is Severity.ERROR for one in findings):
            findings += _would_fail(target, backend, was_read=was_read)
    return (Located(target.name, one) for one in findings)


def _would_fail(target: Target, backend: Driver, *, was_read: bool) -> Iterator[Finding]:
    """Obstacles to planning for a target."""
    try:
        if why := unusable(target.backend):
            yield Finding(Severity.ERROR, why)
            return
        if not was_read:
            backend.look()
    except BackendError as error:
        yield Finding(Severity.ERROR, f"could not be read: {error}")
        return
    try:
        target.guard  # noqa: B018 - its value is checked elsewhere
        marks_of(target.backend, ())
    except BackendError as error:
        what = f"its guarded ports and leftovers are unknown: {error}"
        yield Finding(Severity.WARNING, what)


def about_entries(standing: AccessStatus) -> Iterator[Located]:
    """Missing and unexpected entries of targets, once something was applied.

    Packet tests do not reveal them: they test the entries that the target holds.
    """
    if standing.last_run is None:
        return
    for one in standing.targets:
        advice = f"{remedy(one.obstacles)}; see allowsync status"
        if one.lacking:
            # A gate that is not there keeps no host out.
            effect = "" if one.flaws else "hosts are locked out, "
            what = f"{effect}missing entries: {_entries(one.lacking)}"
            yield Located(one.target, Finding(Severity.ERROR, what, advice))
        if one.unwanted:
            what = f"unexpected entries: {_entries(one.unwanted)}"
            yield Located(one.target, Finding(Severity.ERROR, what, advice))


def _entries(entries: Sequence[Entry]) -> str:
    """The first three entries with their hosts, and the number of the others."""
    named = [short(one.network) + f" ({', '.join(one.hosts)})" * bool(one.hosts) for one in entries]
    return ", ".join(named[:3]) + f" and {len(named) - 3} more" * (len(named) > 3)


def believed(judged: ScreenedAnswer) -> str:
    """The credible part of an answer, as text."""
    match judged.answer:
        case Found(addresses, ttl):
            found = ", ".join(str(one) for one in addresses)
            return f"{found} (TTL {ttl} s)"
        case Absent(reason):
            return f"absent: {reason}"
        case Unavailable(reason, suspicious):
            return reason if suspicious else f"no usable answer: {reason}"


_TEST: Final = "This is a test notification, sent by allowsync check --notify."


def about_hosts_file(config: Config) -> Iterator[Located]:
    """An unused file of hosts (`hosts_from`)."""
    for notice in config.hosts_trouble:
        yield Located(notice.where, Finding(Severity.ERROR, notice.what))


def about_channels(config: Config, *, tell: bool) -> Iterator[Located]:
    """Channels that Apprise cannot use.

    Args:
        config: The configuration.
        tell: Send a test notification to each, and report the outcome.
    """
    for notice in config.broken_channels:
        yield Located(notice.where, Finding(Severity.ERROR, notice.what))
    if not config.notify:
        return
    from allowsync.notify.apprise_client import WHY, Sent, machine, send
    from allowsync.notify.outbox import Message

    body = _TEST if tell else ""
    message = Message(f"allowsync on {machine()}: test", body, "info")
    outcomes = send([(one, message) for one in config.notify])
    for number, (channel, outcome) in enumerate(zip(config.notify, outcomes, strict=True), start=1):
        where = f"notify, item {number} ({channel.said})"
        if outcome not in (Sent.TOLD, Sent.BROKEN):
            yield Located(where, Finding(Severity.ERROR, WHY[outcome]))
        elif tell and outcome is Sent.TOLD:
            yield Located(where, Finding(Severity.INFO, "accepted the test notification"))
