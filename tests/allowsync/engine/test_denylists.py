"""Runs with a denylist: what is blocked, what never is, and what comes of what goes wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.config.settings import Config, Denylist, Target
from allowsync.engine import never_blocked
from allowsync.inspect.denylist_findings import about_asked, about_blocked
from allowsync.inspect.status_problems import exit_code
from allowsync.model.list_source import ListSource
from allowsync.model.outcome import ExitCode, Outcome
from allowsync.model.target import Capabilities, Effect
from allowsync.model.value import replace
from allowsync.report.denylists import block_lines, status_lines
from allowsync.report.json import status_document
from allowsync.state import StateUnwritable, Store
from allowsync.state.blocks import blocks_path
from allowsync.state.lists import KeptList, list_path
from allowsync.state.unheard import unheard_path
from allowsync.testing.memory import MemoryOptions, MemoryStore, memory_type
from tests.support.values import GONE, SERVFAIL, T0, found, host, net
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.types import Network
    from allowsync.plan.result import BlockReport, RunReport

LISTED = "81.2.68.0/23"  # the friends' 81.2.69.1 to 81.2.69.4 are in it


@dataclass
class Denied(World):
    """The same with a denylist `scanners`, enforced at a firewall of its own."""

    wall: MemoryStore = field(default_factory=MemoryStore)
    lists: dict[str, ListSource] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return replace(super().config, lists=self.lists)

    def deny(
        self,
        *listed: str,
        spared: tuple[str | Network, ...] = (),
        lists: tuple[str, ...] = (),
    ) -> None:
        kind = replace(memory_type(self.wall, "wall"), denies=MemoryOptions)
        options = MemoryOptions()
        target = Target("scanners/wall", "scanners", kind, options, effect=Effect.DENY)
        networks = tuple(map(net, listed))
        self.denylists = (Denylist("scanners", (target,), networks, lists, spared),)

    def publish(self, text: str, refresh: timedelta | None = None) -> Path:
        """Let a list be a file that says something."""
        path = self.folder / "level1.netset"
        path.write_text(text)
        path.chmod(0o600)
        self.lists = {"level1": ListSource(file=path, refresh=refresh)}
        self.deny(lists=("level1",))
        return path

    def blocks(self, address: str) -> bool:
        return any(net(address).subnet_of(one) for one in self.wall.networks)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> Denied:
    found = Denied(tmp_path)
    found.deny(LISTED)
    return found


def only(report: RunReport) -> BlockReport:
    (blocked,) = report.blocked
    return blocked


def test_a_run_blocks_what_is_listed_but_friends(world: Denied) -> None:
    report = world.run()
    assert (report.exit_code, only(report).report.outcome) == (0, Outcome.APPLIED)
    assert world.blocks("81.2.69.5")
    assert world.blocks("81.2.68.255")
    assert not any(world.blocks(f"81.2.69.{n}") for n in (1, 2, 3, 4))
    assert [one.why for one in only(report).spared] == [
        f"granted to {name}" for name in ("alice", "bob", "carol", "dave")
    ]
    again = world.run()
    assert (again.has_changes, again.uneventful) == (False, True)
    assert len(world.wall.applied) == 1


def test_a_friend_who_moves_into_it_is_let_go_in_the_same_run(world: Denied) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    report = world.run()
    assert not world.blocks("81.2.69.77")
    assert not world.blocks("81.2.69.1"), "it was replaced, and is still granted"
    assert report.exit_code == 0
    world.runs(6)
    assert world.blocks("81.2.69.1")


def test_what_stands_on_old_knowledge_is_spared(world: Denied) -> None:
    world.run()
    world.everybody(SERVFAIL)
    world.runs(20)
    assert not world.blocks("81.2.69.1")
    world.everybody(GONE)
    world.store.fail_apply = "it is down"
    world.runs(40)
    assert world.held >= {"81.2.69.1"}
    assert not world.blocks("81.2.69.1"), "the allowlist's target still lets it in"


def test_a_lost_state_blocks_nobody_that_a_target_lets_in(world: Denied) -> None:
    world.run()
    world.everybody(SERVFAIL)
    world.state.unlink()
    world.run()
    assert not world.blocks("81.2.69.1")


def test_what_a_target_failed_to_remove_is_not_blocked_though_the_state_is_lost(
    world: Denied,
) -> None:
    world.run()
    world.state.unlink()
    world.members = ("alice", "carol", "dave")
    world.store.fail_apply = "it is down"
    assert world.runs(8).exit_code == 1
    assert world.held >= {"81.2.69.2"}
    assert not world.blocks("81.2.69.2"), "the allowlist's target still lets it in"


@pytest.mark.parametrize("whole", [False, True], ids=["the state", "all beside it, too"])
def test_a_lost_state_blocks_nobody_who_was_excepted(world: Denied, *, whole: bool) -> None:
    """Where an excepted host is can be read from no target, so nothing new is blocked."""
    world.members = ("bob", "carol", "dave")
    world.deny(LISTED, spared=("alice",))
    world.run()
    world.everybody(SERVFAIL)
    world.state.unlink()
    if whole:
        blocks_path(world.state, "scanners").unlink()
    world.deny(LISTED, "9.9.8.0/24", spared=("alice",))
    report = world.run()
    assert only(report).report.reason == (
        "nothing is added while the addresses of alice are unknown, for 3 d more at most; "
        "'allowsync revoke alice' ends that"
    )
    assert not world.blocks("81.2.69.1")
    assert not world.blocks("9.9.8.1")
    assert world.blocks("81.2.68.1")
    world.deny("81.2.68.0/24", spared=("alice",))
    world.run()
    assert world.blocks("81.2.68.1")
    assert not world.blocks("81.2.69.7"), "what is not listed any more is let go"
    for number, name in enumerate(("alice", "bob", "carol", "dave"), 1):
        world.says[f"{name}.example.org"] = found(f"81.2.69.{number}")
    world.deny(LISTED, "9.9.8.0/24", spared=("alice",))
    report = world.run()
    assert (only(report).report.reason, world.blocks("9.9.8.1")) == ("", True)
    assert not world.blocks("81.2.69.1")


def test_a_flush_after_a_lost_state_blocks_nobody_who_was_excepted(world: Denied) -> None:
    world.members = ("bob", "carol", "dave")
    world.deny(LISTED, spared=("alice",))
    world.run()
    world.everybody(SERVFAIL)
    world.state.unlink()
    blocks_path(world.state, "scanners").unlink()
    world.run()
    world.wall.networks.clear()
    assert "addresses of alice are unknown" in only(world.run()).report.reason
    assert not world.blocks("81.2.69.1")
    for number, name in enumerate(("alice", "bob", "carol", "dave"), 1):
        world.says[f"{name}.example.org"] = found(f"81.2.69.{number}")
    world.run()
    assert not world.blocks("81.2.69.1")
    assert world.blocks("81.2.68.1")


def test_a_name_that_never_answers_holds_a_denylist_up_no_longer_than_it_would_keep_an_address(
    world: Denied,
) -> None:
    world.run()
    world.hosts["erin"] = host("erin")
    world.says["erin.example.org"] = SERVFAIL
    world.run()
    world.deny(LISTED, "9.9.8.0/24")
    assert "addresses of erin are unknown, for 3 d more at most" in only(world.run()).report.reason
    assert not world.run(after=timedelta(hours=23)).has_changes
    world.runs(2, after=timedelta(hours=23))
    assert not world.blocks("9.9.8.1")
    assert [one.in_step for one in world.look().blocked] == [True]
    report = world.runs(1, after=timedelta(hours=3))
    assert (only(report).report.reason, world.blocks("9.9.8.1")) == ("", True)
    world.wall.networks.clear()
    world.run()
    assert world.blocks("9.9.8.1")
    world.says["erin.example.org"] = found("9.9.8.7")
    world.run()
    assert not world.blocks("9.9.8.7")
    assert not unheard_path(world.state).exists()


def test_the_time_begins_anew_when_the_state_is_lost(world: Denied) -> None:
    world.run()
    world.hosts["erin"] = host("erin")
    world.says["erin.example.org"] = SERVFAIL
    world.runs(4, after=timedelta(hours=20))
    world.deny(LISTED, "9.9.8.0/24")
    world.state.unlink()
    world.runs(3, after=timedelta(minutes=1))
    assert not world.blocks("9.9.8.1")
    world.runs(4, after=timedelta(hours=20))
    assert world.blocks("9.9.8.1")


def test_a_hostname_that_was_edited_is_waited_for_anew(world: Denied) -> None:
    world.run()
    world.hosts["erin"] = host("erin")
    world.says["erin.example.org"] = world.says["new.example.org"] = SERVFAIL
    world.runs(5, after=timedelta(hours=20))
    world.change("erin", hostnames=("new.example.org",))
    world.deny(LISTED, "9.9.8.0/24")
    world.runs(3)
    assert not world.blocks("9.9.8.1")
    world.runs(4, after=timedelta(hours=20))
    assert world.blocks("9.9.8.1")


def test_a_clock_that_jumps_ends_nothing(world: Denied) -> None:
    world.run()
    world.hosts["erin"] = host("erin")
    world.says["erin.example.org"] = SERVFAIL
    world.runs(2)
    world.deny(LISTED, "9.9.8.0/24")
    world.run(after=timedelta(days=365))
    world.runs(3)
    assert not world.blocks("9.9.8.1")


def test_the_time_is_counted_for_each_host_and_no_longer_than_it_is_unknown(world: Denied) -> None:
    world.run()
    world.hosts |= {"erin": host("erin"), "frank": host("frank")}
    world.says |= {"erin.example.org": SERVFAIL, "frank.example.org": SERVFAIL}
    world.runs(2, after=timedelta(hours=20))
    del world.hosts["frank"]
    world.run(after=timedelta(hours=20))
    world.hosts["frank"] = host("frank")
    world.deny(LISTED, "9.9.8.0/24")
    report = world.runs(2, after=timedelta(hours=20))
    assert "addresses of frank are unknown, for 2 d 4 h more" in only(report).report.reason
    assert not world.blocks("9.9.8.1")


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b"x\n{}\n[]"])
def test_where_it_is_damaged_the_time_begins_anew(world: Denied, damage: bytes) -> None:
    world.run()
    world.hosts["erin"] = host("erin")
    world.says["erin.example.org"] = SERVFAIL
    world.runs(4, after=timedelta(hours=20))
    world.deny(LISTED, "9.9.8.0/24")
    kept = unheard_path(world.state)
    kept.write_bytes(damage)
    report = world.run()
    assert "addresses of erin are unknown, for 3 d more" in only(report).report.reason
    kept.unlink()
    kept.mkdir()
    assert "addresses of erin are unknown, for 3 d more" in only(world.run()).report.reason
    world.says["erin.example.org"] = found("81.2.70.9")
    assert world.run().exit_code == 0
    assert world.blocks("9.9.8.1")


def test_a_revocation_ends_the_wait_for_a_host(world: Denied) -> None:
    world.run()
    world.hosts["erin"] = host("erin")
    world.says["erin.example.org"] = SERVFAIL
    world.run()
    world.deny(LISTED, "9.9.8.0/24")
    world.run()
    world.change("erin", revoked=world.instant)
    world.run()
    assert world.blocks("9.9.8.1")


def test_a_denylist_begins_though_nothing_was_ever_known_of_a_host(world: Denied) -> None:
    """A name that never was would hold up every denylist for good."""
    world.everybody(SERVFAIL)
    world.run()
    assert world.blocks("81.2.68.1")


def test_what_was_accepted_comes_back_while_nothing_is_known_of_a_host(world: Denied) -> None:
    world.members = ("bob", "carol", "dave")
    world.deny(LISTED, spared=("alice",))
    world.run()
    world.everybody(SERVFAIL)
    world.state.unlink()
    world.wall.networks.clear()
    world.run()
    assert world.blocks("81.2.68.1")
    assert not world.blocks("81.2.69.1")


def test_what_the_configuration_excepts_is_spared(world: Denied) -> None:
    world.members = ("bob", "carol", "dave")
    world.deny(LISTED, spared=("alice", net("81.2.68.0/25")))
    report = world.run()
    assert not world.blocks("81.2.69.1")
    assert not world.blocks("81.2.68.1")
    assert world.blocks("81.2.68.200")
    assert {one.why for one in only(report).spared} >= {"granted to alice", "except"}
    with Store.reading(world.state) as store:
        assert "alice" not in store.open_stays(), "it is let in nowhere"


def test_a_friend_who_is_taken_out_is_blocked_like_anyone(world: Denied) -> None:
    world.run()
    del world.hosts["alice"]
    world.run()
    assert world.blocks("81.2.69.1")


def test_drift_is_repaired(world: Denied) -> None:
    world.run()
    meant = set(world.wall.networks)
    world.wall.networks = {*list(meant)[1:], net("9.9.9.9")}
    world.run()
    assert world.wall.networks == meant


def test_whom_systemd_resolved_asks_is_never_blocked(
    world: Denied, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = world.folder / "resolv.conf"
    behind.write_text("nameserver 81.2.68.53\n")
    monkeypatch.setattr(never_blocked, "BEHIND_STUB", behind)
    world.run()
    assert not world.blocks("81.2.68.53")
    assert world.blocks("81.2.68.54")


def test_an_empty_list_blocks_nothing_and_is_no_failure(world: Denied) -> None:
    world.run()
    world.deny("10.0.0.0/8")
    world.wall.flaws = ["the gate is gone"]
    report = world.run()
    assert (report.exit_code, world.wall.networks, world.wall.flaws) == (0, set(), [])


def test_too_much_is_refused_and_the_old_stays_but_friends(world: Denied) -> None:
    world.run()
    before = set(world.wall.networks)
    world.deny(LISTED, *(f"{n}.0.0.0/8" for n in range(11, 18)))
    world.says["alice.example.org"] = found("81.2.69.77")
    report = world.run()
    assert only(report).report.outcome is Outcome.REFUSED
    assert report.exit_code == 4
    assert "it would block 2.7% of all IPv4 addresses" in only(report).report.said
    assert not world.blocks("81.2.69.77")
    assert world.blocks("81.2.69.78")
    assert not world.blocks("11.0.0.1")
    assert len(world.wall.networks) > len(before)


def test_what_was_accepted_last_is_put_up_again_while_more_is_refused(world: Denied) -> None:
    world.run()
    before = set(world.wall.networks)
    world.deny(LISTED, *(f"{n}.0.0.0/8" for n in range(11, 18)))
    assert only(world.run()).report.outcome is Outcome.REFUSED
    world.wall.networks.clear()
    assert world.run(offline=True).exit_code == 0
    assert not world.wall.networks, "which networks are one's own is not known at boot"
    report = world.run()
    assert (report.exit_code, world.wall.networks) == (4, before)
    world.says["alice.example.org"] = found("81.2.69.77")
    world.run()
    assert not world.blocks("81.2.69.77")


@pytest.mark.parametrize("damage", ["cut", "gone", "writable", "lies"])
def test_what_was_kept_of_it_is_ignored_where_it_is_damaged(world: Denied, damage: str) -> None:
    world.run()
    meant = set(world.wall.networks)
    kept = blocks_path(world.state, "scanners")
    content = kept.read_bytes()
    match damage:
        case "cut":
            kept.write_bytes(content[:-40])
        case "gone":
            kept.unlink()
        case "writable":
            kept.write_bytes(content.replace(b"granted", b"refused"))
            kept.chmod(0o666)
        case _:
            kept.write_bytes(content.replace(b"[[", b"[[1,9],["))
    world.wall.networks.clear()
    assert world.run().exit_code == 0
    assert world.wall.networks == meant
    assert kept.read_bytes() == content


def test_what_goes_wrong_is_no_allowlists_trouble(world: Denied) -> None:
    world.wall.fail_apply = "it is full"
    report = world.run()
    assert report.exit_code == 1
    assert (only(report).report.outcome, only(report).report.said) == (
        Outcome.FAILED,
        "it is full",
    )
    assert report.targets[0].outcome is Outcome.APPLIED
    world.wall.fail_read = "it cannot be read"
    assert only(world.run()).report.said == "could not be read: it cannot be read"
    world.wall.fail_read = world.wall.fail_apply = ""
    assert world.run().exit_code == 0


def test_a_failing_allowlist_holds_up_no_denylist(world: Denied) -> None:
    world.store.fail_read = "it is gone"
    report = world.run()
    assert report.exit_code == 1
    assert world.blocks("81.2.68.1")
    assert not world.blocks("81.2.69.1")


def test_what_is_full_lets_friends_go_at_least(world: Denied) -> None:
    world.deny("81.2.69.0/24")
    world.run()
    held = len(world.wall.networks)
    world.wall.capabilities = Capabilities(max_entries=held, atomic=True)
    world.says["alice.example.org"] = found("81.2.69.77")
    report = world.run()
    assert report.exit_code == 1
    assert not world.blocks("81.2.69.77")
    assert "1 taken out, but nothing was put in: " in only(report).report.said


def test_where_this_machine_is_not_known_nothing_is_blocked(
    world: Denied, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError("the kernel says nothing")

    monkeypatch.setattr(never_blocked, "own_networks", fails)
    report = world.run()
    assert report.exit_code == 1
    what = "the networks that must never be blocked are unknown: the kernel says nothing"
    assert only(report).report.said == what
    assert not world.wall.networks
    assert world.held
    (standing,) = world.look().blocked
    assert (standing.readable, standing.reason) == (False, what)


def test_offline_nothing_is_added_and_a_friend_is_let_go(world: Denied) -> None:
    world.run(offline=True)
    assert world.wall.networks == set(), "which networks are one's own is not known at boot"
    world.run()
    world.change("alice", networks=(net("81.2.69.77"),))
    world.run(offline=True)
    assert not world.blocks("81.2.69.77")
    assert world.blocks("81.2.69.78")


def test_alone_it_asks_for_every_friend_first(world: Denied) -> None:
    report = world.run("scanners")
    assert (report.targets, len(report.decisions)) == ((), 4)
    assert not world.blocks("81.2.69.1")
    assert world.blocks("81.2.69.9")
    assert world.run("web").blocked == ()


def test_alone_it_spares_whom_an_allowlist_lets_in_that_is_not_in_the_run(world: Denied) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    world.run()
    for _ in range(9):
        world.run("scanners")
    assert "81.2.69.1" in world.held
    assert not world.blocks("81.2.69.1"), "the allowlist's target still lets it in"
    world.run()
    assert "81.2.69.1" not in world.held
    assert world.blocks("81.2.69.1")
    world.says["alice.example.org"] = found("81.2.69.1")
    world.run("web")
    world.state.unlink()
    world.wall.networks.clear()
    world.everybody(SERVFAIL)
    world.run("scanners")
    assert not world.blocks("81.2.69.1"), "as after a lost state"
    world.store.fail_read = "it is gone"
    assert world.run("scanners").exit_code == 3


def test_a_dry_run_writes_nothing_and_tells_what_is_spared(world: Denied) -> None:
    report = world.run(dry_run=True)
    assert not world.wall.networks
    assert not list(world.folder.iterdir())
    said = [line.text for line in block_lines(report, every_target=True)]
    assert said[0] == "scanners/wall"
    assert said[1].startswith("  + 81.2.68.0/24")
    assert said[-4:] == [
        f"  never blocked: 81.2.69.{n} (granted to {name})"
        for n, name in enumerate(("alice", "bob", "carol", "dave"), start=1)
    ]


def test_the_history_has_a_line_and_the_state_no_network(world: Denied) -> None:
    world.run()
    world.run()
    with Store.reading(world.state) as store:
        turns = [one for one in store.past(T0).turns if one.target == "scanners/wall"]
        memory = store.target("scanners/wall")
    many = len(world.wall.networks)
    assert [(one.outcome, one.what) for one in turns] == [
        ("changed", f"{many} more blocked, 0 no longer: {many} networks in all")
    ]
    assert memory is not None
    assert memory.entries == ()


def test_the_status_tells_how_it_stands(world: Denied) -> None:
    world.run()
    standing = world.look()
    lines = [line.text for line in status_lines(standing.blocked)]
    assert lines[0] == f"scanners/wall is in sync ({len(world.wall.networks)} networks blocked)"
    assert "    never blocked: 81.2.69.1 (granted to alice)" in lines
    assert exit_code(standing) == 0
    (told,) = status_document(standing, ExitCode.IN_STEP)["blocked"]
    assert (told["target"], told["denylist"]) == ("scanners/wall", "scanners")
    assert (told["in_step"], told["state"]) == (True, "in_sync")
    assert told["networks"] == len(world.wall.networks)
    world.wall.networks.clear()
    after = world.look()
    assert [one.in_step for one in after.blocked] == [False]
    assert exit_code(after) == 1
    assert next(status_lines(after.blocked)).text.startswith("scanners/wall is out of sync (0 ")
    world.wall.fail_read = "it is gone"
    assert [line.text for line in status_lines(world.look().blocked)] == ["scanners/wall failed"]


def test_a_state_that_cannot_be_written_holds_nothing_up(
    world: Denied, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, *_: object) -> None:
        raise StateUnwritable(store.path, "No space left on device")

    monkeypatch.setattr(Store, "keep_target", full)
    report = world.run()
    assert world.blocks("81.2.68.1")
    assert (report.exit_code, only(report).report.outcome) == (1, Outcome.UNRECORDED)
    assert only(report).report.said.startswith("enforced, but not recorded: ")


LEVEL1 = "# bogons and all\n10.0.0.0/8\n224.0.0.0/3\n81.2.68.0/24 ; a comment\n81.2.69.0/24\n"


def test_a_list_of_others_is_blocked_but_friends_and_bogons(world: Denied) -> None:
    path = world.publish(LEVEL1)
    report = world.run()
    assert report.exit_code == 0
    assert world.blocks("81.2.68.1")
    assert not world.blocks("81.2.69.1")
    assert not world.blocks("10.0.0.1")
    path.write_text("81.2.68.0/25\n81.2.69.0/25\n9.9.9.0/24\n")
    world.run()
    assert world.blocks("9.9.9.9")
    assert not world.blocks("81.2.69.200")
    said = list(about_asked(net("9.9.9.9"), world.look().blocked, world.config))
    assert said == ["scanners/wall blocks it: 9.9.9.0/24 (by lists.level1)"]


def test_of_a_list_that_is_not_known_the_old_stays_but_friends(world: Denied) -> None:
    path = world.publish(LEVEL1)
    world.run()
    held = len(world.wall.networks)
    world.lists = {"level1": ListSource(file=world.folder / "elsewhere.netset")}
    for kept in world.state.parent.glob("*.list"):
        kept.unlink()
    world.says["alice.example.org"] = found("81.2.69.77")
    report = world.run()
    assert not world.blocks("81.2.69.77")
    assert world.blocks("81.2.69.78")
    assert len(world.wall.networks) > held - 4
    assert any("its networks are unknown" in one.what for one in report.notices)
    path.unlink()


def test_a_list_that_stays_unknown_ends_when_it_would_have_ended_known(world: Denied) -> None:
    path = world.publish(LEVEL1)
    os.utime(path, (world.instant.timestamp(),) * 2)
    world.deny("9.9.9.0/24", lists=("level1",))
    world.run()
    world.lists = {"level1": ListSource(file=world.folder / "elsewhere.netset")}
    list_path(world.state, "level1").unlink()
    world.instant += timedelta(days=13)
    world.run()
    assert world.blocks("81.2.68.1")
    world.instant += timedelta(days=2)
    report = world.run()
    assert not world.blocks("81.2.68.1")
    assert world.blocks("9.9.9.9")
    assert "lists.level1: none of it is blocked" in only(report).report.said


def test_of_a_list_that_never_was_known_it_counts_from_the_first_run(world: Denied) -> None:
    world.wall.networks.add(net("8.8.8.0/24"))
    world.lists = {"level1": ListSource(file=world.folder / "elsewhere.netset")}
    world.deny(lists=("level1",))
    world.run()
    assert world.blocks("8.8.8.8"), "what was kept is lost, not what is blocked"
    world.instant += timedelta(days=15)
    world.run()
    assert not world.wall.networks
    world.run()
    assert not world.wall.networks


def test_a_list_is_read_when_something_has_changed(
    world: Denied, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.publish(LEVEL1)
    world.run()
    read: list[str] = []
    spans = KeptList.spans

    def noted(one: KeptList) -> object:
        read.append(one.name)
        return spans(one)

    monkeypatch.setattr(KeptList, "spans", noted)
    world.run()
    world.look()
    assert read == []
    world.says["alice.example.org"] = found("81.2.69.77")
    world.run()
    assert read == ["level1"]
    path.write_text("81.2.68.0/25\n81.2.69.0/25\n9.9.9.0/24\n")
    world.run()
    assert read == ["level1"] * 2
    assert world.blocks("9.9.9.9")


def test_what_a_list_says_wrongly_leaves_the_old_in_force(world: Denied) -> None:
    path = world.publish(LEVEL1)
    world.run()
    before = set(world.wall.networks)
    for text in ("", "<html>an error</html>", "8.0.0.0/6\n"):
        path.write_text(text)
        world.run()
        assert world.wall.networks == before


def test_an_old_list_is_dropped(world: Denied) -> None:
    old = (world.instant - timedelta(days=15)).timestamp()
    path = world.publish(LEVEL1, refresh=timedelta(days=1))
    os.utime(path, (world.instant.timestamp(),) * 2)
    world.run()
    assert world.wall.networks
    os.utime(path, (old, old))
    report = world.run()
    assert not world.wall.networks
    assert "it is older than `keep`" in only(report).report.said


def test_what_each_run_looks_at_for_long_is_told(world: Denied) -> None:
    world.run()
    slow = [replace(one, seconds=1.5) for one in world.look().blocked]
    found = [str(one) for one in about_blocked(slow, ran=True)]
    assert [one for one in found if "reading it takes 1.5 s in each run" in one]
    assert [one for one in found if "blocks nothing that comes over IPv6" in one]
    world.wall.networks.clear()
    assert any("out of sync" in str(one) for one in about_blocked(world.look().blocked, ran=True))
