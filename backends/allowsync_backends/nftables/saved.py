"""Gates and elements of ours in the files that nft loads at boot: an outdated state."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Place, Severity
from allowsync.text import counted
from allowsync_backends.common import saved_rules
from allowsync_backends.common.saved_rules import ALLOWLIST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from allowsync_backends.common.saved_rules import SavedFile

_NAMED: Final = re.compile(
    r"(?:\b(add|create|insert|replace|delete|destroy|flush)\s+)?"
    r"\b(table|chain|set|rule|element|map|counter)\s+inet\s+"
    rf"(allowsync_{ALLOWLIST})(?![a-zA-Z0-9_./-])"
)
_ELEMENT: Final = re.compile(rf'\bcomment\s+"allowsync:({ALLOWLIST})"')
# The start of a table as `nft list ruleset` prints it.
_BLOCK: Final = "^table inet {} {{$"


def at_boot(configured: Collection[Place]) -> Iterator[Finding]:
    """Report the state of gates and sets at the next boot, by files that other programs saved.

    Args:
        configured: The places of targets.
    """
    found = list(saved_rules.nft_files())
    yield from saved_rules.unreadable(found)
    saved = {table for file in found for table in _tables(file)}
    for file in found:
        for table in sorted(_tables(file)):
            yield _gate(file, table, known=Place("nftables table", ("inet", table)) in configured)
        for table in sorted(_needed(file) - saved):
            yield Finding(
                Severity.ERROR,
                f"{file} names table inet {table}, which does not exist at boot: nothing of the "
                "file is loaded then, your own rules neither",
                "take out what names it: allowsync puts up its gate itself",
            )
        yield from _elements(file)


def _tables(file: SavedFile) -> set[str]:
    """Return the tables of ours that a file creates."""
    return {
        table
        for verb, kind, table in _named(file)
        if kind == "table" and verb in ("", "add", "create")
    }


def _named(file: SavedFile) -> list[tuple[str, str, str]]:
    """Return the mentions of our tables: the verb, the kind of object, and the table."""
    lines = (line for line in file.text.splitlines() if "allowsync_" in line)
    return [found for line in lines for found in _NAMED.findall(line)]


def _needed(file: SavedFile) -> set[str]:
    """Return the tables of ours without which a file cannot be loaded."""
    return {
        table
        for verb, kind, table in _named(file)
        if verb != "destroy" and (kind != "table" or verb in ("delete", "flush"))
    }


def _gate(file: SavedFile, table: str, *, known: bool) -> Finding:
    what = f"{file} holds the gate inet {table} as it was when it was saved: "
    if known:
        what += "at boot it is active with the addresses of that day, until allowsync restores it"
    else:
        what += "at boot it is active again, though no target has it, and blocks hosts that moved"
    command = "take it out of the file"
    if re.search(_BLOCK.format(table), file.text, re.MULTILINE):
        place = shlex.quote(str(file.path))
        command += f": sed -i '/{_BLOCK.format(table)}/,/^}}/d' {place}"
    return Finding(Severity.WARNING, what, command)


def _elements(file: SavedFile) -> Iterator[Finding]:
    for allowlist, number in sorted(Counter(_ELEMENT.findall(file.text)).items()):
        yield Finding(
            Severity.WARNING,
            f"{file} holds {counted(number, 'element')} of allowlist {allowlist} as they were "
            "when they were saved: at boot those addresses are let in, until allowsync takes them "
            "out",
            "leave the elements out of the file: allowsync fills its sets itself",
        )
