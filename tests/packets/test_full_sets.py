"""A set of the user's own ruleset that is full in one family, while the other has room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.netns import Namespace
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import ProgramResult

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

SETS = """
table inet mine {
	set f4 { type ipv4_addr; flags interval; size 2; }
	set f6 { type ipv6_addr; flags interval; size 2; }
}
"""


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with Namespace() as one:
        one.nft(SETS)
        yield one


def applied(inside: Namespace, folder: Path, *alice: str) -> ProgramResult:
    """One run in which alice has some networks, beside bob."""
    places = {"table": "inet mine", "ipv4": "f4", "ipv6": "f6"}
    targets = [{"nftables": {"set": places}}, {"file": {"path": str(folder / "allowed.txt")}}]
    document = {
        "hosts": {"alice": {"networks": list(alice)}, "bob": {"networks": ["81.2.70.9"]}},
        "allowlists": {"web": {"targets": targets}},
        "state": str(folder / "state.db"),
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return inside.run(allowsync, "apply", "--config", path)


def test_a_friend_moves_in_one_run_where_the_set_of_her_family_is_full(
    inside: Namespace, tmp_path: Path
) -> None:
    assert applied(inside, tmp_path, "81.2.69.1").code == 0
    done = applied(inside, tmp_path, "81.2.69.2")
    assert done.code == 0, done.err
    held = inside.command("nft", "list", "set", "inet", "mine", "f4")
    assert "81.2.69.2" in held
    assert "81.2.69.1 " not in held


def test_what_does_not_fit_is_told_by_its_family_and_changes_nothing(
    inside: Namespace, tmp_path: Path
) -> None:
    assert applied(inside, tmp_path, "81.2.69.1").code == 0
    done = applied(inside, tmp_path, "81.2.69.1", "81.2.69.3")
    assert done.code == 1
    assert "web/nftables: skipped: 3 entries of ipv4 do not fit, it holds 2" in done.err
    assert "81.2.69.1 " in inside.command("nft", "list", "set", "inet", "mine", "f4")
