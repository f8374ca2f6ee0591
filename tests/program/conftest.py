"""An installation for every test of the whole program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.support.days import days
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.days import Days


@pytest.fixture
def zones() -> dict[str, object]:
    return {
        "alice.example.org": ["81.2.69.1", "2a01:4f8:1:2::7"],
        "bob.example.org": ["81.2.69.2"],
        "parents.example.org": ["2a01:4f8:9:9::1"],
    }


@pytest.fixture
def here(tmp_path: Path, zones: dict[str, object]) -> Iterator[Installation]:
    with NameServer(zones) as server:
        yield Installation(
            tmp_path,
            server,
            hosts={
                "alice": "alice.example.org",
                "bob": "bob.example.org",
                "parents": {"hostname": "parents.example.org", "ipv6_prefix": 56},
            },
        )


@pytest.fixture
def over_days(here: Installation, capsys: pytest.CaptureFixture[str]) -> Iterator[Days]:
    """Alice and Bob, with one IPv4 address each, and a clock that the test sets."""
    here.hosts = {
        name: {"hostname": f"{name}.example.org", "families": ["ipv4"]} for name in ("alice", "bob")
    }
    with days(here, capsys) as clocked:
        yield clocked
