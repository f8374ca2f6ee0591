"""What README says of the program's size is true of the checkout."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from tests.support.documents import ROOT

README: Final = (ROOT / "README.md").read_text()
NUMBERS: Final = ("six", "seven", "eight", "nine", "ten")


def lines_of(*folders: str) -> int:
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sum(file.read_bytes().count(b"\n") for file in files)


def test_the_lines_are_as_many_as_it_says_within_a_tenth() -> None:
    said = re.search(r"some ([\d,]+) lines of Python, backends included", README)
    assert said is not None
    claimed, counted = int(said[1].replace(",", "")), lines_of("allowsync", "backends")
    assert abs(counted - claimed) <= claimed / 10, f"README says {claimed:,}, not {counted:,}"
    assert lines_of("tests") > counted


def test_the_libraries_are_as_many_as_it_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    number = NUMBERS[len(project["dependencies"]) - 6]
    assert f"Python 3.11 and {number} libraries" in README
