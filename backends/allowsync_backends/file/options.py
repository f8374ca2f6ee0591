"""Options of a file target."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, cast

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.kinds import Kind
    from allowsync.model.types import Network

COMMENT: Final = "# "
CHECK_HELP: Final = (
    "A command that must succeed for a new file to stay. With `{path}` in it, it checks the new "
    "file before that replaces the old one; otherwise it runs after that, and the old file is "
    "restored if it fails."
)


class Format(Enum):
    """The format of a file."""

    TEXT = "text"
    JSON = "json"


def _comment() -> Kind[str | None]:
    """Return the kind of a comment prefix."""
    return kinds.Optional(kinds.Text("what begins a comment line", longest=16))


def mode_kind() -> Kind[int]:
    """Return the kind of a file's permissions."""
    from allowsync_backends.file.mode_kind import ModeKind

    return ModeKind()


def command() -> Kind[tuple[str, ...]]:
    """Return the kind of a program with its arguments."""
    return kinds.ListOf(kinds.Text("a program or one of its arguments"))


def refuse_relative(**commands: tuple[str, ...]) -> None:
    """Refuse programs given by a path that depends on the working directory.

    Raises:
        ValueError: One is neither an absolute path nor a bare name.
    """
    for key, argv in commands.items():
        if argv and "/" in argv[0] and not argv[0].startswith("/"):
            raise ValueError(f"{key} must start with an absolute path or a name, got {argv[0]!r}")


class FileOptions(Value):
    """A file with one network a line, or as JSON, or made from a template."""

    # Remembered: clearing removes nothing there but a file with our mark in it.
    path: Path = option(
        lambda: kinds.AbsolutePath("the path of a file"), help="The file to write.", remembered=True
    )
    format: Format = option(
        lambda: kinds.Choice(Format),
        help="`text`: comment lines, then one network in CIDR notation per line. `json`: an "
        "object with a list of them in `networks`.",
        default=Format.TEXT,
        remembered=True,
    )
    mode: int = option(mode_kind, help="The file's permissions.", default=0o644)
    check: tuple[str, ...] = option(
        command,
        help=CHECK_HELP,
        default=(),
    )
    reload: tuple[str, ...] = option(
        command,
        help="A command to run after each change. If it fails, the old file is restored and the "
        "command is run again.",
        default=(),
    )
    template: Path | None = option(
        lambda: kinds.AbsolutePath("the path of a template"),
        help="A Jinja template for the file, instead of `format`. Needs the package Jinja2.",
        default=None,
    )
    comment: str | None = option(
        _comment,
        help="With `template`: the beginning of a comment line in the file. allowsync keeps its "
        "record in a few comment lines at the top. `null` for a format without comments: "
        "the record is then in a file beside it.",
        default=cast("str | None", COMMENT),
    )
    never_empty: tuple[Network, ...] = option(
        lambda: kinds.ListOf(kinds.Unreachable(), unique=True),
        help="With `template`: the networks that replace an empty list, for programs that treat "
        "an empty list as no restriction: `[255.255.255.255/32]`. Only networks that no "
        "client uses.",
        default=(),
    )

    def __post_init__(self) -> None:
        refuse_relative(check=self.check, reload=self.reload)
        if self.template is not None and self.format is not Format.TEXT:
            raise ValueError("format and template exclude each other")
        if self.template is None and self.comment != COMMENT:
            raise ValueError("comment belongs to a template")
        if self.template is None and self.never_empty:
            raise ValueError("never_empty belongs to a template")
        if self.template == self.path:
            raise ValueError("path and template are the same file")

    def places(self, allowlist: str) -> tuple[Place, ...]:  # noqa: ARG002 - a file is a file
        """Return the file as the place of the entries."""
        return (Place("file", (str(self.path),)),)
