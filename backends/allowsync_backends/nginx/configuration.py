"""What nginx's configuration says, as `nginx -T` prints it. Pure.

It is read as far as it takes to see where a file is included and what stands beside it. Of what
other modules bring along, such as scripts in braces, nothing is understood and nothing is said.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FILE: Final = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)

# A word may hold `${name}` and quotes after its beginning; `#` begins a comment only before a word.
_TOKEN: Final = re.compile(
    r"""\s+ | \#[^\n]*
      | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
      | (?P<mark>[{};])
      | (?P<word>(?:\\.|\$\{[^}]*\}|[^\s{};\\])+)
      | .
    """,
    re.VERBOSE | re.DOTALL,
)
_WILD: Final = re.compile(r"[*?[]")  # what makes a path a pattern (ngx_conf_include)
_DEEPEST: Final = 10  # files that include files; nginx itself takes no circle of them


class NginxDirective(Value):
    """One directive.

    Attributes:
        file: Where it is written.
        words: Its name and arguments, without quotes.
        block: What is in its braces; empty where it has none.
        pattern: Where it includes our file by a pattern: that pattern.
    """

    file: str
    words: tuple[str, ...]
    block: tuple[NginxDirective, ...] = ()
    pattern: str = ""

    @property
    def name(self) -> str:
        """What it is about."""
        return self.words[0]

    @property
    def text(self) -> str:
        """Its text for people: `location /web`."""
        return " ".join(self.words)


class DirectivePlace(Value):
    """Where a file is included.

    Attributes:
        around: The blocks around it, from the outermost.
        siblings: All that is in the innermost of them, or in the main configuration.
        at: Which of these it is.
    """

    around: tuple[NginxDirective, ...]
    siblings: tuple[NginxDirective, ...]
    at: int


def files(dump: str) -> dict[str, str]:
    """The files of a configuration by their paths, the main one first."""
    parts = _FILE.split(dump)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parsed(text: str, file: str) -> tuple[NginxDirective, ...]:
    """The directives of one file. What is left open at its end is closed there."""
    stack: list[tuple[tuple[str, ...], list[NginxDirective]]] = [((), [])]
    words: list[str] = []

    def end() -> None:
        if len(stack) > 1:
            opened, block = stack.pop()
            stack[-1][1].append(NginxDirective(file, opened, tuple(block)))

    for token in _TOKEN.finditer(text):
        match token["mark"]:
            case "{":
                stack.append((tuple(words) or ("",), []))
                words = []
            case ";" | "}" as mark:
                if words:
                    stack[-1][1].append(NginxDirective(file, tuple(words)))
                    words = []
                if mark == "}":
                    end()
            case _:
                said = [one for one in token.group("double", "single", "word") if one is not None]
                words += said
    while len(stack) > 1:
        end()
    return tuple(stack[0][1])


def tree(texts: Mapping[str, str], path: str) -> tuple[NginxDirective, ...]:
    """A whole configuration, other files in the place of what includes them.

    Only what includes our own file stays, as `include` and its path.
    """
    main = next(iter(texts), "")
    trees = {file: parsed(text, file) for file, text in texts.items() if file != path}
    folder = PurePosixPath(main).parent

    def included(one: NginxDirective) -> list[str]:
        pattern = str(folder / one.words[-1])
        return sorted(file for file in (*trees, path) if PurePosixPath(file).match(pattern))

    def whole(directives: Iterable[NginxDirective], depth: int) -> Iterator[NginxDirective]:
        for one in directives:
            if one.name != "include":
                yield NginxDirective(one.file, one.words, tuple(whole(one.block, depth)))
                continue
            for file in included(one) if depth else ():
                if file == path:
                    written = one.words[-1]
                    pattern = written if _WILD.search(written) else ""
                    yield NginxDirective(one.file, ("include", path), pattern=pattern)
                else:
                    yield from whole(trees[file], depth - 1)

    return tuple(whole(trees.get(main, ()), _DEEPEST))


def places(
    directives: tuple[NginxDirective, ...], path: str, around: tuple[NginxDirective, ...] = ()
) -> Iterator[DirectivePlace]:
    """Everywhere in a whole configuration where our file is included."""
    for at, one in enumerate(directives):
        if one.words == ("include", path):
            yield DirectivePlace(around, directives, at)
        yield from places(one.block, path, (*around, one))


def walk(directives: Iterable[NginxDirective]) -> Iterator[NginxDirective]:
    """All directives, each before those in its block."""
    for one in directives:
        yield one
        yield from walk(one.block)
