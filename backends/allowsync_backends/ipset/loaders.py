"""Other programs that load rules of iptables, and what they do to a gate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Finding, Severity
from allowsync.system.process import Command, installed
from allowsync_backends.ipset import tool

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where rules are saved: netfilter-persistent (Debian), iptables.service (Arch, Red Hat).
SAVED_RULES: Final = (
    Path("/etc/iptables/rules.v4"),
    Path("/etc/iptables/rules.v6"),
    Path("/etc/iptables/iptables.rules"),
    Path("/etc/iptables/ip6tables.rules"),
    Path("/etc/sysconfig/iptables"),
    Path("/etc/sysconfig/ip6tables"),
)
# Where sets are: ipset-persistent (Debian), ipset.service (Arch, Red Hat).
SAVED_SETS: Final = (
    Path("/etc/iptables/ipsets"),
    Path("/etc/ipset.conf"),
    Path("/etc/sysconfig/ipset"),
)

_NAMED: Final = re.compile(r"--match-set (allowsync-\S+)")
_CREATED: Final = re.compile(r"^create (allowsync-\S+)", re.MULTILINE)


def saved() -> Iterator[Finding]:
    """Files of saved rules that name sets of ours, which are not there at boot.

    `iptables-restore` loads all of a table or nothing of it: the machine's own rules go missing.
    """
    kept = {name for path in SAVED_SETS for name in _CREATED.findall(_text(path))}
    for path in SAVED_RULES:
        missing = sorted(set(_NAMED.findall(_text(path))) - kept)
        if missing:
            yield Finding(
                Severity.ERROR,
                f"{path} names {', '.join(missing)}, which does not exist at boot: nothing of the "
                "file is loaded then, your own rules neither",
                f"take out the gate's lines, which allowsync puts back at boot itself: sed -i "
                f"'/allowsync[-_]/d' {path}; the same after each 'netfilter-persistent save'",
            )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def firewalld() -> Iterator[Finding]:
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
            "firewalld is running: its start and each 'firewall-cmd --reload' remove this gate, "
            "and the ports stay open until the next run",
            "use the backend nftables, whose table firewalld leaves alone, or run 'allowsync "
            "apply --offline' after each",
        )
