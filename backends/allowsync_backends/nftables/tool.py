"""Running nft, and what its failures mean. Nobody here reads its messages, they are only shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from allowsync.backend import BackendError, OutcomeUnknown
from allowsync.shell import Command, CommandError, CommandMissing, Completed, run

# A set of 100,000 networks takes less than a second; a small machine under load may take longer.
TIMEOUT: Final = 60.0

MISSING: Final = "nft cannot be run; install the package nftables"
NOT_ROOT: Final = "only root can see and change nftables (CAP_NET_ADMIN is missing)"

_CAP_NET_ADMIN: Final = 1 << 12  # capabilities(7), linux/capability.h


def usable() -> str:
    """Why nft cannot be used here, or an empty string."""
    try:
        run(Command(("nft", "--version")))
    except CommandError as error:
        return _not_run(error)
    return "" if _privileged() else NOT_ROOT


def ask(*arguments: str) -> Completed:
    """Run an nft command that changes nothing. It may fail; the caller sees its code.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    try:
        return run(Command(("nft", *arguments), timeout=TIMEOUT))
    except CommandMissing as error:
        raise BackendError(_not_run(error)) from error
    except CommandError as error:
        raise BackendError(f"nothing is known of it: {error}") from error


def load(script: str) -> Completed:
    """Carry out a script: one transaction, all of it or nothing. It may fail.

    Raises:
        BackendError: It could not be started.
        OutcomeUnknown: It was killed, and may have been carried out before.
    """
    try:
        done = run(Command(("nft", "-f", "-"), script, TIMEOUT))
    except CommandMissing as error:
        raise BackendError(_not_run(error)) from error
    except CommandError as error:
        raise OutcomeUnknown(str(error)) from error
    if done.code < 0:
        raise OutcomeUnknown(f"nft was killed by signal {-done.code}")
    return done


def complaint(failed: Completed) -> str:
    """What nft said, in one line, with what to do when we are not root."""
    said = next((line for line in failed.stderr.splitlines() if line.strip()), "")
    said = said.strip()[:200] or f"exit code {failed.code}"
    return said if _privileged() else f"{said} ({NOT_ROOT})"


def tables() -> frozenset[str]:
    """The tables there are, each as `inet filter`.

    Raises:
        BackendError: They could not be listed.
    """
    listed = ask("list", "tables")
    if listed.code != 0:
        raise BackendError(f"nft cannot list its tables: {complaint(listed)}")
    return frozenset(line.removeprefix("table ").strip() for line in listed.stdout.splitlines())


def _not_run(error: CommandError) -> str:
    """Why nft was not run: to install it helps only where it is missing."""
    missing = isinstance(error, CommandMissing) and not error.reason
    return MISSING if missing else str(error)


def _privileged() -> bool:
    status = Path("/proc/self/status").read_text()
    held = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(held.split()[1], 16) & _CAP_NET_ADMIN)
