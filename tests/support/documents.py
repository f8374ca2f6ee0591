"""What the documentation says that can be tried: its code blocks, and the commands it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

# `reference.md` is generated, and not there before `make docs`.
DOCUMENTS: Final = tuple(
    sorted(
        path
        for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
        if path.name != "reference.md"
    )
)

_FENCE: Final = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`((?:sudo )?allowsync [^`\n]+)`")
_LINE: Final = re.compile(r"^(?:\$ )?((?:sudo )?allowsync .+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DocumentBlock:
    """A fenced block: its document relative to the project, its line, its language, its text."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(language: str) -> list[DocumentBlock]:
    """Every fenced block in a language, over all documents."""
    return [one for path in DOCUMENTS for one in blocks_of(path) if one.language == language]


def blocks_of(path: Path) -> list[DocumentBlock]:
    """Every fenced block of a document, without the indentation of its fence."""
    text = path.read_text()
    return [
        DocumentBlock(
            str(path.relative_to(ROOT)),
            text.count("\n", 0, match.start()) + 1,
            match[2],
            re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE),
        )
        for match in _FENCE.finditer(text)
    ]


def command_lines() -> list[tuple[str, str]]:
    """Every `allowsync …` in inline code or a console block, with the document it is in."""
    found = [
        (str(path.relative_to(ROOT)), match[1])
        for path in DOCUMENTS
        for match in _INLINE.finditer(path.read_text())
    ]
    consoles = (one for language in ("console", "sh") for one in blocks(language))
    found += [(str(one), match[1]) for one in consoles for match in _LINE.finditer(one.text)]
    return sorted(set(found))
