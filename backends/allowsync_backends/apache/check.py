"""Findings about a file in Apache: without effect, or with other clients admitted beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from allowsync.model.target import Effect, Finding, Severity
from allowsync_backends.apache.configuration import (
    Dump,
    alternatives,
    dump,
    excluding,
    optional,
    trusts_anybody,
)
from allowsync_backends.apache.options import ApacheStyle
from allowsync_backends.apache.remote_ip import (
    MODULE,
    believed,
    headers,
    open_protocols,
    proxy_lists,
)
from allowsync_backends.common.server.listeners import everybody
from allowsync_backends.common.server.reader import printed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.target import TrustedProxies
    from allowsync_backends.apache.options import ApacheOptions

_PLACES = {
    "allow": "into the <Location> for friends alone",
    "deny": 'into a <RequireAll>, beside "Require all granted"',
}
MODULES = ("authz_core", "authz_host")
# Their children wait KeepAliveTimeout for the next request on a connection before they end.
LINGERING = frozenset({"mpm_prefork_module", "mpm_worker_module"})


def findings(options: ApacheOptions, effect: Effect, path: Path) -> Iterator[Finding]:
    """Report why the file has no effect, or admits other clients beside it."""
    shown = _dumped(options)
    if shown is None:
        return  # a configuration that is not valid is reported as such
    proxies = options.style is ApacheStyle.REALIP
    for name in ("remoteip",) if proxies else MODULES:
        if f"{name}_module" not in shown.modules:
            advice = f"'a2enmod {name}', or LoadModule {name}_module"
            yield Finding(Severity.ERROR, f"apache has no module mod_{name}", advice)
    if path.resolve() not in (Path(one).resolve() for one in shown.files):
        where = "beside RemoteIPHeader" if proxies else _PLACES[effect.value]
        what = f"no configuration of apache includes {path}: it has no effect"
        yield Finding(Severity.ERROR, what, f'put "Include {path}" {where}')
    lingering = shown.modules & LINGERING
    if lingering and not proxies:
        what = "a removed network gets one more answer on a connection that is kept alive"
        yield Finding(Severity.INFO, what, f"mpm_event does not wait, {min(lingering)} does")
    if options.container is not None:
        return
    texts = _texts(shown.files)
    yield from _headless(texts) if proxies else ()
    yield from _beside(texts, path) if effect is Effect.ALLOW else ()
    yield from _others(texts, path)


def trusted_proxies(options: ApacheOptions, _: Path) -> TrustedProxies | None:
    """Return the trusted proxies of Apache. Of a container only its modules are visible."""
    shown = None if options.style is ApacheStyle.REALIP else _dumped(options)
    if shown is None:
        return None
    texts = {} if options.container is not None else _texts(shown.files)
    return believed(shown.modules, texts, _texts(proxy_lists(texts)))


def _headless(texts: dict[str, str]) -> Iterator[Finding]:
    """Report proxies without a header to read."""
    if texts and not headers(texts):
        what = "no RemoteIPHeader: apache takes the address of the proxy for that of every client"
        advice = "name the header that the proxy sets: RemoteIPHeader CF-Connecting-IP (Cloudflare)"
        yield Finding(Severity.ERROR, what, advice)


def _beside(texts: dict[str, str], path: Path) -> Iterator[Finding]:
    """Report directives that admit clients beside the file, or in its place."""
    for one in excluding(texts, str(path)):
        what = f"{one.place}: <RequireNone> around the Include of {path} keeps the hosts out"
        yield Finding(Severity.ERROR, what, "take it away: the file says who gets in")
    for one in alternatives(texts, str(path)):
        open_to_all = one.words[1:] == ("all", "granted")
        yield Finding(
            Severity.ERROR if open_to_all else Severity.WARNING,
            f"{one.place}: {one.text!r} is beside the Include of {path}, and either is enough",
            "put both into <RequireAll> if both are meant, or take it away",
        )


def _others(texts: dict[str, str], path: Path) -> Iterator[Finding]:
    """Report other directives of the files that admit clients."""
    for place in optional(texts, str(path)):
        what = f"{place}: with IncludeOptional, everyone gets in when {path} is missing"
        yield Finding(Severity.WARNING, what, "write Include")
    listed = _texts(lists := proxy_lists(texts))
    for file in sorted(set(lists) - listed.keys()):
        what = f"{file} cannot be read: which proxies apache believes is unknown"
        yield Finding(Severity.INFO, what, "name the list by its whole path, or have it readable")
    proxies = believed(frozenset({MODULE}), texts, listed)
    for place in open_protocols(texts):
        yield Finding(
            Severity.WARNING,
            f"{place}: with RemoteIPProxyProtocol, any client can write a PROXY header, and say "
            "where it comes from",
            "let your proxy alone connect: listen at an address of its network, or by a firewall",
        )
    if trusts_anybody(texts) or (proxies is not None and everybody(proxies.networks)):
        yield Finding(
            Severity.ERROR,
            "apache trusts RemoteIPHeader from any client",
            "name your proxies with RemoteIPInternalProxy or RemoteIPTrustedProxy",
        )


def _dumped(options: ApacheOptions) -> Dump | None:
    argv = (*options.command, "-t", "-D", "DUMP_INCLUDES", "-D", "DUMP_MODULES")
    text = printed(options.running, argv)
    return None if text is None else dump(text)


def _texts(files: Iterable[str]) -> dict[str, str]:
    """Return the readable files of a configuration, by their paths and in order."""
    texts = {}
    for file in files:
        try:
            with open(file, errors="replace") as opened:  # noqa: PTH123 - text, as it is named
                texts[file] = opened.read()
        except OSError:
            continue
    return texts
