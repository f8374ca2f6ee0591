"""Whether custom rules admit addresses in a list, and no others. Pure.

Tested: each host name and path that the rules name, one that none names, and addresses inside and
outside the list. A rule that blocks by the list determines which of these pages it guards.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Severity
from allowsync.model.value import Value
from allowsync.text import counted
from allowsync_backends.cloudflare.rule_walk import STOPPING, RequestFate, fates
from allowsync_backends.cloudflare.rules_language import (
    WebRequest,
    evaluate,
    literals,
    named_networks,
    uses,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from allowsync.model.types import Network
    from allowsync_backends.cloudflare.rules_language import Address
    from allowsync_backends.cloudflare.values import ZoneRule

    Fates = frozenset[RequestFate]

# Documentation addresses (RFC 5737, RFC 3849) represent all addresses in no rule, and homes all
# over the world those in a wide range.
_OUTSIDE: Final = tuple(
    map(
        ip_address,
        (
            *("192.0.2.77", "198.51.100.77", "203.0.113.77", "2001:db8:77::77"),
            *("24.5.20.9", "41.32.10.9", "73.15.20.9", "91.64.10.9", "114.32.10.9", "177.32.10.9"),
            *("2601:100:10::9", "2a02:8100:10::9", "2804:14c:10::9"),
        ),
    )
)
_MOST_NAMED: Final = 3  # addresses
_MOST_OF_RULES: Final = 32  # networks that rules name
_HOME: Final = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7"))
)
_MOST: Final = 20  # host names and paths each, and friends
_MOST_SAID: Final = 10  # findings
_HOST: Final = re.compile(r"(?:[\w*-]+\.)+[\w-]+", re.ASCII)
_ADVICE: Final = "see Security > Security rules of the zone in the dashboard"


class GuardedPage(Value):
    """A page that a rule with the list guards.

    Attributes:
        zone: The zone whose rules decide; empty where it is not known.
        host: The host name.
        path: The path.
        stops: Whether the rule is one that stops requests.
        enabled: Whether it is enabled.
    """

    zone: str
    host: str
    path: str
    stops: bool
    enabled: bool

    def __str__(self) -> str:
        return self.host + ("" if self.path == "/" else self.path)


class RulesOfZones(Value):
    """The custom rules of every readable zone, by the zone's name.

    Attributes:
        zones: The rules, in evaluation order.
        inactive: Zones for which Cloudflare passes on no requests, each with its status.
    """

    zones: Mapping[str, tuple[ZoneRule, ...]]
    inactive: Mapping[str, str] = MappingProxyType({})

    def naming(self, list_name: str) -> Iterator[tuple[str, ZoneRule]]:
        """Yield rules that use a list, each with its zone."""
        for zone, rules in self.zones.items():
            yield from ((zone, one) for one in rules if uses(one.expression, list_name))

    def zone_of(self, host: str) -> str:
        """Return the zone a host name is in; empty when it is none of these."""
        return max((one for one in self.zones if _within(host, one)), key=len, default="")


def effects(
    known: RulesOfZones, list_name: str, networks: Collection[Network]
) -> Iterator[Finding]:
    """Report faults of the rules that use an allowlist."""
    pages = set(_pages(known, list_name))
    if not pages:
        what = f"what the rules with the list {list_name} do is unknown: none can be read here"
        yield Finding(Severity.WARNING, what, _ADVICE)
        return
    verdicts = {page: _verdict(known, page, list_name, networks) for page in pages}
    guarded = None in verdicts.values()
    asked = {page for page in pages if page.stops} or (set() if guarded else pages)
    found: dict[str, Finding] = {}
    for page in sorted(asked, key=lambda one: (not one.enabled, str(one))):
        if (said := verdicts[page]) is not None:
            aside = guarded and not page.enabled  # an old rule beside one that works
            severity = Severity.WARNING if aside else said.severity
            found.setdefault(said.what, Finding(severity, said.what, said.advice))
    errors_first = sorted(found.values(), key=lambda one: one.severity is not Severity.ERROR)
    yield from errors_first[:_MOST_SAID]
    yield from _open_beside(known, pages, list_name)
    if more := _untried(known, list_name):
        names = counted(more, "host name or path", "host names or paths")
        what = f"what the rules with the list {list_name} do is unknown for {names} more"
        yield Finding(Severity.INFO, what, _ADVICE)


def _open_beside(
    known: RulesOfZones, pages: Collection[GuardedPage], list_name: str
) -> Iterator[Finding]:
    """Report hosts of which a rule guards some paths, and no rule the others."""
    guarded: dict[tuple[str, str], list[str]] = {}
    for page in sorted(pages, key=str):
        if page.stops and page.enabled and page.zone:
            guarded.setdefault((page.zone, page.host), []).append(page.path)
    for (zone, host), paths in guarded.items():
        asked = (WebRequest(one, listed=False, host=host, path="/") for one in _OUTSIDE)
        seen = {fates(known.zones[zone], one, list_name) for one in asked}
        if "/" not in paths and seen == {frozenset({RequestFate.PASSED})}:
            what = (
                f"{host} is guarded at {', '.join(paths[:_MOST_NAMED])} alone: everyone reaches /"
            )
            advice = f"to guard it all: allowsync cloudflare rule --list {list_name} --host NAME"
            yield Finding(Severity.INFO, what, advice)


def denials(
    known: RulesOfZones, list_name: str, networks: Collection[Network]
) -> Iterator[Finding]:
    """Report faults of the rules that are to block those in the list."""
    pages = sorted(set(_pages(known, list_name)), key=str)
    if not pages:
        what = f"what the rules with the list {list_name} do is unknown: none can be read here"
        yield Finding(Severity.WARNING, what, _ADVICE)
    asked = [one.network_address for one in sorted(networks, key=str)[:_MOST]] or _OUTSIDE[:1]
    yield from dict.fromkeys(filter(None, (_undecided(known, page) for page in pages)))
    pages = [page for page in pages if _undecided(known, page) is None]
    for page in pages[:_MOST_SAID]:
        requests = (WebRequest(one, listed=True, host=page.host, path=page.path) for one in asked)
        seen = [fates(known.zones.get(page.zone, ()), one, list_name) for one in requests]
        if all(one == {RequestFate.BLOCKED} for one in seen):
            continue
        if not any(RequestFate.PASSED in one for one in seen):
            what = f"{page}: those in {list_name} are challenged only, and get in by solving it"
            yield Finding(Severity.WARNING, what, "let the rule block")
            continue
        passed = {RequestFate.PASSED} in seen
        what = f"{page} is open to those in {list_name}: no rule of {page.zone} blocks them"
        doubt = f"whether {page} is closed to those in {list_name} is unknown"
        severity = Severity.ERROR if passed else Severity.WARNING
        yield Finding(severity, what if passed else doubt, _ADVICE)


def _named(rules: Iterable[ZoneRule]) -> tuple[list[str], list[str]]:
    """Return the host names and the paths that rules name."""
    texts = dict.fromkeys(text for one in rules for text in literals(one.expression))
    hosts = [text.lower().replace("*", "any") for text in texts if _HOST.fullmatch(text)]
    return hosts, [text for text in texts if text.startswith("/")]


def _untried(known: RulesOfZones, list_name: str) -> int:
    """Return the number of host names and paths that are not tested."""
    number = 0
    for zone in {zone for zone, _ in known.naming(list_name)}:
        hosts, paths = _named(known.zones[zone])
        hosts = [one for one in hosts if _within(one, zone)]
        number += sum(max(len(several) - _MOST, 0) for several in (hosts, paths))
    return number


def _pages(known: RulesOfZones, list_name: str) -> Iterator[GuardedPage]:
    """Yield the pages for which some rule depends on whether the source is in the list."""
    for zone, rule in known.naming(list_name):
        named, others = _named(known.zones[zone])
        paths = ["/", *others][: _MOST + 1]
        mine = {text.lower() for text in literals(rule.expression)}
        for path in paths:
            for_all = _matters(rule, f"any.{zone}", path, list_name)
            # Of another zone: only host names in the rule itself.
            here = [one for one in named if _within(one, zone) or (one in mine and not for_all)]
            for host in [f"any.{zone}", *here][: _MOST + 1]:
                if _matters(rule, host, path, list_name):
                    stops = rule.action in STOPPING
                    yield GuardedPage(known.zone_of(host), host, path, stops, rule.enabled)


def _matters(rule: ZoneRule, host: str, path: str, list_name: str) -> bool:
    requests = (WebRequest(_OUTSIDE[0], listed, host, path) for listed in (True, False))
    results = {evaluate(rule.expression, one, list_name) for one in requests}
    return results not in ({True}, {False})


def _within(host: str, zone: str) -> bool:
    return host == zone or host.endswith(f".{zone}")


def _verdict(
    known: RulesOfZones, page: GuardedPage, list_name: str, networks: Collection[Network]
) -> Finding | None:
    """Return the fault in the treatment of friends or strangers at a page; None without."""
    if (undecided := _undecided(known, page)) is not None:
        return undecided

    def each(sources: Iterable[Address], *, listed: bool) -> list[Fates]:
        asked = (WebRequest(one, listed, page.host, page.path) for one in sources)
        return [fates(known.zones[page.zone], one, list_name) for one in asked]

    named = _networks_of(known.zones[page.zone])
    # First those that a rule may treat specially.
    by_name = sorted(networks, key=lambda one: (not any(map(one.overlaps, named)), str(one)))
    friends = [end for one in by_name[:_MOST] for end in {one[0], one[-1]}]
    outside = [one for one in _OUTSIDE if not any(one in n for n in networks)]
    seen = dict(zip(outside, each(outside, listed=False), strict=True))
    others = _strangers(page, seen, list_name)
    if others is None:
        beside = [one for one in named if not any(map(one.overlaps, networks))]
        admitted = {one: each({one[0], one[-1]}, listed=False) for one in beside}
        others = _admitted(page, admitted, list_name)
    theirs = _friends(page, each(friends, listed=True), list_name)
    if others is None or theirs is None or Severity.ERROR in (others.severity, theirs.severity):
        return min(filter(None, (others, theirs)), key=_lenient, default=None)
    return Finding(theirs.severity, f"{theirs.what}; {others.what}", theirs.advice)


def _undecided(known: RulesOfZones, page: GuardedPage) -> Finding | None:
    """Return why no readable rule decides about a page; None where rules do."""
    if not page.zone:
        what = f"who gets to {page} is unknown: its zone is none that the token sees"
        return Finding(Severity.WARNING, what, "a rule has an effect in the zone of its host alone")
    if status := known.inactive.get(page.zone):
        what = f"no rule of {page.zone} has an effect: the zone is {status} at Cloudflare"
        return Finding(Severity.ERROR, what, "see Overview of the zone in the dashboard")
    return None


def _networks_of(rules: Iterable[ZoneRule]) -> list[Network]:
    """Return networks that rules name, without those of homes."""
    every = dict.fromkeys(one for rule in rules for one in named_networks(rule.expression))
    found = [one for one in every if one.prefixlen and not _of_homes(one)]
    return sorted(found, key=lambda one: one.prefixlen / one.max_prefixlen)[:_MOST_OF_RULES]


def _of_homes(network: Network) -> bool:
    return any(network.overlaps(one) and network.prefixlen >= one.prefixlen for one in _HOME)


def _admitted(page: GuardedPage, seen: Mapping[Network, list[Fates]], name: str) -> Finding | None:
    """Report networks that a rule names beside the list, and admits where others are refused."""
    found = [str(one) for one, of in seen.items() if {RequestFate.PASSED} in of]
    if not found:
        return None
    some = ", ".join(found[:_MOST_NAMED]) + (" and others" if len(found) > _MOST_NAMED else "")
    what = f"{page} is open to {some}, not in {name}: a rule of {page.zone} names them"
    advice = "where they are to get in, make them a host of the allowlist; else change that rule"
    return Finding(Severity.ERROR, what, advice)


def _lenient(finding: Finding) -> bool:
    return finding.severity is not Severity.ERROR


def _strangers(page: GuardedPage, by_source: Mapping[Address, Fates], name: str) -> Finding | None:
    seen = list(by_source.values())
    if all(one <= {RequestFate.BLOCKED} for one in seen):
        return None
    if passed := [source for source, one in by_source.items() if one == {RequestFate.PASSED}]:
        some = ", ".join(map(str, passed[:_MOST_NAMED]))
        whom = "everyone" if len(passed) == len(seen) else f"others ({some}, say)"
        what = f"{page} is open to {whom}: no rule of {page.zone} stops who is not in {name}"
        advice = "is the rule enabled, right way round, and before any that skips the rest?"
        return Finding(Severity.ERROR, what, f"{advice} {_ADVICE}")
    if not any(RequestFate.PASSED in one for one in seen):
        what = f"{page}: addresses outside {name} are challenged only, and get in by solving it"
        return Finding(Severity.WARNING, what, "let the rule block")
    what = f"whether {page} is closed to addresses outside {name} is unknown"
    reason = "a rule depends on what is not known here, or skips the rest for some requests"
    return Finding(Severity.WARNING, what, f"{reason}; {_ADVICE}")


def _friends(page: GuardedPage, seen: list[Fates], list_name: str) -> Finding | None:
    if all(one <= {RequestFate.PASSED} for one in seen):
        return None
    if {RequestFate.BLOCKED} in seen:
        what = f"{page} is closed to those in {list_name}: a rule of {page.zone} blocks them"
        return Finding(Severity.ERROR, what, _ADVICE)
    if {RequestFate.CHALLENGED} in seen:
        what = f"{page}: addresses in {list_name} are challenged; apps cannot solve it"
        return Finding(Severity.WARNING, what, _ADVICE)
    what = f"whether {page} is open to all addresses in {list_name} is unknown"
    return Finding(Severity.WARNING, what, f"a rule depends on what is not known here; {_ADVICE}")
