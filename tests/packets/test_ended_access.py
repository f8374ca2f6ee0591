"""A guest network that covers a friend's address, and ends: who is in then, by real packets."""

from __future__ import annotations

import json
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.cli import run_command_line
from allowsync.model.types import Limits
from allowsync.plan.claims import Claims, Situation
from allowsync.plan.limits import limit, limited
from allowsync.plan.planner import planned
from tests.support.days import START, clock_at
from tests.support.gates import GUARDED
from tests.support.internet import FRIEND, FRIEND6, FRIEND_TOO, FRIEND_TOO6, SERVER, SERVER6
from tests.support.probe import IN_VAIN, tcp_answers

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from allowsync.backend.protocols import Backend
    from tests.packets.conftest import GateMaker
    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

WAYS = ((SERVER, FRIEND, FRIEND_TOO), (SERVER6, FRIEND6, FRIEND_TOO6))
GUESTS = {ip_network(one): ("guests",) for one in ("81.2.69.0/24", "2a02:8109:9a40::/48")}
MINUTE = timedelta(minutes=1)
BOBS = {ip_network(one): ("bob",) for one in (FRIEND, "2a02:8109:9a40:1778::/64")}


def enforce(backend: Backend, wanted: Claims, before: Claims, *, ended: bool) -> Claims:
    """Plan and apply as a run does. Returns the claims that are in force then."""
    trusted = frozenset({"bob"} if ended else {"bob", "guests"})
    here = Situation(
        "x/gate", backend.read(), wanted, before, trusted, capabilities=backend.capabilities
    )
    made = planned(here)
    refusal = limit(here, made.claims, Limits(), 2)
    if refusal is not None:
        made = planned(limited(here, refusal))
    backend.apply(made.plan)
    assert {one.network for one in backend.read().entries} == {
        one.network for one in made.plan.final
    }
    return made.claims


@pytest.mark.parametrize("flushed", [False, True])
def test_a_guest_is_out_while_a_limit_keeps_the_friend_in(
    internet: Internet, echo: Echo, gate: GateMaker, flushed: bool
) -> None:
    backend = gate()
    both = internet.server.run(enforce, backend, {**GUESTS, **BOBS}, {}, ended=False)
    for server, *addresses in WAYS:
        for source in addresses:
            assert tcp_answers(internet.friend, server, GUARDED, source=source)
    if flushed:
        internet.server.run(backend.clear)
    kept = internet.server.run(enforce, backend, {}, both, ended=True)
    assert kept == BOBS
    for server, friend, guest in WAYS:
        assert tcp_answers(internet.friend, server, GUARDED, source=friend)
        assert not tcp_answers(internet.friend, server, GUARDED, source=guest, wait=IN_VAIN)


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("kind", ["nftables", "ipset"])
def test_a_guest_is_out_at_until_though_the_configuration_is_not_valid(
    internet: Internet,
    echo: Echo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    flushed: bool,
) -> None:
    path = tmp_path / "config.yaml"
    guests = {"networks": ["81.2.69.0/24"], "until": (START + MINUTE).isoformat()}
    document = {
        "hosts": {"bob": {"networks": [FRIEND]}, "guests": guests},
        "allowlists": {
            "web": {
                "targets": [
                    {kind: {"ports": [f"{GUARDED}/tcp"]}},
                    {"file": {"path": str(tmp_path / "friends")}},
                ]
            }
        },
    }

    def applied(text: str, at: datetime) -> int:
        path.write_text(text)
        path.chmod(0o600)
        with clock_at(at):
            words = ["apply", "--config", str(path), "--state", str(tmp_path / "lib" / "state.db")]
            return internet.server.run(run_command_line, words)

    assert applied(json.dumps(document), START) == 0
    assert applied("not valid\n" + json.dumps(document), START + MINUTE / 2) == 2
    assert lets_in(internet, FRIEND_TOO)
    assert "ended" not in capsys.readouterr().err
    if flushed:
        internet.server.nft("flush ruleset")
        internet.server.command("ipset", "destroy")
    assert applied("not valid\n" + json.dumps(document), START + MINUTE) == 2
    assert "web/file: access of guests ended, and stays there" in capsys.readouterr().err
    assert (lets_in(internet, FRIEND), lets_in(internet, FRIEND_TOO)) == (True, False)
    assert applied(json.dumps(document), START + 2 * MINUTE) == 0
    assert (lets_in(internet, FRIEND), lets_in(internet, FRIEND_TOO)) == (True, False)


def lets_in(internet: Internet, source: str) -> bool:
    return tcp_answers(internet.friend, SERVER, GUARDED, source=source, wait=IN_VAIN)
