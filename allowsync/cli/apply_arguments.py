"""The arguments of `allowsync apply`, and a reader for their ordinary forms."""

from __future__ import annotations

import os
from pathlib import Path

from allowsync.cli.common import Invocation, invocation_of
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

_FLAGS: Final = {
    "-n": "dry_run",
    "--dry-run": "dry_run",
    "--force": "force",
    "--offline": "offline",
    "--detailed-exitcode": "detailed_exitcode",
    "--quiet": "quiet",
    "-q": "quiet",
    "--no-color": "no_color",
    "--json": "json",
}
_VERBOSE: Final = ("-v", "--verbose")
_VALUES: Final = ("--config", "--state", "--only", "--output", "--log")
_ONCE: Final = ("--config", "--state", "--output")
_FORMATS: Final = ("text", "json")


class ApplyArguments(Value):
    """The arguments of `allowsync apply`, without `--confirm`."""

    invocation: Invocation
    only: tuple[str, ...] = ()
    dry_run: bool = False
    force: bool = False
    offline: bool = False
    detailed_exitcode: bool = False
    log: str = "text"
    assume: tuple[str, ...] = ()
    at: datetime | None = None

    @property
    def rehearses(self) -> bool:
        """Whether it is a rehearsal with assumed answers or a later time."""
        return bool(self.assume) or self.at is not None

    @property
    def conflict(self) -> str:
        """The conflict between options, in words; empty without one."""
        if self.detailed_exitcode and not self.dry_run:
            return "--detailed-exitcode needs --dry-run"
        if self.log == "json" and self.invocation.json:
            return "--log json and --output json exclude each other"
        if self.rehearses and not self.dry_run:
            return "--assume and --at need --dry-run"
        if self.rehearses and (self.offline or self.log == "json"):
            return "--assume and --at exclude --offline and --log json"
        return ""


def read_apply(arguments: list[str]) -> ApplyArguments | None:
    """The arguments of an ordinary `allowsync apply`; None for command lines that click parses.

    These are every other command, abbreviated or invalid options, and requests for help.
    """
    if arguments[:1] != ["apply"] or "_ALLOWSYNC_COMPLETE" in os.environ:
        return None
    flags: set[str] = set()
    values: dict[str, list[str]] = {}
    verbosity = 0
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument in _VERBOSE:
            verbosity += 1
        elif argument in _FLAGS:
            flags.add(_FLAGS[argument])
        elif name in _VALUES:
            value = value if equals else next(rest, "")
            if not value or value.startswith("-"):
                return None
            values.setdefault(name, []).append(value)
        else:
            return None
    return _arguments(flags, values, verbosity)


def _arguments(
    flags: set[str], values: dict[str, list[str]], verbosity: int
) -> ApplyArguments | None:
    if "json" in flags:
        values.setdefault("--output", []).append("json")
    if any(len(set(given)) > 1 for name, given in values.items() if name in _ONCE):
        return None
    last = {name: given[-1] for name, given in values.items()}
    output, log = last.get("--output", "text"), last.get("--log", "text")
    if output not in _FORMATS or log not in _FORMATS:
        return None
    config, state = (Path(last[one]) if one in last else None for one in ("--config", "--state"))
    read = ApplyArguments(
        invocation_of(config, state, output, verbosity, "quiet" in flags, "no_color" in flags),
        tuple(values.get("--only", ())),
        dry_run="dry_run" in flags,
        force="force" in flags,
        offline="offline" in flags,
        detailed_exitcode="detailed_exitcode" in flags,
        log=log,
    )
    return None if read.conflict else read
