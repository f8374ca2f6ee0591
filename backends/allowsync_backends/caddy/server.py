"""Caddy as a server: its configuration check and its reload."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from allowsync_backends.common.server.reader import ServerProgram
from allowsync_backends.common.server.supervisor import ReloadMethod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.target import Finding, TrustedProxies
    from allowsync_backends.caddy.options import CaddyOptions
    from allowsync_backends.caddy.syntax import CaddySyntax


def caddy(options: CaddyOptions, syntax: CaddySyntax, allowlist: str) -> ServerProgram:
    """Return Caddy's particulars.

    `caddy validate` would check more, but opens the log that the configuration names, as the
    calling user: a log that root made is one that Caddy cannot write. The running Caddy finds the
    rest: it loads a configuration whole, or returns an error and keeps the old one.
    """
    address = () if options.admin is None else ("--address", options.admin)
    return ServerProgram(
        "caddy",
        check=(options.program, "adapt", *options.caddyfile),
        notice=ReloadMethod((options.program, "reload", *options.caddyfile, *address)),
        renews=False,
        inspect=partial(_findings, options, syntax, allowlist),
        proxies=partial(_proxies, options, syntax),
    )


def _findings(
    options: CaddyOptions, syntax: CaddySyntax, allowlist: str, path: Path
) -> Iterator[Finding]:
    # Imported here: a run does not read a configuration.
    from allowsync_backends.caddy.check import findings

    return findings(options, syntax, allowlist, path)


def _proxies(options: CaddyOptions, syntax: CaddySyntax, path: Path) -> TrustedProxies | None:
    from allowsync_backends.caddy.check import trusted_proxies

    return trusted_proxies(options, syntax, path)
