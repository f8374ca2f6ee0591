"""The proxies that Caddy trusts about client addresses. Pure.

`client_ip` is the peer's address, unless the peer is a trusted proxy: then it is an address of the
first present header of `client_ip_headers`, by default X-Forwarded-For. Proxies append to that one,
so the client's own text comes first; and the first counts, unless `trusted_proxies_strict` reads it
from the other end (caddyserver.com/docs/caddyfile/options, since Caddy 2.8).
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.networks import overlap
from allowsync.model.target import Finding, Severity, TrustedProxies
from allowsync_backends.caddy.options import Matcher
from allowsync_backends.common.server.listeners import (
    everybody,
    is_open,
    listening_ports,
    together,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Network
    from allowsync_backends.caddy.snippet import Json, Snippet

APPENDED: Final = "x-forwarded-for"
_FAMILIES: Final = (4, 6)
_BELIEVING: Final = ("USE", "REQUIRE")


def about_proxies(config: Json) -> Iterator[Finding]:
    """Report how a client can spoof its address, at each server of an adapted configuration."""
    for server in _servers(config):
        proxies = server.get("trusted_proxies")
        if not isinstance(proxies, dict):
            continue
        where = f"the server at {', '.join(map(str, server.get('listen') or ('?',)))}"
        if proxies.get("source") != "static":
            yield Finding(
                Severity.INFO,
                f"{where} has trusted_proxies {proxies.get('source')}, which a plugin knows: whom "
                "it believes is unknown",
            )
        strict = bool(server.get("trusted_proxies_strict"))
        if wide := _wide(proxies, strict=strict):
            yield Finding(
                Severity.ERROR,
                f"{where} has trusted_proxies {' '.join(wide)}: every client that sends a "
                "header of its own gets in",
                "name the networks of your proxy or CDN alone",
            )
        elif APPENDED in _headers(server) and not strict:
            yield Finding(
                Severity.ERROR,
                f"{where} takes the first address of X-Forwarded-For, which a client can write "
                "itself, because trusted_proxies_strict is not set",
                "add trusted_proxies_strict beside trusted_proxies (Caddy 2.8 or newer)",
            )


def static(config: Json) -> Iterator[frozenset[Network]]:
    """Yield the proxies of each server that lists them itself."""
    for server in _servers(config):
        proxies = server.get("trusted_proxies")
        if isinstance(proxies, dict) and proxies.get("source") == "static":
            ranges = proxies.get("ranges") or ()
            yield frozenset(ip_network(str(one), strict=False) for one in ranges)


def about_protocol(config: Json) -> Iterator[Finding]:
    """Report how a client can spoof its address in a PROXY header, before any request.

    A header is accepted from `allow`, and from all others where `fallback_policy` is to use or to
    require it; by default it is ignored.
    """
    for server in _servers(config):
        listens = [str(one) for one in server.get("listen") or ()]
        wrappers = [one for one in server.get("listener_wrappers") or () if isinstance(one, dict)]
        for one in (one for one in wrappers if one.get("wrapper") == "proxy_protocol"):
            policy = str(one.get("fallback_policy", "")).upper()
            allowed = everybody(ip_network(text, strict=False) for text in one.get("allow") or ())
            if (policy in _BELIEVING or allowed) and any(map(is_open, listens)):
                how = f"fallback_policy {policy.lower()}" if policy in _BELIEVING else "allow"
                yield Finding(
                    Severity.ERROR,
                    f"the server at {', '.join(listens)} has proxy_protocol with "
                    f"{how}{'' if policy in _BELIEVING else f' {allowed[0]}'}: every client that "
                    "writes a PROXY header of its own gets in",
                    "`allow` the networks of your proxy alone, without fallback_policy",
                )


def _wide(proxies: Json, *, strict: bool) -> list[str]:
    """Return the ranges that include strangers.

    Read from the other end, a client's own text is never reached, unless the client is a trusted
    proxy itself: then the first other address counts. With both families whole, there is none.
    """
    ranges = [str(one) for one in proxies.get("ranges") or ()]
    networks = {ip_network(one, strict=False): one for one in ranges}
    wide = everybody(networks)
    if strict and all(not one.prefixlen for one in wide) and len(wide) == len(_FAMILIES):
        return []
    return [text for one, text in networks.items() if any(overlap(one, other) for other in wide)]


def believed(config: Json, compiled: Snippet) -> TrustedProxies | None:
    """Return the trusted proxies at the snippet: of several servers, the strictest one's."""
    by_client = compiled.matcher is Matcher.CLIENT_IP
    guarded = (
        one
        for one in _servers(config)
        if any(compiled.gates({"apps": {"http": {"servers": {"": one}}}}))
    )
    advice = "trusted_proxies with its networks, and trusted_proxies_strict"
    return together(
        [_believed_by(one, by_client=by_client) for one in guarded],
        advice if by_client else f"matcher: client_ip, and in the Caddyfile {advice}",
    )


def _believed_by(server: Json, *, by_client: bool) -> TrustedProxies | None:
    ports = listening_ports(map(str, server.get("listen") or ()))
    wrappers = server.get("listener_wrappers") or ()
    if not ports or any(one.get("wrapper") == "proxy_protocol" for one in wrappers):
        return None
    proxies = server.get("trusted_proxies") if by_client else None
    if not isinstance(proxies, dict):
        return TrustedProxies((), (), ports)
    if proxies.get("source") != "static":
        return None  # a plugin supplies them
    networks = tuple(ip_network(one, strict=False) for one in proxies.get("ranges") or ())
    headers = server.get("client_ip_headers") or ("X-Forwarded-For",)
    return TrustedProxies(networks, tuple(map(str, headers)), ports)


def _headers(server: Json) -> list[str]:
    """Return the headers that may hold the address, in lower case."""
    return [str(one).lower() for one in server.get("client_ip_headers") or (APPENDED,)]


def _servers(config: Json) -> Iterator[Json]:
    found: Any = config
    for key in ("apps", "http", "servers"):
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, dict):
        yield from (one for one in found.values() if isinstance(one, dict))
