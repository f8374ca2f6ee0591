"""firewalld beside a gate of iptables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity
from allowsync_backends.common.firewalld_bus import Bus

if TYPE_CHECKING:
    from collections.abc import Iterator


def running() -> Iterator[Finding]:
    """Report a running firewalld: its start and its reload remove all rules of iptables."""
    try:
        with Bus() as bus:
            bus.must_be_in_force()
    except BackendError:
        return
    yield Finding(
        Severity.WARNING,
        "firewalld is running: each 'firewall-cmd --reload' removes this gate (its start, too, "
        "without allowsync-restore.service), and the ports stay open until the next run",
        "use the backend nftables, whose table firewalld leaves alone, or firewalld, or run "
        "'allowsync apply --offline' after each",
    )
