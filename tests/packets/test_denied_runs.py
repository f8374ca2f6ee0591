"""The whole program with a denylist that lists everyone: whom it lets be, by real packets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.echo import EchoIn
from tests.support.gates import FREE, GUARDED
from tests.support.internet import (
    CONTAINER,
    FRIEND,
    FRIEND_TOO,
    NEIGHBOUR,
    NEIGHBOUR6,
    SERVER,
    SERVER6,
    STRANGER,
)
from tests.support.probe import IN_VAIN, tcp_answers, udp_answers
from tests.support.program import allowsync, allowsync_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

# The friend's network, the stranger's, the server's own with its gateway, and bogons.
LISTED = ("81.2.68.0/22", "185.199.0.0/16", "193.99.144.0/24", "172.16.0.0/12", "2a02::/16")
NAMESERVER = "185.199.108.1"  # the router, as the stranger sees it


class Denying:
    """A configuration on the server, written anew for each run."""

    def __init__(self, internet: Internet, folder: Path, target: dict[str, Any]) -> None:
        self.inside, self.path = internet.server, folder / "config.yaml"
        self.document: dict[str, Any] = {
            "hosts": {"alice": {"networks": [FRIEND]}},
            "allowlists": {"web": {"targets": [{"nftables": {"ports": ["443", "443/udp"]}}]}},
            "denylists": {"scanners": {"networks": list(LISTED), "targets": [target]}},
            "resolver": {"nameservers": [NAMESERVER]},
            "state": str(folder / "state.db"),
        }

    def friend(self, address: str) -> None:
        self.document["hosts"]["alice"]["networks"] = [address]

    def __call__(self, *arguments: str) -> str:
        self.path.write_text(json.dumps(self.document))
        self.path.chmod(0o600)
        return allowsync_in(self.inside, *arguments, "--config", self.path)


@pytest.fixture
def answering(internet: Internet, echo: Echo) -> Iterator[None]:
    with EchoIn(internet.router, (FREE,)):
        yield


@pytest.fixture(params=[{"nftables": {}}, {"ipset": {"iptables": "nft"}}], ids=["nft", "ipset"])
def denying(
    internet: Internet, answering: None, tmp_path: Path, request: pytest.FixtureRequest
) -> Denying:
    return Denying(internet, tmp_path, request.param)


def test_strangers_are_dropped_and_nobody_else(internet: Internet, denying: Denying) -> None:
    said = denying("apply")
    assert f"never blocked: {FRIEND} (granted to alice)" in said
    assert f"never blocked: {NAMESERVER} (a nameserver)" in said
    assert f"never blocked: {NEIGHBOUR} (a gateway of this machine)" in said
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    assert tcp_answers(internet.friend, SERVER, GUARDED)
    for server, neighbour in ((SERVER, NEIGHBOUR), (SERVER6, NEIGHBOUR6)):
        assert tcp_answers(internet.router, server, FREE, source=neighbour)
    assert udp_answers(internet.router, SERVER, FREE, source=NAMESERVER)
    assert tcp_answers(internet.container, SERVER, FREE, source=CONTAINER)
    assert not tcp_answers(internet.friend, SERVER, FREE, source=FRIEND_TOO, wait=IN_VAIN)
    assert denying("apply") == ""


def test_a_friend_is_let_go_in_the_run_that_lets_it_in(
    internet: Internet, denying: Denying
) -> None:
    denying("apply")
    denying.friend(FRIEND_TOO)
    denying("apply")
    assert tcp_answers(internet.friend, SERVER, GUARDED, source=FRIEND_TOO)
    assert not tcp_answers(internet.friend, SERVER, FREE, source=FRIEND, wait=IN_VAIN)


def test_a_guest_by_command_passes_at_once_and_not_after_that(
    internet: Internet, denying: Denying
) -> None:
    denying("apply")
    denying("grant", FRIEND_TOO, "--for", "1h")
    assert tcp_answers(internet.friend, SERVER, GUARDED, source=FRIEND_TOO)
    denying("revoke", FRIEND_TOO)
    denying("apply")
    assert not tcp_answers(internet.friend, SERVER, FREE, source=FRIEND_TOO, wait=IN_VAIN)


def test_a_flushed_gate_is_put_up_again_and_one_taken_out_is_told_and_cleared(
    internet: Internet, denying: Denying
) -> None:
    denying("apply")
    internet.server.nft("flush ruleset")
    assert tcp_answers(internet.stranger, SERVER, FREE)
    denying("apply")
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    (target,) = denying.document.pop("denylists")["scanners"]["targets"]
    name = f"scanners/{next(iter(target))}"
    done = internet.server.run(_apply, denying)
    assert f"{name}: is no longer configured but still enforced" in done
    denying("clear", "--only", name, "--yes")
    assert tcp_answers(internet.stranger, SERVER, FREE)
    assert not tcp_answers(internet.stranger, SERVER, GUARDED, wait=IN_VAIN), "the gate stands"


def _apply(denying: Denying) -> str:
    denying.path.write_text(json.dumps(denying.document))
    done = allowsync("apply", "--config", denying.path)
    assert done.code == 0
    return done.err


def test_what_was_blocked_is_let_in_by_no_allowlist_of_that_name(
    internet: Internet, denying: Denying
) -> None:
    (target,) = denying.document["denylists"]["scanners"]["targets"]
    ((kind, options),) = target.items()
    options["ports"] = [f"{FREE}/tcp"]
    denying("apply")
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    Path(denying.document["state"]).unlink()
    del denying.document["denylists"]
    denying.document["allowlists"]["scanners"] = {"targets": [target]}
    said = denying("apply")
    assert f"scanners/{kind}" in said
    assert "that of a denylist" in said
    assert tcp_answers(internet.friend, SERVER, FREE, source=FRIEND)
    for who, source in ((internet.stranger, STRANGER), (internet.friend, FRIEND_TOO)):
        assert not tcp_answers(who, SERVER, FREE, source=source, wait=IN_VAIN)


def test_what_an_allowlist_let_in_is_blocked_by_no_denylist_of_that_name(
    internet: Internet, denying: Denying
) -> None:
    """Not even by one that is refused, and so blocks what it did before."""
    denylists = denying.document.pop("denylists")
    (target,) = denylists["scanners"]["targets"]
    next(iter(target.values()))["ports"] = [f"{FREE}/tcp"]
    denying.document["allowlists"]["scanners"] = {"hosts": ["bob"], "targets": [target]}
    denying.document["allowlists"]["web"]["hosts"] = ["alice"]
    denying.document["hosts"] |= {"bob": {"networks": [FRIEND_TOO]}}
    denying("apply")
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    Path(denying.document["state"]).unlink()
    del denying.document["allowlists"]["scanners"], denying.document["hosts"]["bob"]
    denylists["scanners"]["networks"] = [f"{one}.0.0.0/8" for one in range(11, 19)]
    denying.document["denylists"] = denylists
    assert "it would block 3.1% of all IPv4 addresses" in internet.server.run(refused, denying)
    for source in (FRIEND, FRIEND_TOO):
        assert tcp_answers(internet.friend, SERVER, FREE, source=source)


def refused(denying: Denying) -> str:
    denying.path.write_text(json.dumps(denying.document))
    done = allowsync("apply", "--config", denying.path)
    assert done.code == 4
    return done.out + done.err


def test_what_is_to_be_known_is_said(internet: Internet, denying: Denying) -> None:
    denying("apply")
    assert "scanners" in denying("explain", STRANGER)
    assert f"though listed, {FRIEND} is never blocked (granted to alice)" in denying(
        "explain", FRIEND
    )
    assert "networks blocked)" in denying("status")
    assert "all in order" in denying("check")
    target = denying.document["denylists"]["scanners"]["targets"][0]
    next(iter(target.values()))["ports"] = ["443/tcp"]
    denying("apply")
    said = denying("check")
    assert "it has no effect: 443/tcp is guarded by web/nftables" in said


OWN_RULESET = """
table inet own
delete table inet own
table inet own {{
  set some4 {{ type ipv4_addr; flags interval; elements = {{ {kept} }}; }}
  chain input {{
    type filter hook input priority filter;
    tcp dport {free} ip saddr {which} @some4 drop
  }}
}}
"""
OF_SOMEONE = "9.9.9.0/24"


def as_it_is(internet: Internet) -> str:
    listed = internet.server.command("nft", "list", "set", "inet", "own", "some4")
    return listed.partition("elements")[2]


def test_a_set_of_the_users_own_keeps_nothing_that_had_the_opposite_effect(
    internet: Internet, answering: None, tmp_path: Path
) -> None:
    """The state is lost, the rule over the set turned round, and the name taken over."""
    target = {"nftables": {"set": {"table": "inet own", "ipv4": "some4"}}}
    denying = Denying(internet, tmp_path, target)
    denylist = denying.document["denylists"]["scanners"]
    web = denying.document["allowlists"]["web"]
    internet.server.nft(OWN_RULESET.format(kept=OF_SOMEONE, free=FREE, which=""))
    denying("apply")
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)

    turned(internet, denying, "!=")
    del denying.document["denylists"]
    denying.document["allowlists"] = {"web": web, "scanners": {"targets": [target]}}
    assert "that had the opposite effect" in denying("apply")
    assert "185.199" not in as_it_is(internet)
    assert tcp_answers(internet.friend, SERVER, FREE, source=FRIEND)
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)

    turned(internet, denying, "")
    denylist["networks"] = ["185.199.0.0/16"]
    denying.document |= {"allowlists": {"web": web}, "denylists": {"scanners": denylist}}
    denying("apply")
    assert FRIEND not in as_it_is(internet)
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    denying("clear", "--only", "scanners", "--yes")
    assert "185.199" not in as_it_is(internet)
    assert OF_SOMEONE in as_it_is(internet)


def test_sets_without_rules_keep_nothing_that_had_the_opposite_effect(
    internet: Internet, answering: None, tmp_path: Path
) -> None:
    """The same with iptables, whose sets are all that there is of the target."""
    denying = Denying(internet, tmp_path, {"ipset": {"sets_only": True}})
    denylists, web = denying.document["denylists"], denying.document["allowlists"]["web"]
    denying("apply")
    dropping(internet, "")
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    assert tcp_answers(internet.friend, SERVER, FREE, source=FRIEND)

    Path(denying.document["state"]).unlink()
    dropping(internet, "!")
    del denying.document["denylists"]
    denying.document["allowlists"] = {"web": web, "scanners": {"targets": ["ipset"]}}
    assert "set allowsync-scanners-4 is that of a denylist" in denying("apply")
    assert tcp_answers(internet.friend, SERVER, FREE, source=FRIEND)
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)
    assert denying("apply") == ""

    # Even a denylist that is refused, and so blocks what it did before, blocks no friend.
    Path(denying.document["state"]).unlink()
    dropping(internet, "")
    denying.document["allowlists"] = {"web": web | {"hosts": ["bob"]}}
    denying.document["hosts"] = {"bob": {"networks": [FRIEND_TOO]}}
    denylists["scanners"]["networks"] = [f"{one}.0.0.0/8" for one in range(11, 19)]
    denying.document["denylists"] = denylists
    assert "it would block 3.1% of all IPv4 addresses" in internet.server.run(refused, denying)
    assert tcp_answers(internet.friend, SERVER, FREE, source=FRIEND)
    denylists["scanners"]["networks"] = list(LISTED)
    denying("apply")
    assert not tcp_answers(internet.stranger, SERVER, FREE, wait=IN_VAIN)


def dropping(internet: Internet, which: str) -> None:
    """Let the one rule over the set drop who is in it, or is not."""
    internet.server.command("iptables", "-F", "INPUT")
    rule = f"-A INPUT -p tcp --dport {FREE} -m set {which} --match-set allowsync-scanners-4 src"
    internet.server.command("iptables", *rule.split(), "-j", "DROP")


def turned(internet: Internet, denying: Denying, which: str) -> None:
    """Lose the state, and let the rule drop who is in the set, or is not."""
    Path(denying.document["state"]).unlink()
    rules = internet.server.command("nft", "-a", "list", "chain", "inet", "own", "input")
    (handle,) = (one.split()[-1] for one in rules.splitlines() if "@some4" in one)
    rule = f"tcp dport {FREE} ip saddr {which} @some4 drop"
    internet.server.nft(f"replace rule inet own input handle {handle} {rule}")
