"""nginx's configuration, parsed from `nginx -T`. Pure.

It is parsed as far as needed to find the includes of a file and the directives beside them. Syntax
of other modules, such as scripts in braces, is ignored.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FILE: Final = re.compile(r"^# configuration file (/.*):$", re.MULTILINE)

# A word may contain `${name}` and quotes after its start; `#` starts a comment only before a word.
_TOKEN: Final = re.compile(
    r"""\s+ | \#[^\n]*
      | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
      | (?P<mark>[{};])
      | (?P<word>(?:\\.|\$\{[^}]*\}|[^\s{};\\])+)
      | .
    """,
    re.VERBOSE | re.DOTALL,
)
_WILD: Final = re.compile(r"[*?[]")  # characters of a pattern (ngx_conf_include)
_DEEPEST: Final = 10  # nested includes; nginx itself refuses a circle


class NginxDirective(Value):
    """One directive.

    Attributes:
        file: Its file.
        words: Its name and arguments, without quotes.
        block: The directives in its braces; empty where it has none.
        pattern: The pattern by which it includes our file, if it does so by one.
    """

    file: str
    words: tuple[str, ...]
    block: tuple[NginxDirective, ...] = ()
    pattern: str = ""

    @property
    def name(self) -> str:
        """The name of the directive."""
        return self.words[0]

    @property
    def text(self) -> str:
        """Its text for people: `location /web`."""
        return " ".join(self.words)


class DirectivePlace(Value):
    """A place where a file is included.

    Attributes:
        around: The blocks around it, from the outermost.
        siblings: All directives of the innermost of them, or of the main configuration.
        at: Its index among these.
    """

    around: tuple[NginxDirective, ...]
    siblings: tuple[NginxDirective, ...]
    at: int


def files(dump: str) -> dict[str, str]:
    """Return the files of a configuration by their paths, the main one first."""
    parts = _FILE.split(dump)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parsed(text: str, file: str) -> tuple[NginxDirective, ...]:
    """Parse one file. A block open at its end is closed there."""
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
    """Return a whole configuration, with other files in place of their includes.

    Only includes of our own file stay, as `include` and its path.
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
    """Yield every place of a whole configuration that includes our file."""
    for at, one in enumerate(directives):
        if one.words == ("include", path):
            yield DirectivePlace(around, directives, at)
        yield from places(one.block, path, (*around, one))


def walk(directives: Iterable[NginxDirective]) -> Iterator[NginxDirective]:
    """Yield all directives, each before those in its block."""
    for one in directives:
        yield one
        yield from walk(one.block)
