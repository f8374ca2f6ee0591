"""A hook of mkdocs: publishes the source files that pages link to, as text beside the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

_ROOT: Final = Path(__file__).resolve().parents[2]
_LINK: Final = re.compile(r"\]\(\.\./((?:allowsync|backends)/[\w/]+\.py)\)")


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add each source file that a page links to."""
    pages = [one.content_string for one in files.documentation_pages()]
    for path in sorted({path for page in pages for path in _LINK.findall(page)}):
        files.append(File.generated(config, f"{path}.txt", content=(_ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point the links of a page at those files."""
    return _LINK.sub(r"](\1.txt)", markdown)
