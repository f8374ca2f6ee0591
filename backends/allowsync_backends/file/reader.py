"""The program that reads a file: what it thinks of new content, and how it takes notice of it."""

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
    """What a change of a file asks of the program that reads it.

    An answer is why something did not succeed, or an empty string.
    """

    @property
    def is_told(self) -> bool:
        """Whether anything at all is done once new content is in place."""
        ...

    @property
    def is_startable(self) -> bool:
        """Whether it could start with content it does not object to, should it not run now."""
        ...

    def objection_to(self, draft: str) -> str:
        """What speaks against a file that is not in place yet. Empty, too, if it is not asked."""
        ...

    def objection(self) -> str:
        """What speaks against the file in place, or against there being none, not yet in force."""
        ...

    def take_notice(self) -> str:
        """Put the file that is in place in force. Returns once it is."""
        ...

    def findings(self, path: Path) -> Sequence[Finding]:
        """What keeps the file from having an effect. Changes nothing, raises nothing."""
        ...

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:
        """Which proxies the program believes about its clients; None where that is not known."""
        ...


class Commands(Value):
    """A reader of which nothing is known but two commands; empty for none.

    A check that has `{path}` among its arguments is run on the new file before it takes the old
    one's place; any other after that.
    """

    check: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether there is a command for when the new file is in place."""
        return bool(self.reload or (self.check and not checks_drafts(self.check)))

    @property
    def is_startable(self) -> bool:
        """Whether there is a check. Whether the program runs is not known."""
        return bool(self.check)

    def objection_to(self, draft: str) -> str:
        """What the check says of a file that is not in place yet."""
        return failure(on_draft(self.check, draft)) if checks_drafts(self.check) else ""

    def objection(self) -> str:
        """What the check says of the file that is in place."""
        return "" if checks_drafts(self.check) else failure(self.check)

    def take_notice(self) -> str:
        """Run the reload."""
        return failure(self.reload)

    def findings(self, path: Path) -> Sequence[Finding]:  # noqa: ARG002 - whatever they read
        """Whether the commands are there."""
        return tuple(missing_programs(self.check, self.reload))

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:  # noqa: ARG002 - not known
        """None: what reads the file is not known."""
        return None


def checks_drafts(check: tuple[str, ...]) -> bool:
    """Whether a check is run on the new file while the old one is in force."""
    return any(PLACEHOLDER in argument for argument in check)


def on_draft(check: tuple[str, ...], draft: str) -> tuple[str, ...]:
    """A check with a file's path where it has its place for it."""
    return tuple(argument.replace(PLACEHOLDER, draft) for argument in check)


def missing_programs(*commands: tuple[str, ...]) -> Iterator[Finding]:
    """A finding for each command whose program cannot be found; none for an empty one."""
    for argv in commands:
        if argv and not installed(argv[0]):
            advice = "install it, or give its whole path"
            yield Finding(Severity.ERROR, f"{argv[0]} is not installed", advice)


def failure(argv: tuple[str, ...], name: str = "") -> str:
    """Run a command; why it did not succeed, or an empty string. No command at all succeeds.

    Args:
        argv: The command.
        name: What failed then, where the command only has it run somewhere else.
    """
    if not argv:
        return ""
    try:
        done = run(Command(argv, timeout=TIMEOUT))
    except CommandError as error:
        return str(error)
    if done.code == 0:
        return ""
    # Imported here: there is nothing to sum up in a run where all goes well.
    from allowsync_backends.file.error_summary import gist

    said = gist(done.stderr)
    return f"{name or argv[0]} failed with exit code {done.code}" + (f" ({said})" if said else "")
