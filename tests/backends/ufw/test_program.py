"""The whole program over UFW: from rules made by hand to adopted ones that follow their host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.ufw.tuples import apart

from allowsync.model.target import installation_of
from testkit.fake_dns.nameserver import NameServer
from tests.support.met_packets import with_uplink
from tests.support.program import Installation, allowsync
from tests.support.ufw import text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace
    from tests.support.program import ProgramResult

pytestmark = pytest.mark.root

ALICE, BOB = "alice.example.org", "bob.example.org"
HAND_MADE = (
    "allow proto tcp from 81.2.69.1 to any port 443 comment alice",
    "allow proto tcp from 6.6.6.6 to any port 443",
)


class Inside(Installation):
    """An installation whose every command runs in a namespace."""

    inside: Namespace

    def __call__(self, command: str, *arguments: str, **options: object) -> ProgramResult:
        return self.inside.run(super().__call__, command, *arguments)


@pytest.fixture
def here(inside: Namespace, tmp_path: Path) -> Iterator[Inside]:
    zones: dict[str, object] = {ALICE: ["81.2.69.1"], BOB: ["81.2.69.2"]}
    with inside.run(NameServer, zones) as server:
        installation = Inside(tmp_path, server, hosts={"alice": ALICE, "bob": BOB})
        installation.inside = inside
        installation.policy = {"keep_replaced": "0s", "replaced_runs": 1}
        installation.targets = [{"ufw": {"ports": ["443/tcp"]}}]
        yield installation


def by_hand(here: Inside) -> None:
    for line in HAND_MADE:
        here.inside.command("ufw", *line.split())


def test_a_run_adds_rules_that_ufw_itself_shows_with_names(here: Inside) -> None:
    assert here("apply").code == 0
    shown = here.inside.command("ufw", "status")
    assert "# allowsync:web:alice" in shown
    assert "# allowsync:web:bob" in shown
    again = here("apply")
    assert (again.code, again.out) == (0, "")


def test_an_idle_run_says_nothing_until_somebody_touches_the_rules(here: Inside) -> None:
    here.write()
    here.freeze = True
    assert here("apply").code == 0
    for _ in range(2):
        done = here("apply")
        assert (done.code, done.out) == (0, "")
    here.inside.command("iptables", "-F", "ufw-user-input")
    done = here("apply")
    assert (done.code, "web/ufw" in done.out) == (0, True)
    assert "-s 81.2.69.1/32 " in here.inside.command("iptables", "-S", "ufw-user-input")


def test_a_rule_made_by_hand_is_left_alone_until_it_is_adopted(here: Inside) -> None:
    by_hand(here)
    assert here("apply").code == 0
    assert text(here.inside).count("-s 81.2.69.1 ") == 1
    assert "'allowsync adopt' takes over those of friends" in here("check").out
    before = text(here.inside)
    dry = here("adopt", "--dry-run")
    assert (dry.code, dry.out.splitlines()) == (
        0,
        ["web/ufw", "  = 81.2.69.1              alice", "  1 entry to adopt"],
    )
    assert text(here.inside) == before
    refused = here("adopt")
    assert (refused.code, "pass --yes" in refused.err) == (2, True)
    assert text(here.inside) == before
    assert here("adopt", "--yes").out.splitlines()[-1] == "  1 entry adopted"
    whose = installation_of(os.fsencode(here.path))
    mine = f"allowsync:web:alice:@{whose}".encode().hex()
    assert text(here.inside) == before.replace(b"alice".hex(), mine, 1)
    assert (here("adopt", "--yes").out, here("apply").code) == ("nothing to adopt\n", 0)
    here.server.zones[ALICE] = ["81.2.69.77"]
    assert [here("apply").code for _ in range(2)] == [0, 0]
    assert "81.2.69.1 " not in text(here.inside)
    assert text(here.inside).count("-s 6.6.6.6 ") == 1


def test_a_rule_made_by_hand_for_a_stranger_is_an_error_and_one_for_a_friend_is_not(
    here: Inside,
) -> None:
    with_uplink(here.inside)
    here.inside.command("ufw", *HAND_MADE[0].split())
    assert here("check").code == 0  # before the first run, too
    assert here("apply").code == 0
    assert here("check").code == 0
    here.inside.command("ufw", *HAND_MADE[1].split())
    checked = here("check")
    assert checked.code == 1
    assert "error: web/ufw: 6.6.6.6 reaches 443/tcp over IPv4" in checked.out
    assert "not on an allowlist" in checked.out
    assert "81.2.69.1 reaches" not in checked.out


@pytest.mark.parametrize(
    "anyone", [("0.0.0.0/0",), ("0.0.0.0/1", "128.0.0.0/1")], ids=["whole", "halves"]
)
def test_a_rule_made_by_hand_for_everyone_is_told_as_an_open_port(
    here: Inside, anyone: tuple[str, ...]
) -> None:
    """It is made just as those of hosts are, and still no host's."""
    with_uplink(here.inside)
    here("apply")
    assert "is open to" not in here("check").out
    for network in anyone:
        here.inside.command(*f"ufw allow proto tcp from {network} to any port 443".split())
    checked, status = here("check"), here("status")
    assert "443/tcp is open to everyone over IPv4" in checked.out
    assert (checked.code, status.code) == (1, 1)


