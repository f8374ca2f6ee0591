"""Pictures of the architecture page: the layers of the packages, and the steps of a run."""

from __future__ import annotations

import re
import tomllib
from html import escape
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_WIDTH: Final = 900
_GAP: Final = 10
_PER_ROW: Final = 5  # steps


def layers() -> list[list[str]]:
    """The packages of each layer by the import contracts, the uppermost layer first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (rows,) = (one["layers"] for one in contracts["contracts"] if one["id"] == "layers")
    return [re.findall(r"allowsync\.(\w+)", row) for row in rows]


def purposes() -> dict[str, str]:
    """What each package is for, by its name: the first table in CONTRIBUTING.md."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("\n| Folder |")[0]
    rows = re.findall(r"^\| `allowsync/(\w+)(?:/|\.py)` \| (.+?) \|$", table, re.MULTILINE)
    return {name: purpose.replace("`", "") for name, purpose in rows}


def steps() -> list[str]:
    """The steps of a run: the headings of the page that follows one."""
    return re.findall(r"^## \d+\. (.+)$", (ROOT / "docs/one-run.md").read_text(), re.MULTILINE)


def packages_picture() -> str:
    """The layers, one below the other, each package with its purpose."""
    purpose, height, parts = purposes(), 44, []
    for number, row in enumerate(layers()):
        width = (_WIDTH - _GAP * (len(row) + 1)) // len(row)
        for column, name in enumerate(row):
            left, top = _GAP + column * (width + _GAP), _GAP + number * (height + _GAP)
            parts.append(_box(left, top, width, height, [name, purpose[name]]))
    return _svg(_GAP + len(layers()) * (height + _GAP), parts)


def flow_picture() -> str:
    """The steps of a run, from left to right, row by row."""
    height, parts = 36, []
    width = (_WIDTH - _GAP * (_PER_ROW + 1)) // _PER_ROW
    for number, step in enumerate(steps()):
        row, column = divmod(number, _PER_ROW)
        left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _GAP)
        parts.append(_box(left, top, width, height, [f"{number + 1}. {step}"]))
    return _svg(_GAP + -(-len(steps()) // _PER_ROW) * (height + _GAP), parts)


def _box(left: int, top: int, width: int, height: int, lines: list[str]) -> str:
    rect = f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
    first = top + height // 2 - 8 * (len(lines) - 1) + 4
    texts = [
        f'<text x="{left + width // 2}" y="{first + 16 * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    return "\n".join([rect, *texts])


def _svg(height: int, parts: list[str]) -> str:
    style = (
        "svg{background:#fff}rect{fill:#e8eef7;stroke:#5b7db1}"
        "text{font:12px sans-serif;text-anchor:middle;fill:#1a1a1a}rect+text{font-weight:bold}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">'
    return "\n".join([head, f"<style>{style}</style>", *parts, "</svg>"]) + "\n"
