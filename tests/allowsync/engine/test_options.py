"""What a run looks at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from allowsync.backend.api import API, BackendType
from allowsync.config.fleet import Fleet, StoreOptions
from allowsync.config.settings import Allowlist, Config, Target
from allowsync.engine.options import Request
from allowsync.model.types import Family, Host
from allowsync.model.value import replace


@pytest.mark.parametrize(
    ("only", "targets", "allowlists"),
    [
        ((), {"web/nftables", "web/file", "web2/file"}, {"web", "web2"}),
        (("web",), {"web/nftables", "web/file"}, {"web"}),
        (("web/file",), {"web/file"}, {"web"}),
        (("web/file", "web2"), {"web/file", "web2/file"}, {"web", "web2"}),
        (("web/fil", "file"), set(), {"web"}),
        (("web2/file",), {"web2/file"}, {"web2"}),
    ],
)
def test_an_allowlist_or_a_single_target_may_be_asked_for(
    only: tuple[str, ...], targets: set[str], allowlists: set[str]
) -> None:
    request = Request(only)
    every = {"web": ("web/nftables", "web/file"), "web2": ("web2/file",)}
    covered = {one for name, own in every.items() for one in own if request.covers(name, one)}
    assert covered == targets
    assert {name for name in every if request.covers(name)} == allowlists


def test_nothing_is_asked_for_unasked() -> None:
    assert Request(ordered=True) != Request()
    special = (
        *(Request(("web",)), Request(force=True), Request(offline=True)),
        *(Request(dry_run=True), Request(confirming=True)),
    )
    asked = {(one.force, one.offline, one.dry_run, one.confirming) for one in special}
    assert len(asked) == 5
    assert not any(one == Request() for one in special)


def test_who_forces_or_is_there_to_confirm_insists() -> None:
    assert Request(force=True).insists
    assert Request(confirming=True).insists
    assert not Request(offline=True).insists


HOSTS = {
    "alice": Host("alice", ("alice.example.org",), families=(Family.IPV4,)),
    "bob": Host("bob", ("bob.example.org",), until=datetime(2020, 1, 1, tzinfo=UTC)),
    "carol": Host("carol", ("carol.example.org",), families=(Family.IPV6,)),
    "edge": Host("edge", ("edge.example.org",), sources=("cloudflare",)),
}


def config(*lists: tuple[str, ...]) -> Config:
    allowlists = {f"list{n}": Allowlist(f"list{n}", hosts, ()) for n, hosts in enumerate(lists)}
    return Config(Path("config.yaml"), HOSTS, allowlists, Path("state.db"))


@pytest.mark.parametrize(
    ("request_", "hosts"),
    [
        (Request(), ["alice", "carol"]),
        (Request(("list1",)), ["carol"]),
        (Request(dry_run=True), ["alice", "carol"]),
        (Request(offline=True), []),
    ],
)
def test_hosts_that_have_no_end_are_sure_to_be_asked_for(
    request_: Request, hosts: list[str]
) -> None:
    foreseen = request_.foreseen(config(("alice",), ("carol",)))
    assert [one.hostname for one in foreseen] == [f"{name}.example.org" for name in hosts]


@pytest.mark.parametrize("unsure", ["bob", "edge"])
def test_nothing_is_asked_ahead_where_an_end_or_networks_come_first(unsure: str) -> None:
    lists = config(("alice", unsure), ("carol",))
    assert Request().foreseen(lists) == []
    assert len(Request(("list1",)).foreseen(lists)) == 1


class Naming:
    """Options of a target that goes by networks of a source."""

    sources = ("cloudflare",)


def test_nothing_is_asked_ahead_where_networks_of_a_target_come_first() -> None:
    kind: BackendType[Any] = BackendType("x", "X", Naming, lambda _, options: options, api=API)
    lists = config(("alice",), ("carol",))
    target = Target("list0/x", "list0", kind, Naming())
    lists = replace(
        lists,
        allowlists={
            **lists.allowlists,
            "list0": Allowlist("list0", ("alice",), (target,)),
        },
    )
    assert Request().foreseen(lists) == []
    assert len(Request(("list1",)).foreseen(lists)) == 1


def test_in_a_fleet_nothing_is_asked_ahead() -> None:
    """It is not known yet which machine decides."""
    lists = config(("alice",), ("carol",))
    fleet = Fleet("home", StoreOptions(file=Path("/srv/allowsync")), ("ed25519:key",))
    assert Request().foreseen(replace(lists, fleet=fleet)) == []