def test_adopt_tells_programs_what_it_did(here: Inside) -> None:
    by_hand(here)
    here("apply")
    entry = {"network": "81.2.69.1/32", "hosts": ["alice"]}
    for arguments, outcome in ((("--dry-run",), "planned"), (("--yes",), "adopted")):
        document = here("adopt --output json", *arguments).document
        assert document["targets"] == [
            {"target": "web/ufw", "outcome": outcome, "adopt": [entry], "reason": None}
        ]
    assert (document["schema"], document["dry_run"]) == ("allowsync.adopt/1", False)
    assert here("adopt", "--only", "wub", "--yes").code == 2


def test_an_inactive_ufw_is_a_failure_that_says_what_to_do(here: Inside) -> None:
    here.inside.command("ufw", "disable")
    ran = here("apply")
    assert ran.code == 1
    assert "ufw is not active" in ran.out + ran.err
    assert "ufw enable" in ran.out + ran.err
    assert b"allowsync:web".hex() not in text(here.inside)


def test_clear_removes_what_is_ours_and_nothing_else(here: Inside) -> None:
    by_hand(here)
    before = text(here.inside)
    here("apply")
    assert text(here.inside) != before
    assert here("clear", "--yes").code == 0
    assert text(here.inside) == before


@pytest.fixture
def both(here: Inside) -> Inside:
    """Two allowlists on one port: Alice is on both, Bob on the second one alone."""
    ufw = [{"ufw": {"ports": ["443/tcp"]}}]
    here.hosts["carol"] = {"networks": ["81.2.69.3"]}
    here.more["allowlists"] = {
        "web": {"hosts": ["alice", "carol"], "targets": ufw},
        "media": {"hosts": ["alice", "bob"], "targets": ufw},
    }
    assert here("apply").code == 0
    return here


def rules(here: Inside) -> dict[str, str]:
    """What is allowed to port 443, each with its comment."""
    lines = here.inside.command("ufw", "status").splitlines()
    found = [line.split() for line in lines if line.startswith("443")]
    return {words[2]: apart(words[-1])[0] for words in found}


def test_what_is_cleared_alone_takes_no_rule_from_another_allowlist(both: Inside) -> None:
    web, media = "allowsync:web:", "allowsync:media:"
    assert rules(both) == {
        "81.2.69.1": f"{web}alice", "81.2.69.3": f"{web}carol", "81.2.69.2": f"{media}bob",
    }  # fmt: skip
    both.inside.command("ufw", *HAND_MADE[1].split(), "comment", "x")
    assert both("clear --only web --yes").code == 0
    kept = {"81.2.69.1": f"{media}alice", "81.2.69.2": f"{media}bob", "6.6.6.6": "x"}
    assert rules(both) == kept
    assert both("clear --only media --yes").code == 0
    assert both("clear --only web --yes").code == 0
    assert rules(both) == {"6.6.6.6": "x"}


