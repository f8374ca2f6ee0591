"""The context of reading a configuration, and the problems found so far."""

from __future__ import annotations

import os
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.config.errors import ConfigError, Problem
from allowsync.config.schema.nodes import Mapping, Node, Scalar, got
from allowsync.model.target import installation_of
from allowsync.text import abridge, printable, quote

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterator


class Invalid(Enum):
    """The result of parsing an invalid value: its problem is already noted."""

    INVALID = "invalid"


INVALID: Final = Invalid.INVALID

SYSTEM: Final = Path("/")

Entries: TypeAlias = dict[str, tuple[Scalar, Node]]


class Reading:
    """Collects every problem of one configuration.

    Attributes:
        source: The file, as problems name it.
        root: The root of the target system; another than `/` while an image is built.
        folder: The file's absolute folder there: the base of relative paths in the file.
        environ: The source of secrets named by an environment variable.
        uid: The user who reads; for 0, file permissions are checked.
    """

    def __init__(
        self,
        source: Path,
        *,
        environ: collections.abc.Mapping[str, str] | None = None,
        uid: int | None = None,
        root: Path = SYSTEM,
    ) -> None:
        self.source = source
        self.root = root
        folder = Path(os.path.abspath(source)).parent  # noqa: PTH100 - `..` must not follow links
        self.folder = SYSTEM / folder.relative_to(root) if root != SYSTEM else folder
        self.environ = environ if environ is not None else {}
        self.uid = os.geteuid() if uid is None else uid
        self._problems: list[tuple[int, Problem]] = []
        self._missing: list[str] | None = None

    def here(self, path: Path) -> Path:
        """The path here of a file of the target system."""
        return self.root / path.relative_to(SYSTEM) if self.root != SYSTEM else path

    @property
    def installation(self) -> str:
        """The identifier that tells this configuration from others on the machine."""
        return installation_of(os.fsencode(self.folder / self.source.name))

    def problem(self, place: Node | int, at: str, what: str) -> Invalid:
        """Note a problem at a node's line (0: of the file as a whole). Returns INVALID."""
        line = place if isinstance(place, int) else place.line
        self._problems.append((line, Problem(self._where(line, at), abridge(what))))
        return INVALID

    @contextmanager
    def missing_secrets(self) -> Iterator[list[str]]:
        """Collect the unreadable secrets in this context, instead of reporting problems.

        The configuration is valid without them; only what needs them fails.
        """
        self._missing = []
        try:
            yield self._missing
        finally:
            self._missing = None

    def missing(self, node: Node, at: str, what: str) -> str:
        """Note an unreadable secret and return the message; empty if it is to be a problem."""
        if self._missing is None:
            return ""
        self._missing.append(f"{self._where(node.line, at)}: {abridge(what)}")
        return self._missing[-1]

    def _where(self, line: int, at: str) -> str:
        where = f"{self.source}:{line}" if line else str(self.source)
        return printable(f"{where}: {at}" if at else where)

    def adopt(self, place: Node, other: Reading) -> None:
        """Take over the problems of another file, at the line of the node that names it."""
        self._problems += [(place.line, one) for one in other.problems]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems found so far, in the order of the file, without duplicates."""
        in_order = sorted(self._problems, key=lambda noted: noted[0])
        return tuple(dict.fromkeys(problem for _, problem in in_order))

    def finish(self) -> None:
        """Raise ConfigError if there are problems."""
        if self._problems:
            raise ConfigError(self.problems)

    def entries(self, node: Node, at: str, expected: str) -> Entries | Invalid:
        """A mapping's entries by key, with a problem for each key that is no text or a duplicate.

        Keys keep the text they are written with, whatever its YAML type: a host may be called `no`,
        `null` or `1`. Of duplicate keys the first stays.
        """
        if not isinstance(node, Mapping):
            return self.problem(node, at, f"expected {expected}, got {got(node)}")
        found: Entries = {}
        for key, value in node.entries:
            if not isinstance(key, Scalar) or not key.text:
                self.problem(key, at, f"expected a name as key, got {got(key)}")
            elif key.text in found:
                first = found[key.text][0].line
                self.problem(
                    key, at, f"{quote(key.text)} is a duplicate key (first in line {first})"
                )
            else:
                found[key.text] = (key, value)
        return found


def below(at: str, key: str) -> str:
    """The path of a key inside a mapping, safe to show."""
    step = abridge(key, 60)
    return f"{at}.{step}" if at else step
