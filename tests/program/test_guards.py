"""New addresses under suspicion, over real name servers: what is refused, told, and approved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import dns.rcode

from allowsync.state import Lock
from testkit.fake_dns.behaviours import Authenticated, ByType, Rcode
from testkit.fake_dns.nameserver import NameServer

if TYPE_CHECKING:
    from tests.support.program import Installation, ProgramResult

PARKING = "45.9.9.9"
MOVED = "81.2.69.77"


def rejected(done: ProgramResult) -> dict[str, list[str]]:
    """The addresses that were rejected, by host."""
    return {
        host["host"]: [one["address"] for query in host["queries"] for one in query["rejected"]]
        for host in done.document["hosts"]
    }


def test_a_wildcard_that_took_over_lets_nobody_in_and_nobody_out(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    before = here.allowed
    zones["bob.example.org"] = zones["*"] = [PARKING]
    done = here("apply --output json")
    assert (done.code, here.allowed, rejected(done)["bob"]) == (3, before, [PARKING])
    text = here("apply")
    assert (
        f"bob: bob.example.org: {PARKING} rejected: the domain example.org answers for any name"
        in text.err
    )
    assert "set canary: false for bob" in text.err
    here.policy = {"canary": False}
    assert (here("apply").code, f"{PARKING}/32" in here.allowed) == (0, True)


def test_a_wildcard_whose_made_up_names_were_silent_is_shut_out_once_they_are_not(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    before = here.allowed
    zones["bob.example.org"], zones["*"] = [PARKING], Rcode(dns.rcode.SERVFAIL)
    here("apply")
    assert f"{PARKING}/32" in here.allowed
    zones["*"] = [PARKING]
    done = here("apply --output json")
    assert (done.code, here.allowed, rejected(done)["bob"]) == (3, before, [PARKING])


def test_every_new_name_and_family_has_three_siblings_asked_and_an_idle_run_none(
    here: Installation,
) -> None:
    here("apply")
    names = set(here.server.zones)
    beside = {one[:2] for one in here.server.asked if one.hostname not in names}
    dns64 = ("ipv4only.arpa", "AAAA")
    assert dns64 in beside
    made_up = beside - {dns64}
    assert sorted(rdtype for _, rdtype in made_up) == ["A"] * 6 + ["AAAA"] * 6
    assert len({hostname for hostname, _ in made_up}) == 12
    here.server.asked.clear()
    here("apply")
    assert {one.hostname for one in here.server.asked} == names


def test_a_nameserver_that_denies_a_name_by_one_family_alone_shuts_out_nobody(
    here: Installation, zones: dict[str, object]
) -> None:
    """Broken ones answer NXDOMAIN where there is no address of that family (RFC 4074)."""
    zones["bob.example.org"] = ["81.2.69.2", "2a01:4f8:1:5::1"]
    here.policy = {"keep_absent": "0s", "absent_runs": 1}
    here("apply")
    denied = Rcode(dns.rcode.NXDOMAIN, then=[])
    zones["bob.example.org"] = ByType(denied, ["2a01:4f8:1:5::1"])
    assert [here("apply").code for _ in range(3)] == [3, 3, 3]
    assert "81.2.69.2/32" in here.allowed
    zones["bob.example.org"] = ["2a01:4f8:1:5::1"]  # no address of that family, rightly said
    assert here("apply").code == 0
    assert "81.2.69.2/32" not in here.allowed


def test_a_parking_address_shared_by_three_is_not_believed(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    before = here.allowed
    for name in ("alice", "bob", "parents"):
        zones[f"{name}.example.org"] = [PARKING]
    done = here("apply --output json")
    assert here.allowed == before
    assert rejected(done) == {name: [PARKING] for name in ("alice", "bob", "parents")}
    assert "alice, bob, parents resolved to it within guard_window" in here("apply").err
    here.policy = {"max_sharing": 3}
    here("apply")
    assert f"{PARKING}/32" in here.allowed


def test_where_nameservers_disagree_a_new_address_is_not_believed(
    here: Installation, zones: dict[str, object]
) -> None:
    with NameServer(dict(zones)) as honest:
        here.resolver = {"nameservers": [str(here.server), str(honest)], "agreement": 2}
        assert here("apply").code == 0
        before = here.allowed
        zones["bob.example.org"] = [PARKING]
        done = here("apply")
        assert (done.code, here.allowed) == (3, before)
        assert (
            f"{PARKING} rejected: 1 of 2 nameservers returned it, fewer than agreement" in done.err
        )
        honest.zones["bob.example.org"] = [PARKING]
        assert (here("apply").code, f"{PARKING}/32" in here.allowed) == (0, True)


def test_what_is_held_needs_no_agreement(here: Installation, zones: dict[str, object]) -> None:
    here("apply")
    with NameServer({name: [PARKING] for name in zones}) as other:
        here.resolver = {"nameservers": [str(here.server), str(other)], "agreement": 2}
        asked = len(here.server.asked)
        before = here.allowed
        here("apply")
        assert here.allowed == before
        assert len(here.server.asked) >= asked + 6


def gone_for_long(here: Installation) -> None:
    """Set back when the absence of a name began, as a week of runs would have it."""
    with closing(sqlite3.connect(here.state)) as raw:
        raw.execute("UPDATE tracks SET absent_since = absent_since - 8 * 86400 * 1000000")
        raw.commit()


def test_a_name_that_was_gone_for_long_waits_for_an_approval(
    here: Installation, zones: dict[str, object]
) -> None:
    here.hosts = {"alice": "alice.example.org", "bob": "bob.example.org"}
    here.policy = {"keep_absent": "0s", "absent_runs": 1}
    here("apply")
    assert here("approve bob").out == "bob: nothing to approve\n"
    del zones["bob.example.org"]
    here("apply")
    gone_for_long(here)
    assert "allowsync approve bob" in here("status").out
    assert "bob.example.org was gone from DNS for longer than latch_absent" in here("check").out
    zones["bob.example.org"] = [MOVED]
    for arguments in ("apply --dry-run", "apply", "apply"):
        done = here(arguments)
        assert done.code == 3
        assert f"{MOVED} rejected: its name was gone for longer" in done.err
        assert f"{MOVED}/32" not in here.allowed
    standing = here("status --output json").document["hosts"][1]
    assert (standing["latched"], len(standing["held_back"])) == (["bob.example.org"], 1)
    told = here("approve bob").out
    assert told.startswith("bob: bob.example.org is trusted again; effective with the next run; ")
    assert here("status --output json").document["hosts"][1]["latched"] == []
    done = here("apply")
    assert (done.code, f"{MOVED}/32" in here.allowed) == (0, True)


def test_approve_tells_programs_what_it_did(here: Installation, zones: dict[str, object]) -> None:
    here("apply")
    del zones["bob.example.org"]
    here("apply")
    gone_for_long(here)
    assert here("approve bob alice --output json").document == {
        "schema": "allowsync.approve/1",
        "exit_code": 0,
        "hosts": [
            {"host": "bob", "outcome": "approved", "hostnames": ["bob.example.org"]},
            {"host": "alice", "outcome": "unchanged", "hostnames": []},
        ],
        "problems": [],
    }


def test_approve_knows_hosts_and_takes_the_lock(here: Installation) -> None:
    here("apply")
    unknown = here("approve bobb")
    assert (unknown.code, "did you mean 'bob'?" in unknown.err) == (2, True)
    assert here("approve").code == 2
    with Lock(here.state):
        assert here("approve bob").code == 5


def test_more_moves_than_a_home_makes_are_held_back(
    here: Installation, zones: dict[str, object]
) -> None:
    here.hosts = {"bob": {"hostname": "bob.example.org", "max_moves": 2}}
    here("apply")
    zones["bob.example.org"] = ["81.2.69.3"]
    assert here("apply").code == 0
    zones["bob.example.org"] = [MOVED]
    done = here("apply")
    assert (done.code, here.allowed) == (3, ["81.2.69.2/32", "81.2.69.3/32"])
    assert "bob had 2 new networks within 24 hours, all that max_moves allows" in done.err
    for command in ("status", "check", "resolve"):
        assert f"{MOVED} rejected: bob had 2 new networks" in here(command).out
    (held_back,) = here("resolve --output json").document["held_back"]
    assert held_back["host"] == "bob"


def test_what_a_guard_refused_is_said_in_every_run(
    here: Installation, zones: dict[str, object]
) -> None:
    here.hosts = {"bob": {"hostname": "bob.example.org", "max_moves": 1}}
    here("apply")
    zones["bob.example.org"] = ["81.2.69.2", MOVED]
    here.freeze = True
    for _ in range(3):
        done = here("apply")
        assert (done.code, "max_moves" in done.err) == (0, True)


def test_a_dry_run_tells_what_guards_refuse_and_remembers_nothing(
    here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    before = here.state.read_bytes()
    zones["bob.example.org"] = zones["*"] = [PARKING]
    assert rejected(here("apply --dry-run --output json"))["bob"] == [PARKING]
    assert here.state.read_bytes() == before


def test_where_dnssec_is_required_only_what_was_validated_is_believed(
    here: Installation, zones: dict[str, object]
) -> None:
    here.resolver = {"dnssec": "require"}
    here.hosts = {"alice": "alice.example.org", "bob": "bob.example.org"}
    zones["alice.example.org"] = Authenticated(["81.2.69.1"])
    done = here("apply")
    assert (done.code, here.allowed) == (3, ["81.2.69.1/32"])
    assert "the AD bit" not in here("check").out


def test_check_warns_where_anybody_can_set_the_ad_bit(here: Installation) -> None:
    here.resolver = {"dnssec": "require", "nameservers": ["192.0.2.53"], "deadline": "1s"}
    assert "192.0.2.53: is queried without encryption" in here("check").out
