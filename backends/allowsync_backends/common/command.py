"""Runs a packet filter's tools, and explains their failures.

The tools' messages are not parsed, only shown.
"""

from __future__ import annotations

import os
from pathlib import Path

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.system.process import PATH, Command, CommandError, CommandMissing, Completed, run
from allowsync.typed import Final

# Capabilities by their kernel numbers (capabilities(7), linux/capability.h).
CAP_NET_ADMIN: Final = 1 << 12
CAP_NET_RAW: Final = 1 << 13
LOOKED_IN: Final = f"looked in {PATH.replace(':', ', ')}"
STATUS: Final = Path("/proc/self/status")


def ask(command: Command, missing: str = "") -> Completed:
    """Run a command that changes nothing. It may fail; the caller sees its code.

    Args:
        command: The command.
        missing: The message where the program is not installed.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    try:
        return run(command)
    except CommandMissing as error:
        raise BackendError(not_run(error, missing)) from error
    except CommandError as error:
        raise BackendError(f"nothing is known of it: {error}") from error


def change(command: Command, missing: str = "") -> Completed:
    """Run a command that changes something. It may fail; the caller sees its code.

    Args:
        command: The command.
        missing: The message where the program is not installed.

    Raises:
        BackendError: It could not be started, so nothing was changed.
        OutcomeUnknown: It was started but not seen to its end; it may have changed something.
    """
    try:
        done = run(command)
    except CommandMissing as error:
        raise BackendError(not_run(error, missing)) from error
    except CommandError as error:
        raise OutcomeUnknown(str(error)) from error
    if done.code < 0:
        raise OutcomeUnknown(f"{command.argv[0]} was killed by signal {-done.code}")
    return done


def not_run(error: CommandError, missing: str) -> str:
    """Return why a program was not run: installation helps only where it is missing."""
    absent = isinstance(error, CommandMissing) and not error.reason
    return missing if absent and missing else str(error)


def said(failed: Completed) -> str:
    """Return a program's error in one line; its remarks, which begin with `#`, are left out."""
    lines = (line.strip() for line in failed.stderr.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return first[:200] or f"exit code {failed.code}"


def not_root(what: str, capabilities: str = "CAP_NET_ADMIN") -> str:
    """Return why a packet filter cannot be used, with advice: root may lack the right, too."""
    remedy = "run it with sudo"
    if os.geteuid() == 0:
        remedy = "this is root in a container or a service that gave it up: give it back there"
    return f"only root can see and change {what} ({capabilities} is missing): {remedy}"


def may(capabilities: int) -> bool:
    """Whether this process has all of some capabilities. Without /proc, root counts as having them.

    Where that is wrong, the started tool reports it.
    """
    try:
        status = STATUS.read_text()
    except OSError:
        return os.geteuid() == 0
    held = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return int(held.split()[1], 16) & capabilities == capabilities
