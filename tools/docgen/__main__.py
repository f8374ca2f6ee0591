"""`python -m tools.docgen docs FOLDER`, or `… man FOLDER`: write the pages."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from allowsync.config import json_schema
from allowsync.config.reference import markdown as reference
from tools.docgen.markdown import commands_page
from tools.docgen.pages import manual_pages


def documents() -> dict[str, str]:
    """What of the documentation is made from the program, by the name of its file."""
    return {
        "reference.md": reference(),
        "commands.md": commands_page(),
        "schema.json": json.dumps(json_schema(), indent=2) + "\n",
    }


def pages() -> dict[str, str]:
    """The manual pages, of today, or of the day that SOURCE_DATE_EPOCH names.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    now = datetime.now(UTC).timestamp()
    epoch = float(os.environ.get("SOURCE_DATE_EPOCH", now))
    return manual_pages(datetime.fromtimestamp(epoch, UTC).date())


def main(what: str, folder: Path) -> None:
    """Write the manual pages or the documents into a folder, which is made if it is not there."""
    made = {"docs": documents, "man": pages}[what]()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
