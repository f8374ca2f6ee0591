"""The program that reads a file: its check of new content, and its reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from allowsync.model.target import Finding, Severity
from allowsync.model.value import Value
from allowsync.system.process import Command, CommandError, installed, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from allowsync.model.target import TrustedProxies

TIMEOUT = 60.0
PLACEHOLDER = "{path}"


class FileReader(Protocol):
    """The operations of a file's reader that a change needs.

    A returned text is the reason for a failure, or an empty string.
    """

    @property
    def is_told(self) -> bool:
        """Whether anything at all is done once new content is in place."""
        ...

    @property
    def is_startable(self) -> bool:
        """Whether it could start with content it does not object to, should it be stopped now."""
        ...

    @property
    def waits(self) -> bool:
        """Whether it reads the file as it starts or is reloaded, and at no other time."""
        ...

    def objection_to(self, draft: str) -> str:
        """Return the error in a file that is not in place yet. Empty, too, without such a check."""
        ...

    def objection(self) -> str:
        """Return the error in the file in place, or in its absence, before it is in force."""
        ...

    def take_notice(self) -> str:
        """Put the file that is in place in force. Returns once it is."""
        ...

    def findings(self, path: Path) -> Sequence[Finding]:
        """Report why the file has no effect. Changes nothing, raises nothing."""
        ...

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:
        """Return the program's trusted proxies; None where they are not known."""
        ...


class Commands(Value):
    """A reader known only by two commands; empty for none.

    A check that has `{path}` among its arguments is run on the new file before it takes the old
    one's place; any other after that.
    """

    check: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether there is a command to run after the new file is in place."""
        return bool(self.reload or (self.check and not checks_drafts(self.check)))

    @property
    def is_startable(self) -> bool:
        """Whether there is a check. Whether the program runs is not known."""
        return bool(self.check)

    @property
    def waits(self) -> bool:
        """Whether there is a reload."""
        return bool(self.reload)

    def objection_to(self, draft: str) -> str:
        """Return the error of the check for a file that is not in place yet."""
        return failure(on_draft(self.check, draft)) if checks_drafts(self.check) else ""

    def objection(self) -> str:
        """Return the error of the check for the file in place."""
        return "" if checks_drafts(self.check) else failure(self.check)

    def take_notice(self) -> str:
        """Run the reload."""
        return failure(self.reload)

    def findings(self, path: Path) -> Sequence[Finding]:  # noqa: ARG002 - whatever they read
        """Check that the commands' programs are installed."""
        return tuple(missing_programs(self.check, self.reload))

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:  # noqa: ARG002 - not known
        """Return None: the reader is not known."""
        return None


def checks_drafts(check: tuple[str, ...]) -> bool:
    """Whether a check is run on the new file while the old one is in force."""
    return any(PLACEHOLDER in argument for argument in check)


def on_draft(check: tuple[str, ...], draft: str) -> tuple[str, ...]:
    """Return a check with a file's path in place of its placeholder."""
    return tuple(argument.replace(PLACEHOLDER, draft) for argument in check)


def missing_programs(*commands: tuple[str, ...]) -> Iterator[Finding]:
    """Report each command whose program cannot be found; not an empty one."""
    for argv in commands:
        if argv and not installed(argv[0]):
            advice = "install it, or give its whole path"
            yield Finding(Severity.ERROR, f"{argv[0]} is not installed", advice)


def failure(argv: tuple[str, ...], name: str = "") -> str:
    """Run a command; return why it failed, or an empty string. An empty command succeeds.

    Args:
        argv: The command.
        name: The program to blame, where the command only runs it somewhere else.
    """
    if not argv:
        return ""
    try:
        done = run(Command(argv, timeout=TIMEOUT))
    except CommandError as error:
        return str(error)
    if done.code == 0:
        return ""
    # Imported here: a run without failures has no output to summarize.
    from allowsync_backends.file.error_summary import gist

    said = gist(done.stderr)
    return f"{name or argv[0]} failed with exit code {done.code}" + (f" ({said})" if said else "")
