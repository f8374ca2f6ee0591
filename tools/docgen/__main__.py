"""`python -m tools.docgen docs FOLDER`, or `… man FOLDER`: write the pages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from allowsync.config import json_schema
from tools.docgen.pictures import flow_picture, packages_picture
from tools.docgen.reference import markdown as reference
from tools.docgen.screens import dry_run_picture, status_picture


def documents() -> dict[str, str]:
    """The documents made from the program, by the names of their files."""
    return {
        "reference.md": reference(),
        "packages.svg": packages_picture(),
        "flow.svg": flow_picture(),
        "dry-run.svg": dry_run_picture(),
        "status-page.svg": status_picture(),
        "schema.json": json.dumps(json_schema(), indent=2) + "\n",
    }


def main(what: str, folder: Path) -> None:
    """Write the manual pages or the documents into a folder, which is made if it is not there."""
    if what == "man":
        from tools.docgen.manual import manual_pages

        made = manual_pages()
    else:
        made = documents()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