@pytest.mark.parametrize("lost", [False, True], ids=["state kept", "state lost"])
def test_who_a_renamed_allowlist_let_in_stays_in_when_that_is_cleared(
    here: Inside, lost: bool
) -> None:
    """Nothing but the mark of its rules tells of it, where the state was lost."""
    here("apply")
    if lost:
        here.state.unlink()
    ufw = here.targets
    here.more["allowlists"] = {"media": {"targets": ufw}}
    done = here("apply")
    assert done.code == 1, "its rules let in who may have moved since, or has no access any more"
    assert "and admits the hosts it held; 'allowsync clear --only web/ufw' removes it" in done.err
    (left,) = here("status --output json").document["leftovers"]
    assert (left["target"], left["effect"], left["drops"]) == ("web/ufw", "opens", False)
    assert set(rules(here).values()) == {"allowsync:web:alice", "allowsync:web:bob"}
    cleared = here("clear --only web/ufw --yes")
    assert (cleared.code, cleared.err) == (0, "")
    media = {"81.2.69.1": "allowsync:media:alice", "81.2.69.2": "allowsync:media:bob"}
    assert rules(here) == media


@pytest.mark.parametrize("what", ["alice", "81.2.69.1"])
def test_a_revoked_host_that_a_former_name_still_lets_in_is_told_of(
    here: Inside, what: str
) -> None:
    here("apply")
    here.more["allowlists"] = {"media": {"targets": here.targets}}
    here("apply")
    revoked = here(f"revoke {what} --force")
    assert revoked.code == 1
    assert "web/ufw: holds 81.2.69.1 still, though it is no longer configured" in revoked.err
    assert here("clear --only web/ufw --yes").code == 0
    assert rules(here) == {"81.2.69.2": "allowsync:media:bob"}
    assert here(f"revoke {what} --force").code == 0


def test_a_run_over_one_allowlist_takes_no_rule_from_another(both: Inside) -> None:
    both.more["allowlists"]["web"]["hosts"] = ["carol"]  # type: ignore[index]
    done = both("apply --only web --force")
    restored = "media/ufw: restored 81.2.69.1/32: a rule shared with it was removed"
    assert (done.code, restored in " ".join(done.err.split())) == (0, True)
    assert rules(both) == {
        "81.2.69.1": "allowsync:media:alice", "81.2.69.3": "allowsync:web:carol",
        "81.2.69.2": "allowsync:media:bob",
    }  # fmt: skip
    done = both("apply")
    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize(
    ("deed", "cures"),
    [
        ("ufw disable", ("ufw --force enable",)),
        ("iptables -F; iptables -X", ("/lib/ufw/ufw-init flush-all", "ufw reload")),
    ],
    ids=["switched off", "flushed"],
)
def test_what_is_advised_about_an_ufw_without_effect_puts_it_right(
    here: Inside, deed: str, cures: tuple[str, ...]
) -> None:
    assert here("apply").code == 0
    here.inside.command("sh", "-c", deed)
    checked, ran = here("check"), here("apply")
    assert (checked.code, ran.code) == (1, 1)
    assert "repairs it" not in checked.out  # a run does not switch on what was switched off
    for cure in cures:
        assert cure.replace("--force ", "") in checked.out.replace("\n", " ")
        here.inside.command("sh", "-ec", cure)
    assert here("apply").code == 0
    assert "no effect" not in here("check").out


@pytest.fixture
def second(here: Inside, tmp_path: Path) -> Inside:
    """Another configuration on the machine, whose allowlist has the same name."""
    folder = tmp_path / "second"
    folder.mkdir()
    second = Inside(folder, here.server, hosts={"carol": {"networks": ["81.2.69.3"]}})
    second.inside, second.targets = here.inside, [{"ufw": {"ports": ["443/tcp"]}}]
    return second


