"""Execution of a firewall's tool for a backend, and its failures as exceptions."""

from __future__ import annotations

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.system.process import (
    Command,
    CommandError,
    CommandMissing,
    Completed,
    installed,
    run,
)

__all__ = ["installed", "run_tool"]


def run_tool(*argv: str, stdin: str = "", timeout: float = 30.0) -> str:
    """Run a tool that must succeed, with `allowsync.system.process.run`. Returns its output.

    Raises:
        BackendError: It could not be started, or ended with an exit code other than 0.
        OutcomeUnknown: It was started but its end was not observed: it timed out, its pipes broke,
            or a signal killed it.
    """
    try:
        done = run(Command(argv, stdin, timeout))
    except CommandMissing as error:
        raise BackendError(str(error)) from error
    except CommandError as error:
        raise OutcomeUnknown(str(error)) from error
    if done.code < 0:
        raise OutcomeUnknown(f"{argv[0]} was killed by signal {-done.code}")
    if done.code:
        raise BackendError(f"{argv[0]} failed: {_first_line(done)}")
    return done.stdout


def _first_line(failed: Completed) -> str:
    """The error output of a failed tool, for people; no code depends on it."""
    lines = filter(None, map(str.strip, failed.stderr.splitlines()))
    return next(lines, f"exit code {failed.code}")[:200]
