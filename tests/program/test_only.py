"""`apply --only`: one allowlist, or one target of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Installation


@pytest.fixture
def both(here: Installation) -> Installation:
    """An installation with two files; the reader of the second is not running yet."""
    here.targets = [
        {"file": {"name": "first", "path": str(first(here))}},
        {"file": {"name": "second", "path": str(here.file), "reload": ["false"]}},
    ]
    return here


def first(here: Installation) -> Path:
    return here.folder / "first.txt"


def test_a_single_target_is_looked_at_alone(both: Installation) -> None:
    done = both("apply --only web/first")
    assert (done.code, done.err) == (0, "")
    assert "81.2.69.1/32" in first(both).read_text()
    assert not both.file.exists()
    assert "web/second" not in done.out


def test_what_cannot_be_told_yet_is_nothing_to_a_target_restored_beside_it(
    both: Installation,
) -> None:
    both("apply")
    first(both).unlink()
    assert both("apply --offline").code == 1
    first(both).unlink()
    assert both("apply --offline --only web/first").code == 0
    assert "81.2.69.1/32" in first(both).read_text()


def test_neither_an_allowlist_nor_a_target_is_a_mistake(both: Installation) -> None:
    done = both("apply --only web/frist")
    assert (done.code, done.out) == (2, "")
    assert "there is no allowlist or target 'web/frist' (did you mean 'web/first'?)" in done.err


def test_a_host_taken_off_one_of_two_allowlists_is_not_said_to_have_moved(
    here: Installation,
) -> None:
    def lists(*admins: str) -> dict[str, object]:
        web = {"targets": [{"file": {"path": str(here.file)}}]}
        admin = {"hosts": list(admins), "targets": [{"file": {"path": str(first(here))}}]}
        return {"web": web, "admin": admin}

    here.hosts["bob"] = {"networks": ["81.2.70.1"]}
    for admins in (("alice", "bob"), ("bob",)):
        here.more["allowlists"] = lists(*admins)
        done = here("apply")
        assert done.code == 0, done.err
    assert "alice is no longer allowed here" in done.out
    assert "moved to" not in done.out