def test_rules_of_another_configuration_are_left_to_it(here: Inside, second: Inside) -> None:
    assert here("apply").code == 0
    before = rules(here)
    for command in ("apply", "apply --offline", "clear --yes", "clear --only web --yes"):
        done = second(command)
        assert (done.code, "another configuration" in done.out + done.err) == (1, True)
        assert rules(here) == before
    assert "another configuration" in second("check").out
    done = here("apply")
    assert (done.code, done.out) == (0, "")
    assert second("apply --force").code == 0
    taken = rules(here)
    assert taken["81.2.69.3"] == "allowsync:web:carol"
    assert here("apply").code == 1
    assert here("clear --yes").code == 1
    assert rules(here) == taken
    assert second("clear --yes").code == 0
    assert here("apply").code == 0
    assert rules(here) == before


def test_each_configuration_is_told_of_what_it_left_behind_itself(
    here: Inside, second: Inside
) -> None:
    second.more["allowlists"] = {"old": {"targets": second.targets}}
    assert [here("apply").code, second("apply").code] == [0, 0]
    every = rules(here)
    second.more["allowlists"] = {"new": {"targets": [{"file": {"path": str(second.file)}}]}}
    second.state.unlink()
    assert "old" not in here("status").out + here("apply").err
    told = second("apply").err
    assert "allowsync clear --only old/ufw" in told.replace("\n", " ")
    assert second("clear --only old/ufw --yes").code == 0
    assert rules(here) == {one: said for one, said in every.items() if "old" not in said}


def test_a_configuration_that_was_moved_keeps_its_rules(here: Inside) -> None:
    assert here("apply").code == 0
    before = rules(here)
    moved = here.path.rename(here.path.with_name("moved.yaml"))
    here.freeze = True
    assert here.inside.run(allowsync, "apply", "--config", moved).code == 0
    assert rules(here) == before
    here.server.zones[ALICE] = ["81.2.69.77"]
    assert here.inside.run(allowsync, "apply", "--config", moved).code == 0
    assert rules(here)["81.2.69.77"] == "allowsync:web:alice"
    done = here.inside.run(allowsync, "apply", "--config", moved)
    assert (done.code, done.out) == (0, "")


def test_a_default_that_lets_everyone_in_fails_every_run_and_rules_follow_their_host(
    here: Inside,
) -> None:
    here("apply")
    here.inside.command("ufw", "default", "allow", "incoming")
    for address in ("81.2.69.1", "81.2.70.1"):
        here.server.zones[ALICE] = [address]
        for command in ("apply", "status", "check --no-packets"):
            done = here(command)
            said = " ".join((done.out + done.err).split())
            assert (done.code, "'ufw default deny incoming' keeps others out" in said) == (1, True)
    assert "-s 81.2.70.1/32 " in here.inside.command("iptables", "-S", "ufw-user-input")
    here.inside.command("ufw", "default", "deny", "incoming")
    assert here("apply").code == 0
    done = here("apply")
    assert (done.code, done.out) == (0, "")
    assert "81.2.69.1/32" not in here.inside.command("iptables", "-S", "ufw-user-input")


CLOSED = {
    "by a rule of UFW": (["ufw deny 443/tcp"], 0),
    "by a rule in after.rules": (
        ["sed -i 's/^COMMIT/-A ufw-after-input -j DROP\\nCOMMIT/' /etc/ufw/after*.rules"],
        0,
    ),
    "by a rule of iptables": (["iptables -A INPUT -j DROP", "ip6tables -A INPUT -j DROP"], 0),
    "over IPv4 alone": (["iptables -A INPUT -j DROP"], 1),
    "at another port": (["ufw deny 444/tcp"], 1),
    "to those whom Fail2ban bans": (
        ["iptables -N f2b-sshd", "iptables -A INPUT -p tcp --dport 22 -j f2b-sshd"],
        1,
    ),
}


@pytest.mark.parametrize(("deeds", "code"), CLOSED.values(), ids=CLOSED)
def test_a_default_that_lets_everyone_in_is_no_fault_where_the_port_is_closed_all_the_same(
    here: Inside, deeds: list[str], code: int
) -> None:
    here("apply")
    here.inside.command("sh", "-ec", "; ".join(["ufw default allow incoming", *deeds]))
    here("apply")
    assert here("apply").code == code
