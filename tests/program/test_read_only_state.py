"""A state that can be read and not written: what is enforced stays so, and it is said."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from allowsync.state.files import unrecorded_mark
from tests.support.journals import killed_while_writing
from tests.support.netns import Namespace
from tests.support.program import ProgramResult, allowsync
from tests.support.values import SERVFAIL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Installation

pytestmark = pytest.mark.root

FROZEN = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def frozen(folder: Path) -> tuple[str, ...]:
    """What comes before a command that sees a folder as on a disk that is read-only."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", FROZEN, str(folder))


def applied(here: Installation, *arguments: str) -> ProgramResult:
    here.write()
    return allowsync(
        "apply",
        "--output",
        "json",
        *arguments,
        "--config",
        here.path,
        prefix=frozen(here.state.parent),
    )


def outcomes(done: ProgramResult) -> list[str]:
    return [one["outcome"] for one in done.document["targets"]]


@pytest.mark.parametrize("killed", [False, True], ids=["whole", "with a journal to play back"])
def test_what_is_gone_comes_back_by_what_can_be_read(
    as_root: None, here: Installation, zones: dict[str, object], killed: bool
) -> None:
    here("apply")
    known = here.allowed
    if killed:
        killed_while_writing(here.state)
    zones.update(dict.fromkeys(zones, SERVFAIL))
    before = {one.name: one.read_bytes() for one in here.state.parent.iterdir()}
    for arguments in (("--offline",), ()):
        here.file.unlink()
        done = applied(here, *arguments)
        assert (done.code, outcomes(done), here.allowed) == (1, ["unrecorded"], known)
        assert "enforced, but not recorded" in done.document["targets"][0]["reason"]
    assert {one.name: one.read_bytes() for one in here.state.parent.iterdir()} == before


def test_a_friend_who_moves_gets_in_and_it_is_remembered_once_that_can_be_done(
    as_root: None, here: Installation, zones: dict[str, object]
) -> None:
    here("apply")
    zones["bob.example.org"] = ["81.2.69.9"]
    done = applied(here)
    assert (done.code, outcomes(done)) == (1, ["unrecorded"])
    assert {"81.2.69.2/32", "81.2.69.9/32"} <= set(here.allowed)
    assert here("apply").code == 0
    assert "81.2.69.9" in here("explain", "bob").out
    assert here("status").code == 0


def test_a_friend_who_moved_stays_in_when_the_dns_is_silent_before_that_is_remembered(
    as_root: None, here: Installation, zones: dict[str, object]
) -> None:
    """The state knows the former address alone, so the new one looks like another's addition."""
    here.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    here("apply")
    zones["bob.example.org"] = ["81.2.69.9"]
    assert applied(here).code == 1
    assert "81.2.69.2/32" not in here.allowed
    zones["bob.example.org"] = SERVFAIL
    assert applied(here).code == 1
    assert {"81.2.69.2/32", "81.2.69.9/32"} <= set(here.allowed)
    zones["bob.example.org"] = ["81.2.69.9"]
    assert here("apply").code == 0
    assert "81.2.69.2/32" not in here.allowed
    assert "81.2.69.9/32" in here.allowed


@pytest.mark.parametrize("asked", [("--force",), ("--only", "web/file"), ("--offline",)])
def test_who_moved_meanwhile_stays_in_when_the_dns_is_silent_once_the_disk_is_whole(
    as_root: None, here: Installation, zones: dict[str, object], asked: tuple[str, ...]
) -> None:
    here.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    here("apply")
    here.file.write_text(here.file.read_text() + "6.6.6.6/32\n")
    assert here("apply").code == 0
    assert "6.6.6.6/32" not in here.allowed  # as long as everything is on record
    zones["bob.example.org"] = ["81.2.69.9"]
    assert applied(here).code == 1
    zones["bob.example.org"] = SERVFAIL
    for arguments in (asked, (), ()):
        here("apply", *arguments)
        assert "81.2.69.9/32" in here.allowed
    assert not os.path.lexists(unrecorded_mark(here.state))
    zones["bob.example.org"] = ["81.2.69.10"]
    for _ in range(3):
        assert here("apply").code == 0
    assert "81.2.69.10/32" in here.allowed


def test_a_guard_over_runs_lets_nobody_in_that_it_cannot_count(
    as_root: None, here: Installation, zones: dict[str, object]
) -> None:
    """Where made-up names are answered, an address has to come three runs in a row."""
    here("apply")
    before = here.allowed
    zones["bob.example.org"] = ["81.2.69.9"]
    zones["*"] = ["81.2.69.50"]
    for _ in range(5):
        assert applied(here).code == 1
    assert here.allowed == before


def test_a_first_run_that_cannot_be_recorded_goes_by_what_is_known_now(
    as_root: None, here: Installation
) -> None:
    here.state.parent.mkdir(mode=0o700)
    done = applied(here)
    assert (done.code, outcomes(done), here.file.exists()) == (1, ["unrecorded"], True)
    assert "81.2.69.1/32" in here.allowed


