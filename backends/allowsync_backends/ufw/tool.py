"""Running iptables as UFW does. Nobody here reads its messages, they are only shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from allowsync.backend import BackendError, OutcomeUnknown
from allowsync.model import Family
from allowsync.shell import Command, CommandError, CommandMissing, Completed, installed, run

TIMEOUT: Final = 60.0  # seconds
# iptables-legacy serves one at a time; the others wait this many seconds.
PATIENCE: Final = "10"

MISSING: Final = "ufw cannot be used; install the package ufw"
NOT_ROOT: Final = "only root can see and change the firewall (CAP_NET_ADMIN is missing)"

_PROGRAMS: Final = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_CAP_NET_ADMIN: Final = 1 << 12  # capabilities(7), linux/capability.h


def usable() -> str:
    """Why UFW cannot be used here, or an empty string."""
    if not (installed("ufw") and installed("iptables")):
        return MISSING
    return "" if _privileged() else NOT_ROOT


def listing(family: Family, chain: str) -> tuple[str, ...]:
    """The command that lists the rules of a chain, without counters."""
    return (_PROGRAMS[family], "-w", PATIENCE, "-S", chain)


def ask(argv: tuple[str, ...]) -> Completed:
    """Run a command that changes nothing. It may fail; the caller sees its code.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    try:
        return run(Command(argv, timeout=TIMEOUT))
    except CommandMissing as error:
        raise BackendError(str(error)) from error
    except CommandError as error:
        raise BackendError(f"nothing is known of it: {error}") from error


def restore(family: Family, script: str) -> Completed:
    """Load a script into the kernel: one transaction, all of it or nothing. It may fail.

    A chain that the script declares is emptied first, in the same transaction; others are kept.

    Raises:
        BackendError: It could not be run.
        OutcomeUnknown: It was killed, and may have been carried out before.
    """
    argv = (f"{_PROGRAMS[family]}-restore", "-w", PATIENCE, "-n")
    try:
        done = run(Command(argv, script, TIMEOUT))
    except CommandMissing as error:
        raise BackendError(str(error)) from error
    except CommandError as error:
        raise OutcomeUnknown(str(error)) from error
    if done.code < 0:
        raise OutcomeUnknown(f"{argv[0]} was killed by signal {-done.code}")
    return done


def complaint(failed: Completed) -> str:
    """What a program said, in one line, with what to do when we are not root."""
    lines = (line.strip() for line in failed.stderr.splitlines())
    said = next((line for line in lines if line and not line.startswith("#")), "")
    said = said[:200] or f"exit code {failed.code}"
    return said if _privileged() else f"{said} ({NOT_ROOT})"


def _privileged() -> bool:
    status = Path("/proc/self/status").read_text()
    held = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(held.split()[1], 16) & _CAP_NET_ADMIN)
