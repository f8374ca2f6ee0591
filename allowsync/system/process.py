"""The one starter of processes.

A command is data; a backend's pure functions make it, tests compare it by `==`, `run` runs it:
without a shell, with a fixed search path and environment, in a process group of its own, and never
longer than its timeout.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import Final

from allowsync.model.value import Value

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# `LANGUAGE` must be absent, not empty: gettext prefers it over LC_ALL.
ENVIRONMENT: Final = {"PATH": PATH, "LC_ALL": "C"}


class Command(Value):
    """A program to start: argv, what it reads on standard input, and its time limit in seconds."""

    argv: tuple[str, ...]
    stdin: str = ""
    timeout: float = 30.0


class Completed(Value):
    """How a command ended. `code` is negative for a signal, as in `subprocess`."""

    command: Command
    code: int
    stdout: str
    stderr: str


class CommandError(Exception):
    """A command could not be run to its end."""

    def __init__(self, command: Command) -> None:
        super().__init__(command)
        self.command = command


class CommandMissing(CommandError):
    """The program could not be started: not installed, not executable, or no room for it."""

    def __init__(self, command: Command, reason: str = "") -> None:
        super().__init__(command)
        self.reason = reason

    def __str__(self) -> str:
        if self.reason:
            return f"{self.command.argv[0]} could not be started: {self.reason}"
        return f"{self.command.argv[0]} is not installed or may not be run"


class CommandTimedOut(CommandError):
    """The program was killed at its time limit; what it did by then is not known."""

    def __str__(self) -> str:
        return f"{self.command.argv[0]} did not finish within {self.command.timeout:g} s"


class CommandBroken(CommandError):
    """What passes between a program and us broke off, and it was killed; what it did is unknown."""

    def __init__(self, command: Command, reason: str) -> None:
        super().__init__(command)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.command.argv[0]} could not be listened to: {self.reason}"


def run(command: Command) -> Completed:
    """Run a command and wait for it.

    Raises:
        CommandMissing: The program was not found on the fixed path, is not executable, or could
            not be started for lack of memory or processes.
        CommandTimedOut: It and its children were killed at the time limit.
        CommandBroken: It and its children were killed because its pipes failed.
    """
    try:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            executable=find(command.argv[0]),
        )
    except (FileNotFoundError, PermissionError) as error:
        raise CommandMissing(command) from error
    except OSError as error:
        raise CommandMissing(command, error.strerror or "") from error
    with process:
        try:
            stdout, stderr = process.communicate(command.stdin.encode(), timeout=command.timeout)
        except BaseException as error:
            # A child that has ended and been waited for has no group any more.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandTimedOut(command) from None
            if isinstance(error, OSError):
                raise CommandBroken(command, error.strerror or str(error)) from error
            raise
    return Completed(
        command,
        process.returncode,
        stdout.decode(errors="replace"),
        stderr.decode(errors="replace"),
    )


def find(program: str) -> str:
    """The absolute path of a program, searched on `PATH` only, never on the caller's.

    Raises:
        FileNotFoundError: It is not there, or may not be executed.
    """
    if "/" in program:
        return program
    for folder in PATH.split(":"):
        candidate = f"{folder}/{program}"
        if os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError(program)


def installed(program: str) -> bool:
    """Whether a program can be found, and may be executed by us."""
    try:
        return os.access(find(program), os.X_OK)
    except FileNotFoundError:
        return False
