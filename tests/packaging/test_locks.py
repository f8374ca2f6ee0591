"""What development installs is locked: each wanted release by its hashes, and one of each."""

from __future__ import annotations

import re
import tomllib
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.documents import ROOT
from tools.lock import FILES

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: Final = PROJECT["dependency-groups"]


def pins(name: str) -> list[Requirement]:
    """What one file pins, whichever Python it is for."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    return [Requirement(re.sub(r"\s*--hash=\S+", "", line)) for line in lines]


def installed(one: Requirement) -> bool:
    """Whether this Python installs it."""
    return one.marker is None or one.marker.evaluate()


def wanted(name: str) -> list[str]:
    """What `pyproject.toml` says that this file has to hold."""
    if name != "run":
        return [line for line in GROUPS[name] if isinstance(line, str)]
    return [*PROJECT["project"]["dependencies"], *GROUPS["build"]]


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_lock_holds_what_the_project_wants(name: str) -> None:
    held = {canonicalize_name(pin.name): pin for pin in pins(name) if installed(pin)}
    for line in wanted(name):
        requirement = Requirement(line)
        if not installed(requirement):
            continue
        pin = held[canonicalize_name(requirement.name)]
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version), f"{line}: run `make lock`"


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_lock_names_hashes_and_no_index(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"index|find-links|://| @ ", text)


def test_one_environment_can_hold_all_locks() -> None:
    chosen: dict[str, set[str]] = {}
    for name in FILES:
        for pin in pins(name):
            if installed(pin):
                chosen.setdefault(pin.name, set()).add(str(pin.specifier))
    assert {name: found for name, found in chosen.items() if len(found) > 1} == {}


def test_every_dependency_group_has_a_lock() -> None:
    within_run = {word.partition("=")[2] for word in FILES["run"] if word.startswith("--group=")}
    assert set(GROUPS) == set(FILES) - {"run"} | within_run
