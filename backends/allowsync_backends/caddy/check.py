"""Findings about a snippet in Caddy: without effect, or with no way to reload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync.model.target import Effect, Finding, Severity
from allowsync.model.value import replace
from allowsync_backends.caddy.admin_api import loaded
from allowsync_backends.caddy.options import CaddyStyle, Matcher
from allowsync_backends.caddy.proxies import about_protocol, about_proxies, believed, static
from allowsync_backends.caddy.snippet import Snippet, admin_address, admin_is_off
from allowsync_backends.caddy.syntax import ProxiesSyntax, snippet
from allowsync_backends.common.server.reader import printed
from allowsync_backends.file.syntax import of_effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import TrustedProxies
    from allowsync.model.types import Network
    from allowsync_backends.caddy.options import CaddyOptions
    from allowsync_backends.caddy.snippet import Json, SnippetGate
    from allowsync_backends.caddy.syntax import CaddySyntax
    from allowsync_backends.file.syntax import Syntax

# The clients a snippet is to refuse, and the sites it is for.
_WORDS = {
    "allow": ("strangers reach a part of site", "is for friends alone"),
    "deny": ("blocked networks reach a part of site", "these may not reach"),
}
_LETS_BLOCKED = "it lets blocked networks into"
MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")


def findings(
    options: CaddyOptions, syntax: CaddySyntax, allowlist: str, path: Path
) -> Iterator[Finding]:
    """Report why the snippet has no effect, or Caddy cannot load a new one."""
    config = _adapted(options)
    if config is None:
        return  # a configuration that is not valid is reported as such
    if admin_is_off(config) and not options.reload:
        what = "caddy cannot be reloaded: its admin API is off"
        yield Finding(Severity.ERROR, what, "switch it on, or set `reload` to a restart")
    if options.container is None and _resets():
        yield Finding(
            Severity.INFO,
            "connections that arrive in the moment of a reload of caddy are reset",
            "'sysctl net.ipv4.tcp_migrate_req=1' hands them on (Linux 5.14)",
        )
    yield from about_protocol(config)
    if options.style is CaddyStyle.REALIP:
        yield from _of_proxies(config, path)
        return
    if options.matcher is Matcher.CLIENT_IP:
        yield from about_proxies(config)
    networks = _networks(of_effect(syntax, syntax.effect), path)
    if networks is not None:
        compiled = Snippet(options.matcher, options.refusal, networks, syntax.effect)
        gates = tuple(compiled.gates(config))
        if networks or syntax.effect is Effect.ALLOW:  # one that blocks nothing leaves no trace
            yield from _effect(gates, snippet(allowlist), options, path, syntax.effect)
        if options.container is None:
            address = options.admin or admin_address(config)
            yield from _in_force(compiled, gates, address, options)


def trusted_proxies(
    options: CaddyOptions, syntax: CaddySyntax, path: Path
) -> TrustedProxies | None:
    """Return Caddy's trusted proxies at the snippet. The ports of a container are others."""
    if options.style is CaddyStyle.REALIP:
        return None  # no client is judged by proxies
    config, networks = _adapted(options), _networks(of_effect(syntax, syntax.effect), path)
    if config is None or networks is None:
        return None
    found = believed(config, Snippet(options.matcher, options.refusal, networks, syntax.effect))
    return found if found is None or options.container is None else replace(found, ports=())


def _of_proxies(config: Json, path: Path) -> Iterator[Finding]:
    """Report whether some server trusts the proxies in the file, and other spoofable headers."""
    held = _networks(ProxiesSyntax(), path)
    if held is not None and not any(held <= one for one in static(config)):
        what = f"no server of the Caddyfile trusts the proxies in {path}: it has no effect"
        yield Finding(Severity.ERROR, what, f'put "import {path}" into "servers" of its options')
    yield from about_proxies(config)


def _effect(
    gates: tuple[SnippetGate, ...],
    name: str,
    options: CaddyOptions,
    path: Path,
    effect: Effect,
) -> Iterator[Finding]:
    who, which = _WORDS[effect.value]
    if not gates:
        yield Finding(
            Severity.ERROR,
            f"no site of {options.config} uses the snippet {name}: {path} has no effect",
            f'put "import {path}" before the sites, and "import {name}" into each that {which}',
        )
    for gate in gates:
        if gate.ahead:
            yield Finding(
                Severity.ERROR,
                f"{who} {gate.site}, because {', '.join(gate.ahead)} "
                f"comes before the snippet {name}",
                f'put all of the site into "route {{ ... }}", with "import {name}" first',
            )


def _in_force(
    compiled: Snippet, gates: tuple[SnippetGate, ...], address: str, options: CaddyOptions
) -> Iterator[Finding]:
    """Report whether the running Caddy uses its Caddyfile; nothing without an answer."""
    running = loaded(address)
    if running is None:
        return
    there = {gate.site for gate in compiled.gates(running)}
    missing = sorted({gate.site for gate in gates} - there)
    if missing:
        allows = compiled.effect is Effect.ALLOW
        lets = "it lets others than those in the file into" if allows else _LETS_BLOCKED
        yield Finding(
            Severity.ERROR,
            f"the running caddy does not use {options.config}: {lets} {', '.join(missing)}",
            "reload it, or name the Caddyfile that it runs by with `config`",
        )


def _resets() -> bool:
    """Whether the kernel resets connections queued at a listener that is closed beside another.

    At a reload Caddy 2.6 and later opens a second listener at the same port (SO_REUSEPORT), and
    closes the first.
    """
    try:
        return MIGRATION.read_text().strip() == "0"
    except OSError:
        return False


def _networks(syntax: Syntax, path: Path) -> frozenset[Network] | None:
    """Return the networks in our file; None when it cannot be read, which is reported elsewhere."""
    try:
        held = syntax.parse(path.read_text())
    except (OSError, UnicodeDecodeError):
        return None
    return None if held is None else held.networks


def _adapted(options: CaddyOptions) -> Json | None:
    text = printed(options.running, (options.program, "adapt", *options.caddyfile))
    try:
        found = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
