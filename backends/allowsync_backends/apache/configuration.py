"""Apache's configuration: its dump of files and modules, and the directives in them. Pure.

The files are read for a few mistakes that would admit strangers, and no further than that takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE: Final = re.compile(r"\s+\((?:\*|\d+)\) (?P<path>/.*)")
_MODULE: Final = re.compile(r" (?P<name>\w+_module) \((?:static|shared)\)")
_TRUSTED: Final = re.compile(r"remoteip(?:internal|trusted)proxy(?:list)?")

# Of several conditions in a section one is enough, unless it is <RequireAll> (mod_authz_core).
_TOGETHER: Final = "requireall"
_EITHER: Final = "requireany"
_CONTAINERS: Final = (_EITHER, "requirenone", _TOGETHER)
_ALL: Final = ("all", "granted")


class Dump(Value):
    """The files a configuration is read from, in order, and its modules."""

    files: tuple[str, ...]
    modules: frozenset[str]


def dump(text: str) -> Dump:
    """Parse the output of `-t -D DUMP_INCLUDES -D DUMP_MODULES`."""
    files = (match["path"] for match in map(_FILE.fullmatch, text.splitlines()) if match)
    modules = (match["name"] for match in map(_MODULE.fullmatch, text.splitlines()) if match)
    return Dump(tuple(dict.fromkeys(files)), frozenset(modules))


class ApacheDirective(Value):
    """One directive: its place, its words without quotes, and its text."""

    place: str
    words: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """The directive's or section's name, in lower case."""
        return self.words[0].rstrip(">").lower()


def trusts_anybody(texts: Mapping[str, str]) -> bool:
    """Whether a header sets the client address without a check of its sender (mod_remoteip)."""
    names = {one.name for file, text in texts.items() for one in directives(file, text)}
    return "remoteipheader" in names and not any(map(_TRUSTED.fullmatch, names))


def optional(texts: Mapping[str, str], path: str) -> Iterator[str]:
    """Yield the places where a file is included, but may be missing."""
    for file, text in texts.items():
        for one in directives(file, text):
            if one.name == "includeoptional" and _includes(one, path):
                yield one.place


def alternatives(texts: Mapping[str, str], path: str) -> Iterator[ApacheDirective]:
    """Yield conditions that admit a client outside our file, because one of both is enough.

    Args:
        texts: The files of the configuration by their paths.
        path: Our file.
    """
    for file, text in texts.items():
        if file != path:
            yield from _beside(file, text, path)


def excluding(texts: Mapping[str, str], path: str) -> Iterator[ApacheDirective]:
    """Yield each <RequireNone> around our file: it refuses the listed clients."""
    for file, text in texts.items():
        within: list[ApacheDirective] = []
        for one in directives(file, text):
            if one.name.startswith("</"):
                del within[-1:]
            elif one.name.startswith("<"):
                within.append(one)
            elif _includes(one, path):
                yield from (it for it in within if it.name == "<requirenone")


@dataclass(slots=True)
class _OpenSection:
    """A section being read: its first line, its conditions, and whether ours is among them."""

    began: ApacheDirective
    others: list[ApacheDirective] = field(default_factory=list)
    ours: bool = False


def _beside(file: str, text: str, path: str) -> Iterator[ApacheDirective]:
    sections: list[_OpenSection] = []
    for one in directives(file, text):
        if one.name.startswith("</"):
            if sections:
                yield from _ended(sections.pop(), sections)
        elif one.name.startswith("<"):
            sections.append(_OpenSection(one))
        elif sections and one.name == "require":
            sections[-1].others.append(one)
        elif sections and _includes(one, path):
            sections[-1].ours = True


def _ended(section: _OpenSection, around: list[_OpenSection]) -> Iterator[ApacheDirective]:
    """Yield the alternatives in a closed section, which may be a condition of the outer one."""
    name = section.began.name[1:]
    if section.ours and name != _TOGETHER:
        # <RequireAny> is deliberate, unless it admits everyone.
        yield from (one for one in section.others if name != _EITHER or one.words[1:] == _ALL)
    if around and name in _CONTAINERS:
        if section.ours:
            around[-1].ours = True
        else:
            around[-1].others.append(section.began)


def _includes(one: ApacheDirective, path: str) -> bool:
    """Whether it includes a file; a name may be relative, and have wildcards."""
    if one.name not in {"include", "includeoptional"} or len(one.words) != 2:
        return False
    pattern = one.words[1]
    return fnmatchcase(path, pattern if pattern.startswith("/") else f"*/{pattern}")


def directives(file: str, text: str) -> Iterator[ApacheDirective]:
    """Yield the directives; a backslash at its end joins a line with the next one."""
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        joined += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        words = tuple(word.strip("\"'") for word in joined.split())
        if words and not words[0].startswith("#"):
            yield ApacheDirective(f"{file}:{start}", words, joined.strip())
        start, joined = 0, ""
