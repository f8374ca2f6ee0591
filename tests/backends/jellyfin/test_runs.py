"""Whole runs of the program against a Jellyfin: exit codes, documents, kills, a lost state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from testkit.fake_jellyfin import JellyfinFault
from tests.support.jellyfin_targets import FILTER, LAN, PROXIES, held, target
from tests.support.program import Installation, ProgramResult, killed_when
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from allowsync_backends.jellyfin import JellyfinSetting

    from testkit.fake_jellyfin import FakeJellyfin

ALICE, BOB, STRANGER = "81.2.69.1", "81.2.69.2", "81.2.69.77"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer({"alice.example.org": [ALICE]}) as serving:
        yield serving


@pytest.fixture
def here(tmp_path: Path, fake: FakeJellyfin, server: NameServer) -> Installation:
    key = tmp_path / "jellyfin.key"
    key.touch(mode=0o600)
    key.write_text(fake.key)
    hosts: dict[str, object] = {"alice": "alice.example.org"}
    made = Installation(tmp_path, server, hosts, {"canary": False})
    return configured(made, fake, FILTER)


def configured(
    here: Installation, fake: FakeJellyfin, *settings: JellyfinSetting, **more: object
) -> Installation:
    common = {"url": fake.url, "api_key_file": "./jellyfin.key", **more}
    here.targets = [
        {"jellyfin": {**common, "setting": one.value, "name": one.value.replace("_", "-")}}
        for one in settings
    ]
    return here


def run(
    here: Installation, fake: FakeJellyfin, command: str = "apply --output json"
) -> ProgramResult:
    """The key is never shown, whatever happens."""
    done = here(command)
    assert fake.key not in done.out + done.err
    return done


def outcome(done: ProgramResult) -> tuple[int, str]:
    return done.code, done.document["targets"][0]["outcome"]


def ours(fake: FakeJellyfin, setting: JellyfinSetting = FILTER) -> set[str]:
    return held(target(fake, setting, "web").read())


def test_a_friend_gets_in_and_an_idle_run_asks_once(here: Installation, fake: FakeJellyfin) -> None:
    assert outcome(run(here, fake, "apply --dry-run --output json")) == (0, "planned")
    assert fake.writes == []
    assert outcome(run(here, fake)) == (0, "applied")
    assert (fake.lets_in(ALICE), fake.lets_in(STRANGER)) == (True, False)
    fake.calls.clear()
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert [one.path for one in fake.calls] == ["/System/Configuration/network"]


def test_a_friend_who_moves_is_in_at_once_and_out_at_the_old_address_later(
    here: Installation, fake: FakeJellyfin, server: NameServer
) -> None:
    here.policy = {"canary": False, "keep_replaced": "0s", "replaced_runs": 1}
    run(here, fake)
    server.zones["alice.example.org"] = [BOB]
    for _ in range(2):
        assert run(here, fake).code == 0
    assert (fake.lets_in(BOB), fake.lets_in(ALICE)) == (True, False)


def test_one_run_mends_what_the_dashboard_undid_in_its_middle(
    here: Installation, fake: FakeJellyfin
) -> None:
    page = dict(fake.settings)

    def save() -> None:
        fake.after_write = lambda: None
        fake.store(**{**page, "RemoteIPFilter": ["198.51.100.0/24"]})

    fake.after_write = save
    assert outcome(run(here, fake)) == (0, "applied")
    assert fake.settings["RemoteIPFilter"][0] == "198.51.100.0/24"
    assert ours(fake) == {f"{ALICE}/32"}
    record("interference", cases=1, lock_outs=0, strangers=0)


def test_an_outcome_that_was_not_seen_is_unknown_and_settled_by_the_next_run(
    here: Installation, fake: FakeJellyfin
) -> None:
    def fail() -> None:
        fake.after_write = lambda: None
        fake.faults["GET"] = [JellyfinFault.CUT_BEFORE]

    fake.after_write = fail
    assert outcome(run(here, fake)) == (1, "unknown")
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert ours(fake) == {f"{ALICE}/32"}
    record("faults", cases=1, lock_outs=0, strangers=0)


@pytest.mark.parametrize("when", ["before_write", "after_write"])
def test_a_run_that_is_killed_around_its_write_leaves_all_as_it_was_or_should_be(
    here: Installation, fake: FakeJellyfin, when: str
) -> None:
    fake.store(RemoteIPFilter=["198.51.100.0/24"], BaseUrl="/media")
    killed_when(here, fake, when)
    assert fake.settings["RemoteIPFilter"][0] == "198.51.100.0/24"
    assert run(here, fake).code == 0
    assert ours(fake) == {f"{ALICE}/32"}
    assert fake.settings["RemoteIPFilter"].count(f"{ALICE}/32") == 1
    assert fake.settings["BaseUrl"] == "/media"
    record("kills", cases=1, lock_outs=0, strangers=0)


def test_a_run_that_is_killed_before_the_restart_is_continued_by_the_next(
    here: Installation, fake: FakeJellyfin
) -> None:
    configured(here, fake, PROXIES, restart=True)
    killed_when(here, fake, "after_write")
    assert fake.restarts == 0
    (here.state).unlink(missing_ok=True)
    assert outcome(run(here, fake)) == (0, "applied")
    assert fake.restarts == 1
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert fake.restarts == 1


def test_without_its_state_it_knows_its_own_and_no_others(
    here: Installation, fake: FakeJellyfin
) -> None:
    fake.store(RemoteIPFilter=["198.51.100.0/24", f"{ALICE}/32"])
    run(here, fake)
    here.state.unlink()
    assert outcome(run(here, fake)) == (0, "unchanged")
    assert run(here, fake, "clear --yes").code == 0
    assert fake.settings["RemoteIPFilter"] == ["198.51.100.0/24", f"{ALICE}/32"]


def test_three_settings_of_one_server_are_kept_by_one_run(
    here: Installation, fake: FakeJellyfin
) -> None:
    configured(here, fake, FILTER, LAN, PROXIES)
    assert run(here, fake).code == 0
    assert [ours(fake, one) for one in (FILTER, LAN, PROXIES)] == [{f"{ALICE}/32"}] * 3
    fake.calls.clear()
    assert run(here, fake).code == 0
    assert fake.writes == []


def test_the_former_setting_is_told_until_it_is_cleared(
    here: Installation, fake: FakeJellyfin
) -> None:
    run(here, fake)
    configured(here, fake, LAN)
    done = run(here, fake)
    assert ours(fake, LAN) == ours(fake, FILTER) == {f"{ALICE}/32"}
    assert "--only web/remote-filter' removes it" in done.out


@pytest.mark.parametrize("command", ["check", "status", "explain alice", "apply", "clear --yes"])
def test_a_server_that_is_not_there_fails_alone_and_is_named(
    here: Installation, fake: FakeJellyfin, command: str
) -> None:
    here.targets.append({"file": {"path": str(here.file)}})
    run(here, fake)
    fake.go_down(10**6)
    done = run(here, fake, command)
    assert done.code == (0 if command.startswith("explain") else 1)
    assert here.file.exists() is not command.startswith("clear")
    fake.go_down(0)
    assert ours(fake) == {f"{ALICE}/32"}


def test_without_a_network_it_is_left_alone(here: Installation, fake: FakeJellyfin) -> None:
    run(here, fake)
    fake.calls.clear()
    assert run(here, fake, "apply --offline").code == 0
    assert fake.calls == []


@pytest.mark.parametrize("arrange", ["block list", "empty key", "another key"])
def test_what_cannot_be_kept_fails_and_lets_in_no_one(
    here: Installation, fake: FakeJellyfin, arrange: str
) -> None:
    arranged: dict[str, Callable[[], object]] = {
        "block list": lambda: fake.store(IsRemoteIPFilterBlacklist=True),
        "empty key": lambda: (here.folder / "jellyfin.key").write_text(""),
        "another key": lambda: (here.folder / "jellyfin.key").write_text("0" * 32),
    }
    arranged[arrange]()
    before = dict(fake.settings)
    assert outcome(run(here, fake)) == (1, "failed")
    assert fake.settings == before
