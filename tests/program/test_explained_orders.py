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
    assert "- office is revoked; to allow it again: allowsync approve office" in told.out
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


def test_ports_that_are_open_in_one_way_are_one_line_of_the_status(
    as_root: None, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    ports = ["8096/tcp", "443/tcp"]
    document = {
        "hosts": {"office": {"networks": [OFFICE]}},
        "allowlists": {"x": {"targets": [{"nftables": {"ports": ports}}]}},
        "state": str(tmp_path / "state" / "state.db"),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    with Namespace() as namespace:
        with_uplink(namespace)
        assert namespace.run(allowsync, "apply", "--config", config).code == 0
        assert namespace.run(allowsync, "clear", "--yes", "--config", config).code == 0
        told = namespace.run(allowsync, "status", "--config", config)
    assert told.code == 1
    everyone = "are open to everyone over IPv4 and IPv6 by eth0: no rule keeps them out"
    assert [one for one in told.err.splitlines() if "open to" in one] == [
        f"x/nftables: 8096/tcp, 443/tcp {everyone}"
    ]
