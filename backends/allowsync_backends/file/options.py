"""What a configuration says about a file target."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.kinds import (
    AbsolutePath,
    Choice,
    Leaf,
    ListOf,
    Optional,
    Text,
    UnfitError,
)
from allowsync.config.schema.object import option
from allowsync.model.target import Place
from allowsync.model.value import Value

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.schema.nodes import Scalar

_MODE: Final = re.compile(r"0?[0-7]{3}")
_WRITABLE_BY_ALL: Final = 0o002
COMMENT: Final = "# "
CHECK_HELP: Final = (
    "A command that must succeed for a new file to stay. Where it has `{path}`, it is run on the "
    "new file before that takes its place; else after, and the old file is put back when it fails."
)


class Format(Enum):
    """How a file is written."""

    TEXT = "text"
    JSON = "json"


class ModeKind(Leaf[int]):
    """Permissions as chmod(1) takes them in octal: `0644`, with or without quotes."""

    @property
    def expected(self) -> str:
        """An example says it best."""
        return "permissions such as 0644"

    def read(self, scalar: Scalar) -> int:
        """The permission bits. A file that everybody may change is no allowlist."""
        if _MODE.fullmatch(scalar.text) is None:
            raise UnfitError
        mode = int(scalar.text, 8)
        if mode & _WRITABLE_BY_ALL:
            raise UnfitError(f"{scalar.text} would let everybody change the file")
        return mode

    def schema(self) -> dict[str, Any]:
        """Octal digits, quoted or not."""
        return {"type": ["string", "integer"], "pattern": f"^(?:{_MODE.pattern})$"}

    def show(self, value: int) -> str:
        """Four octal digits."""
        return f"{value:04o}"


def command() -> ListOf[str]:
    """The kind of a program with its arguments."""
    return ListOf(Text("a program or one of its arguments"))


def refuse_relative(**commands: tuple[str, ...]) -> None:
    """Refuse programs given by a path that depends on where one stands.

    Raises:
        ValueError: One is neither an absolute path nor a bare name.
    """
    for key, argv in commands.items():
        if argv and "/" in argv[0] and not argv[0].startswith("/"):
            raise ValueError(f"{key} must start with an absolute path or a name, got {argv[0]!r}")


class FileOptions(Value):
    """A file with one network a line, or as JSON, or made from a template."""

    path: Path = option(AbsolutePath("the path of a file"), help="The file to write.")
    format: Format = option(
        Choice(Format),
        help="`text`: comment lines, then one network in CIDR form a line. `json`: an object whose "
        "`networks` is a list of them.",
        default=Format.TEXT,
    )
    mode: int = option(ModeKind(), help="The file's permissions.", default=0o644)
    check: tuple[str, ...] = option(
        command(),
        help=CHECK_HELP,
        default=(),
    )
    reload: tuple[str, ...] = option(
        command(),
        help="A command to run after each change. When it fails, the old file is put back and the "
        "command is run once more.",
        default=(),
    )
    template: Path | None = option(
        AbsolutePath("the path of a template"),
        help="A Jinja template that makes the file, instead of `format`. Needs the package Jinja2.",
        default=None,
    )
    comment: str | None = option(
        Optional(Text("what begins a comment line", longest=16)),
        help="With `template`: what begins a comment line in such a file. allowsync writes into a "
        "few such lines, at the top, what it has to know of the file. `null` for a file that takes "
        "no comments: then that goes into a file beside it.",
        default=COMMENT,
    )

    def __post_init__(self) -> None:
        refuse_relative(check=self.check, reload=self.reload)
        if self.template is not None and self.format is not Format.TEXT:
            raise ValueError("format and template exclude each other")
        if self.template is None and self.comment != COMMENT:
            raise ValueError("comment belongs to a template")
        if self.template == self.path:
            raise ValueError("path and template are the same file")

    def places(self, allowlist: str) -> tuple[Place, ...]:  # noqa: ARG002 - a file is a file
        """What such a target puts its entries into."""
        return (Place("file", (str(self.path),)),)
