"""Findings about one of Jellyfin's network settings: whether it can be kept, and its effect."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity, flaw_findings
from allowsync.text import counted
from allowsync_backends.jellyfin.content import PRIVATE, flaws, sorted_out
from allowsync_backends.jellyfin.document import (
    IPV6,
    REMOTE_ACCESS,
    entries_of,
    flag,
    obstacle,
)
from allowsync_backends.jellyfin.errors import JellyfinError
from allowsync_backends.jellyfin.marks import network_of
from allowsync_backends.jellyfin.options import JellyfinSetting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv6Address

    from allowsync.model.types import Network
    from allowsync_backends.jellyfin.api import JellyfinApi
    from allowsync_backends.jellyfin.content import SettingContent
    from allowsync_backends.jellyfin.options import JellyfinOptions

_OLDEST: Final = (10, 8)
_NEWEST: Final = (12,)

# Wider than any LAN and any single provider.
_EVERYONE: Final = {4: 7, 6: 15}

_KEY: Final = "make a key in the dashboard under API Keys; see docs/backends/jellyfin.md"
_RESTART: Final = "restart Jellyfin after a change of its known proxies, or say restart: true"


def findings(api: JellyfinApi, allowlist: str, options: JellyfinOptions) -> Iterator[Finding]:
    """Report on the setting. Changes nothing, raises nothing."""
    setting = options.setting
    try:
        document = api.network()
        entries = entries_of(document, setting)
        content = sorted_out(entries, allowlist)
        in_the_way = obstacle(document, setting, content.ours)
        wrong = (*flaws(setting, entries, content), *in_the_way)
        yield from flaw_findings(wrong, in_the_way)
        yield from _version(api.version())
        yield from _effect(api, document, options, content)
        api.elevated()
    except (BackendError, JellyfinError) as error:
        yield Finding(Severity.ERROR, str(error), _KEY)
        return
    yield from _others(setting, content)


def _version(version: str) -> Iterator[Finding]:
    numbers = tuple(int(one) for one in version.split(".") if one.isdigit())
    if numbers < _OLDEST or numbers[:1] > _NEWEST:
        what = f"Jellyfin {version} is none of 10.8 to 12, whose settings allowsync knows"
        yield Finding(Severity.WARNING, what, "look whether the setting does what it should")


def _effect(
    api: JellyfinApi, document: dict[str, Any], options: JellyfinOptions, content: SettingContent
) -> Iterator[Finding]:
    if options.setting is JellyfinSetting.KNOWN_PROXIES:
        yield from _proxies(api, document, options, content)
        return
    yield from _lan(document)
    yield from _fronted(api, document)
    if options.setting is JellyfinSetting.REMOTE_FILTER:
        yield from _filter(api, document)


def _filter(api: JellyfinApi, document: dict[str, Any]) -> Iterator[Finding]:
    if not flag(document, REMOTE_ACCESS):
        what = "remote access is off in Jellyfin: the hosts of the filter do not get in"
        yield Finding(Severity.ERROR, what, "allow remote connections in Dashboard > Networking")
    if not any(api.endpoint()):
        what = "this machine is not in Jellyfin's LAN networks: the filter could shut it out"
        yield Finding(Severity.ERROR, what, "add its network there, as Jellyfin sees it")


def _lan(document: dict[str, Any]) -> Iterator[Finding]:
    """Report networks that count as local though they include strangers."""
    entries = entries_of(document, JellyfinSetting.LAN_NETWORKS)
    for network in _networks(entries):
        if network.prefixlen <= _EVERYONE[network.version] and network not in PRIVATE:
            what = f"{network} is one of Jellyfin's LAN networks: everyone in it gets in"
            yield Finding(Severity.ERROR, what, "take it out in Dashboard > Networking")


def _fronted(api: JellyfinApi, document: dict[str, Any]) -> Iterator[Finding]:
    """Report a proxy whose clients all appear as the proxy itself."""
    if proxy := _seen_alone(api):
        what = f"Jellyfin takes {proxy} for the address of every client: is that a proxy?"
        known = _is_known(proxy, document)
        advice = (
            "restart Jellyfin, which reads its known proxies only then"
            if known
            else "add it to Jellyfin's known proxies and restart it, or everyone there gets in"
        )
        yield Finding(Severity.WARNING, what, advice)


def _proxies(
    api: JellyfinApi, document: dict[str, Any], options: JellyfinOptions, content: SettingContent
) -> Iterator[Finding]:
    if not options.restart:
        what = "Jellyfin reads its known proxies only when it starts"
        yield Finding(Severity.INFO, what, _RESTART)
    if any(one.version == 6 for one in content.ours) and document.get(IPV6) is False:
        what = "IPv6 is off in Jellyfin, which believes no proxy of IPv6 then"
        yield Finding(Severity.INFO, what, "turn it on if proxies connect by IPv6")
    proxy = _seen_alone(api)
    if proxy and _is_known(proxy, document):
        what = f"{proxy} is a known proxy, but Jellyfin takes it for the address of every client"
        yield Finding(Severity.WARNING, what, "restart Jellyfin, which reads the list only then")


def _seen_alone(api: JellyfinApi) -> str:
    """Return the address shared by several devices, where it is of the LAN; empty without."""
    clients = api.clients()
    seen = {_address(at) for _, at in clients}
    if len({device for device, _ in clients}) < 2 or len(seen) != 1:
        return ""
    (one,) = seen
    return str(one) if one is not None and any(one in of for of in PRIVATE) else ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse a connection's end: `192.0.2.7`, `192.0.2.7:50000`, `[2001:db8::7]:1`."""
    bare = text.rpartition("]")[0].lstrip("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_known(proxy: str, document: dict[str, Any]) -> bool:
    entries = entries_of(document, JellyfinSetting.KNOWN_PROXIES)
    address = ip_address(proxy)
    return any(address in one for one in _networks(entries))


def _networks(entries: Iterable[str]) -> list[Network]:
    return [one for one in map(network_of, entries) if one is not None]


def _others(setting: JellyfinSetting, content: SettingContent) -> Iterator[Finding]:
    if number := len(content.strangers):
        what = f"{setting.field} holds {counted(number, 'entry', 'entries')} of others, too"
        yield Finding(Severity.INFO, what, "see Dashboard > Networking in Jellyfin")
