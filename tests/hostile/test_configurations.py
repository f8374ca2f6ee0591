"""Configurations that mean harm: loaded or refused in words that can be printed; nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from allowsync.config import ConfigError, load
from allowsync.config.schema import yaml_loader as yaml12
from tests.hostile.corpus import PLACES, SHAPE, SHAPES, VALUES, configurations
from tests.support.configuring import HOME, SOMEBODY, written
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 2000  # characters of one problem, its path included


def said_of(folder: Path, content: bytes) -> list[str]:
    """What there is to say about a configuration; nothing when it is believed."""
    try:
        config = load(written(folder, content), environ=HOME, uid=SOMEBODY)
    except ConfigError as error:
        return [str(one) for one in error.problems] or ["\0"]
    for name in (*config.hosts, *config.allowlists, *(one.name for one in config.targets)):
        assert name.isprintable(), "a name that would end up on somebody's terminal"
        assert not name.startswith("-"), "a name that a program would take for an option"
    return []


@pytest.mark.parametrize("loader", ["SafeLoader", "CSafeLoader"])
@pytest.mark.parametrize("place", [*PLACES, SHAPE])
def test_harm_is_refused_or_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, loader: str
) -> None:
    monkeypatch.setattr(yaml12, "LOADER", getattr(yaml, loader, yaml.SafeLoader))
    planted = tmp_path / "planted"
    corpus = configurations(str(planted))
    mine = {name: content for name, content in corpus.items() if name.startswith(f"{place}: ")}
    assert mine
    for name, content in mine.items():
        for problem in said_of(tmp_path, content):
            assert problem.isprintable(), name
            assert len(problem) < LONGEST, name
        assert not planted.exists(), name
    record("hostile_inputs", where=f"{place} ({loader})", count=len(mine), tracebacks=0)


# A host may be called so.
FOR_HOSTS = {"nothing", "a huge number", "more time than there is", "the last day of all"}
REFUSED = [
    *(f"{SHAPE}: {name}" for name in SHAPES),
    *(f"a host's name: {name}" for name in VALUES if name not in FOR_HOSTS),
    *(f"a hostname: {name}" for name in VALUES),
    *(f"fixed networks: {name}" for name in VALUES),
    *(f"an allowlist's name: {name}" for name in VALUES),
    *(f"a port: {name}" for name in VALUES),
    *(f"an unknown key: {name}" for name in VALUES),
    *(f"a key of resolver: {name}" for name in VALUES),
    *(f"an option of a target: {name}" for name in VALUES),
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_make_no_sense_is_refused(tmp_path: Path, name: str) -> None:
    content = configurations(str(tmp_path / "planted"))[name]
    assert said_of(tmp_path, content)
