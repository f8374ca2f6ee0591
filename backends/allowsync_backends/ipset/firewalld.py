"""firewalld beside a gate of iptables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity
from allowsync.system.process import Command, installed
from allowsync_backends.ipset import tool

if TYPE_CHECKING:
    from collections.abc import Iterator


def running() -> Iterator[Finding]:
    """A running firewalld: it removes all rules of iptables when it starts or loads its own."""
    if not installed("firewall-cmd"):
        return
    try:
        state = tool.ask(Command(("firewall-cmd", "--state"), timeout=10.0))
    except BackendError:
        return
    if state.code == 0:
        yield Finding(
            Severity.WARNING,
            "firewalld is running: each 'firewall-cmd --reload' removes this gate (its start, too, "
            "without allowsync-restore.service), and the ports stay open until the next run",
            "use the backend nftables, whose table firewalld leaves alone, or run 'allowsync "
            "apply --offline' after each",
        )
