"""Runs iptables as UFW does. Its messages are not parsed, only shown."""

from __future__ import annotations

from typing import Final

from allowsync.model.types import Family
from allowsync.system.process import Command, Completed, installed
from allowsync_backends.common import command as tools

TIMEOUT: Final = 60.0  # seconds
# iptables-legacy serves one process at a time; others wait this many seconds.
PATIENCE: Final = "10"

MISSING: Final = f"ufw cannot be used; install the package ufw: apt install ufw ({tools.LOOKED_IN})"

_PROGRAMS: Final = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


def not_root() -> str:
    """Return the message where the rules cannot be seen and changed."""
    return tools.not_root("the firewall")


def usable() -> str:
    """Return why UFW cannot be used here, or an empty string."""
    if not (installed("ufw") and installed("iptables")):
        return MISSING
    return "" if tools.may(tools.CAP_NET_ADMIN) else not_root()


def listing(family: Family, chain: str) -> tuple[str, ...]:
    """Return the command that lists the rules of a chain, without counters."""
    return (_PROGRAMS[family], "-w", PATIENCE, "-S", chain)


def counted_listing(family: Family, chain: str) -> tuple[str, ...]:
    """Return the same with counters."""
    return (*listing(family, chain), "-v")


def ask(argv: tuple[str, ...]) -> Completed:
    """Run a command that changes nothing. It may fail; the caller sees its code.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    return tools.ask(Command(argv, timeout=TIMEOUT))


def restore(family: Family, script: str) -> Completed:
    """Load a script into the kernel: one transaction, all of it or nothing. It may fail.

    A chain that the script declares is emptied first, in the same transaction; others are kept.

    Raises:
        BackendError: It could not be run.
        OutcomeUnknown: It was killed, and may have been carried out before.
    """
    argv = (f"{_PROGRAMS[family]}-restore", "-w", PATIENCE, "-n")
    return tools.change(Command(argv, script, TIMEOUT))


def complaint(failed: Completed) -> str:
    """Return a program's error, in one line, with advice when we are not root."""
    said = tools.said(failed)
    return said if tools.may(tools.CAP_NET_ADMIN) else f"{said} ({not_root()})"
