"""Hosts in JSON Lines (jsonlines.org): one object a line, with the schema of `hosts`.

A file is read as a whole or not at all.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from allowsync.config.hosts import LABEL
from allowsync.config.hosts_from import HostsFile, content_of
from allowsync.config.kinds import INVALID, Reading
from allowsync.config.schema.nodes import Scalar, ScalarType, from_plain, got
from allowsync.config.secure_file import RefusedError, digest_of
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from allowsync.config.hosts import Hosts
    from allowsync.config.schema.nodes import Node
    from allowsync.model.types import Host

MOST_HOSTS: Final = 100_000
LONGEST_LINE: Final = 64 * 1024  # characters
MOST_PROBLEMS: Final = 20


class HostLines:
    """Reads hosts from the lines of a file.

    Args:
        path: The file.
        reader: Reads a single host.
        known: The names of the hosts of the configuration itself.
        outer: The reading of the configuration, which takes over the problems.
    """

    def __init__(self, path: Path, reader: Hosts, known: Collection[str], outer: Reading) -> None:
        self.path = path
        self.reader = reader
        self.known = known
        self.outer = outer
        self.reading = Reading(path, environ=outer.environ, uid=outer.uid)
        self.hosts: dict[str, Host] = {}
        self.lines: dict[str, int] = {}

    def read(self, place: Node, at: str) -> HostsFile | None:
        """Read the file; None if it is not used, with a problem noted.

        Then `hosts` has the hosts, and `lines` the line of each name.

        Args:
            place: The node that names the file.
            at: The path of that node.
        """
        try:
            content = content_of(self.outer.here(self.path), self.outer.uid)
        except RefusedError as refused:
            self.outer.problem(place, at, f"{self.path}: {refused}")
            return None
        self.take(content)
        self.outer.adopt(place, self.reading)
        return None if self.reading.problems else HostsFile(digest_of(content), len(self.hosts))

    def take(self, content: bytes) -> None:
        """Read the content of the file; problems are noted in `reading`."""
        try:
            lines = content.decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            place = content.count(b"\n", 0, error.start) + 1
            self.reading.problem(place, "", f"not UTF-8 text (byte 0x{content[error.start]:02x})")
            return
        wrong = 0
        for number, line in enumerate(lines, start=1):
            if line and not line.isspace():
                wrong += not self._is_taken(line, number)
            if wrong >= MOST_PROBLEMS or len(self.lines) > MOST_HOSTS:
                break
        if len(self.lines) > MOST_HOSTS:
            self.reading.problem(0, "", f"more than {MOST_HOSTS} hosts")
        elif not self.lines and not wrong:
            self.reading.problem(0, "", "expected at least one host")

    def _is_taken(self, line: str, number: int) -> bool:
        """Whether a line holds a valid host; otherwise a problem is noted."""
        written = self._object(line, number)
        name = None if written is None else self._name(written, number)
        if written is None or name is None:
            return False
        host = self.reader.host(name, _node(written, number), name, self.reading)
        if host is INVALID:
            return False
        self.hosts[name] = host
        return True

    def _object(self, line: str, number: int) -> dict[str, Any] | None:
        if len(line) > LONGEST_LINE:
            self.reading.problem(number, "", f"a line of more than {LONGEST_LINE} characters")
            return None
        try:
            written = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            self.reading.problem(number, "", _no_json(error))
            return None
        if isinstance(written, dict):
            return written
        what = f"expected an object with `name`, got {got(from_plain(written))}"
        self.reading.problem(number, "", what)
        return None

    def _name(self, written: dict[str, Any], number: int) -> str | None:
        """Take the name out of a host's object; None with a problem noted."""
        if "name" not in written:
            self.reading.problem(number, "", f"'name' is missing: expected {LABEL.expected}")
            return None
        name = LABEL.parse(from_plain(written.pop("name"), number), "name", self.reading)
        if name is INVALID:
            return None
        if name in self.known:
            what = f"{quote(name)} is a duplicate: the configuration has it under hosts"
        elif (first := self.lines.setdefault(name, number)) != number:
            what = f"{quote(name)} is a duplicate (first in line {first})"
        else:
            return name
        self.reading.problem(number, "", what)
        return None


def _node(written: dict[str, Any], line: int) -> Node:
    """A host's node as under `hosts`: the short form if it has only a hostname."""
    hostname = written.get("hostname")
    if len(written) == 1 and isinstance(hostname, str):
        return Scalar(hostname, ScalarType.TEXT, line)
    return from_plain(written, line)


def _no_json(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error.msg} (column {error.colno})"
    return f"not valid JSON: {error}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refused)
