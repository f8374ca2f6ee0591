"""Runs nft and interprets its exit codes. Its messages are not parsed, only shown."""

from __future__ import annotations

from typing import Final

from allowsync.backend.api import BackendError
from allowsync.system.process import Command, CommandError, Completed, run
from allowsync_backends.common import command as tools
from allowsync_backends.nftables.table_dump import listed_tables

# A set of 100,000 networks takes less than a second; a small machine under load may take longer.
TIMEOUT: Final = 60.0

MISSING: Final = (
    f"nft cannot be run; install the package nftables: apt install nftables ({tools.LOOKED_IN})"
)
NOT_ROOT: Final = (
    "only root can see and change nftables (CAP_NET_ADMIN is missing): run it with sudo"
)


def usable() -> str:
    """Why nft cannot be used here, or an empty string."""
    try:
        run(Command(("nft", "--version")))
    except CommandError as error:
        return tools.not_run(error, MISSING)
    return "" if tools.may(tools.CAP_NET_ADMIN) else NOT_ROOT


def ask(*arguments: str) -> Completed:
    """Run an nft command that changes nothing. It may fail; the caller sees its code.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    return tools.ask(Command(("nft", *arguments), timeout=TIMEOUT), MISSING)


def refusal(script: str) -> str:
    """Why the kernel would not carry out a script, in a line; empty where it would.

    Raises:
        BackendError: It could not be found out.
    """
    done = tools.ask(Command(("nft", "-c", "-f", "-"), script, TIMEOUT), MISSING)
    return complaint(done) if done.code else ""


def load(script: str) -> Completed:
    """Carry out a script: one transaction, all of it or nothing. It may fail.

    Raises:
        BackendError: It could not be started.
        OutcomeUnknown: It was killed, and may have been carried out before.
    """
    return tools.change(Command(("nft", "-f", "-"), script, TIMEOUT), MISSING)


def complaint(failed: Completed) -> str:
    """What nft said, in one line, with what to do when we are not root."""
    said = tools.said(failed)
    return said if tools.may(tools.CAP_NET_ADMIN) else f"{said} ({NOT_ROOT})"


def tables() -> frozenset[str]:
    """The tables there are, each as `inet filter`.

    Raises:
        BackendError: They could not be listed.
    """
    try:
        return listed_tables(TIMEOUT)
    except OSError as error:
        why = error.strerror or str(error)
        why = why if tools.may(tools.CAP_NET_ADMIN) else f"{why} ({NOT_ROOT})"
        raise BackendError(f"the kernel does not list its nftables: {why}") from error