def test_a_gate_is_put_up_again_though_nothing_can_be_written(
    as_root: None, tmp_path: Path
) -> None:
    config, state = tmp_path / "config.yaml", tmp_path / "state" / "state.db"
    document = {
        "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
        "allowlists": {"x": {"targets": [{"nftables": {"ports": ["8096/tcp"]}}]}},
        "state": str(state),
    }
    config.write_text(json.dumps(document))
    config.chmod(0o600)
    with Namespace() as inside:
        assert inside.run(allowsync, "apply", "--config", config).code == 0
        gate = inside.command("nft", "-s", "list", "ruleset")
        inside.nft("flush ruleset")
        done = inside.run(
            allowsync, "apply", "--offline", "--config", config, prefix=frozen(state.parent)
        )
        assert done.code == 1
        assert inside.command("nft", "-s", "list", "ruleset") == gate


@pytest.mark.parametrize("lost", ["nothing", "its disk can be written", "it is damaged, too"])
def test_who_is_locked_out_opens_the_gate_by_clear_whatever_the_state_is(
    as_root: None, tmp_path: Path, lost: str
) -> None:
    config, state = tmp_path / "config.yaml", tmp_path / "state" / "state.db"

    def configure(port: str, allowlist: str) -> None:
        document = {
            "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
            "allowlists": {allowlist: {"targets": [{"nftables": {"ports": [port]}}]}},
            "state": str(state),
        }
        config.write_text(json.dumps(document))
        config.chmod(0o600)

    def run(*arguments: str, prefix: tuple[str, ...] = ()) -> ProgramResult:
        return inside.run(allowsync, *arguments, "--config", config, prefix=prefix)

    with Namespace() as inside:
        configure("22/tcp", "left")
        assert run("apply").code == 0
        configure("8096/tcp", "x")
        run("apply")
        if lost != "nothing":
            state.write_bytes(b"damaged")
        writable = lost == "its disk can be written"
        done = run("clear", "--yes", prefix=() if writable else frozen(state.parent))
        assert done.code == 1
        for name in ("x", "left"):
            assert f"{name}/nftables: cleared, but not recorded: the state" in done.err
        left, x = sorted(done.err.splitlines())[:2]
        assert left.endswith("; clear it again once the state can be written")
        assert x.endswith("an active schedule restores it")
        assert inside.command("nft", "list", "ruleset") == ""
        # Closed stays closed for everybody else: the next run puts the gate up again.
        assert run("apply", "--offline").code in (0, 1)
        assert "table inet allowsync_x" in inside.command("nft", "list", "ruleset")
        assert run("clear", "--yes").code == 0
        assert inside.command("nft", "list", "ruleset") == ""


FORMER: dict[str, dict[str, object]] = {
    "nftables": {"nftables": {"ports": [22]}},
    "a set": {"nftables": {"set": {"table": "inet own", "ipv4": "friends"}}},
    "ipset": {"ipset": {"ports": [22]}},
    "sets": {"ipset": {}},
    "file": {"file": {}},
}


@pytest.mark.parametrize("former", FORMER.values(), ids=FORMER)
def test_what_was_cleared_is_called_enforced_by_no_run_though_the_state_remembers_it(
    as_root: None, tmp_path: Path, former: dict[str, object]
) -> None:
    config, state, path = (tmp_path / one for one in ("config.yaml", "state", "former.txt"))
    if "file" in former:
        former = {"file": {"path": str(path)}}

    def configure(**lists: object) -> None:
        document = {
            "hosts": {"office": {"networks": ["81.2.69.0/24"]}},
            "allowlists": {name: {"targets": [one]} for name, one in lists.items()},
            "state": str(state / "state.db"),
        }
        config.write_text(json.dumps(document))
        config.chmod(0o600)

    def run(*arguments: str, prefix: tuple[str, ...] = ()) -> ProgramResult:
        return inside.run(allowsync, *arguments, "--config", config, prefix=prefix)

    listed = {"file": {"path": str(tmp_path / "listed.txt")}}
    with Namespace() as inside:
        inside.nft("table inet own { set friends { type ipv4_addr; flags interval; }; }")
        configure(x=listed, left=former)
        assert run("apply").code == 0
        configure(x=listed)
        told = run("apply").err
        assert "is no longer configured" in told
        only = told.partition("'allowsync clear --only ")[2].partition("'")[0]
        done = run("clear", "--yes", "--only", only, prefix=frozen(state))
        assert (done.code, done.err.count("cleared, but not recorded")) == (1, 1)
        for command in ("apply", "status", "check --no-packets"):
            for prefix in (frozen(state), ()):
                done = run(*command.split(), prefix=prefix)
                assert "no longer configured" not in done.err + done.out, command
        assert run("clear", "--yes", "--only", only).code == 0
