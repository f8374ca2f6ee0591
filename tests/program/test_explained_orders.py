"""`explain` of hosts whose access was granted or revoked by command, at a real gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.program import ProgramResult

pytestmark = pytest.mark.root

OFFICE, GUEST = "81.2.69.142", "91.64.10.7"


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Callable[..., ProgramResult]]:
    config = tmp_path / "config.yaml"
    document = {
        "hosts": {"office": {"networks": [OFFICE]}, "home": {"networks": ["81.2.69.7"]}},
        "allowlists": {
            "x": {"hosts": ["office", "home"], "targets": [{"nftables": {"ports": ["8096/tcp"]}}]}
        },
        "state": str(tmp_path / "state" / "state.db"),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    with Namespace() as namespace:
        with_uplink(namespace)

        def run(*arguments: str) -> ProgramResult:
            return namespace.run(allowsync, *arguments, "--config", config)

        assert run("apply").code == 0
        yield run


def test_a_revoked_host_is_not_allowed_and_its_address_names_the_approval(
    inside: Callable[..., ProgramResult],
) -> None:
    assert inside("revoke", "office").code == 0
    told = inside("explain", "office")
    assert told.code == 0
    assert told.out.splitlines()[:2] == ["office is not allowed", "  x/nftables  not allowed"]
    told = inside("explain", OFFICE)
    assert "- office is revoked; to let it in again: allowsync approve office" in told.out
    assert "allowsync grant" not in told.out


def test_a_host_without_an_address_gets_in_where_any_stranger_does(
    inside: Callable[..., ProgramResult],
) -> None:
    assert inside("revoke", "office").code == 0
    assert inside("clear", "--yes").code == 0
    told = inside("explain", "office")
    assert "office is allowed" in told.out.splitlines()
    assert "in no entry, and gets in" in told.out


def test_a_guest_belongs_to_the_allowlists_of_its_grant(
    inside: Callable[..., ProgramResult],
) -> None:
    assert inside("grant", GUEST, "--as", "guest").code == 0
    assert inside("clear", "--yes").code == 0
    for asked in ("guest", GUEST):
        said = inside("explain", asked).out
        assert "not among the hosts" not in said
        assert "removed from the configuration" not in said
        assert "it is out of sync: see allowsync status" in said
