"""Gates whose allowlist, target or configuration is gone: told, and cleared alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from allowsync.state.files import last_run_marks, take_mark
from testkit.fake_dns.nameserver import NameServer
from tests.support.netns import Namespace
from tests.support.program import Installation, allowsync
from tests.support.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import ProgramResult

pytestmark = pytest.mark.root

ALICE, MOVED = "81.2.69.1", "81.2.69.2"
PORTS, MAIL = {"ports": ["443/tcp"]}, {"ports": ["993/tcp"]}
KINDS = ["nftables", "ipset"]
# In a sample each kind with the one, and the other with the other.
CROSSED = sample(((0, False), (0, True), (1, True), (1, False)), 2)
RENAMED = [
    pytest.param(KINDS[first], lost, id=f"{KINDS[first]}-{'lost' if lost else 'kept'}")
    for first, lost in CROSSED
]
EXCHANGED = [
    pytest.param(
        KINDS[first],
        KINDS[1 - first],
        named,
        id=f"{KINDS[first]}-{'named' if named else 'unnamed'}",
    )
    for first, named in CROSSED
]


class Inside(Installation):
    """An installation whose every command runs in a namespace."""

    inside: Namespace

    def __call__(self, command: str, *arguments: str, **options: object) -> ProgramResult:
        return self.inside.run(super().__call__, command, *arguments)

    def guard(self, allowlist: str, *targets: object, address: str = ALICE) -> ProgramResult:
        """Configure one allowlist with some targets, and run."""
        self.hosts = {"alice": {"networks": [address]}}
        self.more = {"allowlists": {allowlist: {"targets": list(targets)}}}
        return self("apply")

    def gates(self) -> set[str]:
        """The allowlists that have a gate, of either kind."""
        tables = self.inside.command("nft", "list", "tables").split()
        sets = self.inside.command("ipset", "-n", "list").split()
        names = {one.removeprefix("allowsync_") for one in tables if "allowsync_" in one}
        return names | {one.split("-")[1] for one in sets if one.startswith("allowsync-")}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


def installed(folder: Path, inside: Namespace, server: NameServer) -> Inside:
    folder.mkdir(exist_ok=True)
    installation = Inside(folder, server)
    installation.inside = inside
    return installation


@pytest.fixture
def here(inside: Namespace, tmp_path: Path) -> Iterator[Inside]:
    with inside.run(NameServer, {}) as server:
        yield installed(tmp_path / "one", inside, server)


def command_in(done: ProgramResult) -> list[str]:
    """The arguments of the command that a message gives."""
    text = " ".join((done.out + done.err).split())
    return text.partition("'allowsync ")[2].partition("'")[0].split()


@pytest.mark.parametrize(("kind", "lost"), RENAMED)
def test_the_gate_of_a_renamed_allowlist_fails_runs_until_it_is_cleared_alone(
    here: Inside, kind: str, lost: bool
) -> None:
    assert here.guard("jellyfin", {kind: PORTS}).code == 0
    if lost:
        shutil.rmtree(here.state.parent)
    for _ in range(2):
        done = here.guard("media", {kind: PORTS}, address=MOVED)
        assert done.code == 1
        assert f"jellyfin/{kind}: is no longer configured, but " in done.err
    assert here("status").code == 1
    assert here("check").code == 1
    asked = here("explain", MOVED, "--output", "json").document
    assert asked["allowed"] == "unknown"
    assert command_in(done) == ["clear", "--only", f"jellyfin/{kind}"]
    assert here(" ".join(command_in(done)), "--yes").code == 0
    assert here.gates() == {"media"}
    done = here("apply")
    assert (done.code, done.err) == (0, "")
    assert here("explain", MOVED, "--output", "json").document["allowed"] == "yes"


@pytest.mark.parametrize(("before", "after"), [KINDS, KINDS[::-1]], ids=KINDS)
def test_a_gate_of_another_kind_is_told_in_every_run_though_the_state_was_lost(
    here: Inside, before: str, after: str
) -> None:
    assert here.guard("web", {before: PORTS}).code == 0
    shutil.rmtree(here.state.parent)
    for _ in range(3):
        done = here.guard("web", {after: PORTS})
        assert done.code == 1
        assert f"web/{before}: is no longer configured, but " in done.err
    assert here(" ".join(command_in(done)), "--yes").code == 0
    done = here("apply")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("before", "after", "named"), EXCHANGED)
def test_after_a_change_of_backend_the_command_leaves_the_new_target_alone(
    here: Inside, before: str, after: str, named: bool
) -> None:
    name = {"name": "gate"} if named else {}
    assert here.guard("web", {before: {**PORTS, **name}}).code == 0
    done = here.guard("web", {after: {**PORTS, **name}})
    assert done.code == 1
    assert here(" ".join(command_in(done)), "--yes").code == 0
    assert here("apply").code == 0
    found = here("status", "--output", "json").document["targets"]
    assert [(one["in_step"], len(one["entries"])) for one in found] == [(True, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_live_gate_of_another_configuration_is_neither_told_nor_cleared(
    here: Inside, tmp_path: Path, kind: str
) -> None:
    other = installed(tmp_path / "two", here.inside, here.server)
    assert here.guard("jellyfin", {kind: PORTS}).code == 0
    assert other.guard("media", {kind: PORTS}).code == 0
    shutil.rmtree(here.state.parent)
    for one in (here, other):
        for command in ("apply", "status"):
            done = one(command)
            assert (done.code, "no longer" in done.err + done.out) == (0, False)
    # An allowlist that moved to the other configuration is that one's from when that is said.
    here.guard("jellyfin", {kind: PORTS})
    other.guard("jellyfin", {kind: PORTS})
    other("apply --force")
    assert here.guard("ssh", {kind: PORTS}).code == 0
    assert here("clear", "--yes").code == 0
    assert here.gates() == {"jellyfin", "media"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_of_the_same_name_is_left_to_the_configuration_that_put_it_up(
    here: Inside, tmp_path: Path, kind: str
) -> None:
    other = installed(tmp_path / "two", here.inside, here.server)
    assert here.guard("web", {kind: PORTS}).code == 0
    for _ in range(2):
        done = other.guard("web", {kind: PORTS}, address=MOVED)
        assert (done.code, done.out) == (1, "")
        assert "belongs to another configuration; nothing was changed" in done.err
    said = other("check", "--no-packets")
    assert said.code == 1
    assert "error: web/" in said.out
    assert "another configuration; nothing was changed; rename the allowlist" in said.out
    assert "repairs it" not in said.out
    assert other("clear", "--yes").code == 1
    done = here.guard("web", {kind: PORTS})
    assert (done.code, done.out, done.err) == (0, "", "")
    # Its file was renamed: it is no other for that, its state knows what it put up.
    here.path.rename(tmp_path / "one" / "renamed.yaml")
    renamed = tmp_path / "one" / "renamed.yaml"
    done = here.inside.run(allowsync, "apply", "--config", renamed)
    assert (done.code, done.err) == (0, "")
    # It is taken over for good: the first one does not take it back, and does not open it.
    taken = other.inside.run(allowsync, "apply", "--force", "--config", other.path)
    assert taken.code == 0, taken.err
    for command in (("apply",), ("apply", "--dry-run"), ("clear", "--yes"), ("check",)):
        done = here.inside.run(allowsync, *command, "--config", renamed)
        assert done.code == 1, command
        assert "belongs to another configuration" in done.out + done.err, command
    assert other.inside.run(allowsync, "apply", "--config", other.path).code == 0
    done = here.inside.run(allowsync, "apply", "--force", "--config", renamed)
    assert done.code == 0, done.err


def test_a_second_configuration_is_refused_the_state_of_the_first(
    here: Inside, tmp_path: Path
) -> None:
    other = installed(tmp_path / "two", here.inside, here.server)
    assert here.guard("web", {"nftables": PORTS}).code == 0
    other.hosts = {"bob": {"networks": [MOVED]}}
    ssh = {"ssh": {"targets": [{"nftables": {"ports": ["22/tcp"]}}]}}
    other.more = {"allowlists": ssh, "state": str(here.state)}
    for command in ("apply", "apply --offline", "clear --yes", "approve bob", "adopt --yes"):
        done = other(command)
        assert done.code == 2, command
        assert f"is the state of the configuration {here.path}" in done.err, command
    for command in ("status", "check", "apply --dry-run"):
        done = other(command)
        said = done.out + done.err
        assert f"is the state of the configuration {here.path}" in said, command
        assert "no longer configured" not in said, command
    done = here("apply")
    assert (done.code, done.out, done.err, here.gates()) == (0, "", "", {"web"})
    # Where the first is gone, its state goes to what came in its place.
    here.path.unlink()
    done = other("apply")
    assert (done.code, other.gates()) == (1, {"ssh", "web"})
    assert "web/nftables: is no longer configured, but " in done.err
    assert other(" ".join(command_in(done)), "--yes").code == 0
    done = other("apply")
    assert (done.code, done.err, other.gates()) == (0, "", {"ssh"})


@pytest.mark.parametrize("lost", [False, True], ids=["remembered", "lost"])
@pytest.mark.parametrize("after", KINDS)
def test_the_gate_of_a_configuration_that_moved_is_told_and_cleared_alone(
    here: Inside, tmp_path: Path, after: str, lost: bool
) -> None:
    """Its mark is made of a path where no configuration is any more: no other run would tell."""
    assert here.guard("jellyfin", {"nftables": PORTS}).code == 0
    here.path.unlink()
    moved = installed(tmp_path / "two", here.inside, here.server)
    if lost:
        shutil.rmtree(here.state.parent)
    else:
        here.state.parent.rename(moved.state.parent)
    for _ in range(2):
        done = moved.guard("media", {after: PORTS}, address=MOVED)
        assert done.code == 1
        assert "jellyfin/nftables: is no longer configured, but " in done.err
    assert moved("status").code == 1
    assert moved(" ".join(command_in(done)), "--yes").code == 0
    done = moved("apply")
    assert (done.code, done.err, moved.gates()) == (0, "", {"media"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cleared", [False, True], ids=["in-force", "cleared"])
def test_a_gate_stays_closed_where_the_state_is_elsewhere_and_no_host_is_known(
    here: Inside, kind: str, cleared: bool
) -> None:
    here.guard("web", {kind: PORTS})
    here.hosts = {"alice": "alice.example.net"}
    before = here.state
    if cleared:
        assert here("clear", "--yes").code == 0
    take_down(here.inside)
    here.more = {**here.more, "state": str(here.folder / "elsewhere" / "state.db")}
    done = here("apply")
    assert (done.code, here.gates()) == (1, set() if cleared else {"web"})
    assert (f"the state was {before} until now" in done.err) is not cleared


@pytest.mark.parametrize("elsewhere", [False, True], ids=["lost", "elsewhere"])
def test_a_run_for_another_list_takes_no_lost_state_for_a_first_run(
    here: Inside, elsewhere: bool
) -> None:
    """It makes a state of its own, which knows of a run, and not of the gate that is gone."""
    here.hosts = {"alice": {"networks": [ALICE]}}
    both = {"web": {"targets": [{"nftables": PORTS}]}, "mail": {"targets": [{"ipset": MAIL}]}}
    here.more = {"allowlists": both}
    assert here("apply").code == 0
    here.hosts = {"alice": "alice.example.net"}
    take_down(here.inside)
    if elsewhere:
        here.more = {**here.more, "state": str(here.folder / "elsewhere" / "state.db")}
    else:
        here.state.unlink()
    assert (here("apply --only mail").code, here.gates()) == (1, {"mail"})
    for command in ("apply --offline --only mail", "apply"):
        done = here(command)
    assert (done.code, here.gates()) == (1, {"mail", "web"})


def test_a_run_for_one_list_changes_no_target_of_another_that_shares_no_rule(here: Inside) -> None:
    here.hosts = {"alice": {"networks": [ALICE, MOVED]}}
    both = {"web": {"targets": [{"nftables": PORTS}]}, "mail": {"targets": [{"nftables": MAIL}]}}
    here.more = {"allowlists": both}
    assert here("apply").code == 0
    here.hosts = {"alice": {"networks": [ALICE]}}
    done = here("apply --only web")
    assert (done.code, done.err) == (0, "")
    held = {name: here.inside.command("nft", "list", "table", "inet", f"allowsync_{name}")
            for name in both}  # fmt: skip
    assert (MOVED in held["web"], MOVED in held["mail"]) == (False, True)


def test_a_gate_that_was_saved_and_loaded_again_is_told_and_cleared(here: Inside) -> None:
    here.guard("jellyfin", {"nftables": PORTS})
    saved = here.inside.command("nft", "list", "ruleset")
    assert here("clear", "--yes").code == 0
    here.inside.nft(saved)
    notes = {"file": {"path": str(here.folder / "notes.txt")}}
    here.guard("notes", notes)
    for command in ("status", "apply --offline"):
        assert "jellyfin/nftables: is no longer configured" in here(command).err, command
    assert here("clear", "--yes").code == 0
    assert here.gates() == set()


def test_a_leftover_file_is_cleared_by_the_command_and_the_other_stays(here: Inside) -> None:
    edge, gate = (
        {"file": {"name": name, "path": str(here.folder / f"{name}.txt")}}
        for name in ("edge", "gate")
    )
    here.guard("web", edge, gate)
    done = here.guard("web", edge)
    assert done.code == 0
    assert command_in(done) == ["clear", "--only", "web/gate"]
    assert here(" ".join(command_in(done)), "--yes").code == 0
    assert ALICE in (here.folder / "edge.txt").read_text()
    assert not (here.folder / "gate.txt").exists()


SUCCESSORS = [
    pytest.param("nftables", "media", "nftables", id="renamed"),
    pytest.param("ipset", "jellyfin", "nftables", id="to-nftables"),
    pytest.param("nftables", "jellyfin", "ipset", id="to-ipset"),
]


@pytest.mark.parametrize(("before", "name", "after"), SUCCESSORS)
def test_ports_that_were_guarded_stay_closed_under_another_target_though_no_host_is_known(
    here: Inside, before: str, name: str, after: str
) -> None:
    assert here.guard("jellyfin", {before: PORTS}).code == 0
    here.inside.command("nft", "flush", "ruleset")
    here.inside.command("ipset", "destroy")
    here.hosts = {"bob": "bob.example.net"}
    for ports, gates in ({"ports": ["444/tcp"]}, set()), (PORTS, {name}):
        here.more = {"allowlists": {name: {"targets": [{after: ports}]}}}
        assert here("apply", "--offline").code == 1
        assert here.gates() == gates
        assert here("apply").code != 0
        assert here.gates() == gates


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_state_is_lost_a_gate_under_its_former_name_is_not_closed_by_an_empty_one(
    here: Inside, kind: str
) -> None:
    """It alone knows who is in, until a name answers; once it is gone, ports stay closed."""
    here.guard("jellyfin", {kind: PORTS})
    shutil.rmtree(here.state.parent)
    here.hosts = {"bob": "bob.example.net"}
    here.more = {"allowlists": {"media": {"targets": [{kind: PORTS}]}}}
    assert here("apply", "--offline").code == 1
    assert here.gates() == {"jellyfin"}
    shutil.rmtree(here.state.parent)
    take_down(here.inside)
    assert here("apply", "--offline").code == 1
    assert here.gates() == {"media"}


def test_ports_that_were_opened_by_clear_stay_open_while_no_host_is_known(here: Inside) -> None:
    assert here.guard("jellyfin", {"nftables": PORTS}).code == 0
    assert here("clear", "--yes").code == 0
    here.hosts = {"bob": "bob.example.net"}
    here.more = {"allowlists": {"media": {"targets": [{"nftables": PORTS}]}}}
    assert here("apply", "--offline").code == 1
    assert here.gates() == set()


def test_the_file_of_a_renamed_allowlist_is_written_again_though_no_host_is_known(
    here: Inside,
) -> None:
    path = here.folder / "friends.lst"
    assert here.guard("jellyfin", {"file": {"path": str(path)}}).code == 0
    here.hosts = {"bob": "bob.example.net"}
    here.more = {"allowlists": {"media": {"targets": [{"file": {"path": str(path)}}]}}}
    path.unlink()
    assert here("apply", "--offline").code == 1
    assert ALICE not in path.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_whose_state_was_deleted_is_closed_after_a_restart(here: Inside, kind: str) -> None:
    """What stands beside the state tells that there was one; a first run puts up no empty gate."""
    here.guard("web", {kind: PORTS})
    here.hosts = {"alice": "alice.example.net"}
    here("apply")
    here.state.unlink()
    take_down(here.inside)
    take_mark(last_run_marks(here.state)[1])
    done = here("apply --offline")
    assert (done.code, here.gates()) == (1, {"web"})
    assert "is gone with what the last run knew" in done.err


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_whose_state_was_deleted_lets_in_whom_another_target_still_knows(
    here: Inside, kind: str
) -> None:
    """A list that outlasts a restart, as a file does; who was revoked is not on it."""
    here.server.zones |= {"alice.example.net": [ALICE], "bob.example.net": [MOVED]}
    here.hosts = {"alice": "alice.example.net", "bob": "bob.example.net"}
    beside = {"file": {"path": str(here.folder / "friends.lst")}}
    here.more = {"allowlists": {"web": {"targets": [{kind: PORTS}, beside]}}}
    assert here("apply").code == 0
    assert here("revoke bob").code == 0
    here.state.unlink()
    take_down(here.inside)
    take_mark(last_run_marks(here.state)[1])
    assert here("apply --offline").code == 3
    held = here.inside.command("nft", "list", "ruleset") + here.inside.command("ipset", "save")
    assert (ALICE in held, MOVED in held) == (True, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_is_put_up_for_whom_another_target_lets_in_though_all_else_was_deleted(
    here: Inside, kind: str
) -> None:
    """A list that is there with allowsync's mark tells that this is no first run."""
    here.server.zones["alice.example.net"] = [ALICE]
    here.hosts = {"alice": "alice.example.net"}
    beside = {"file": {"path": str(here.folder / "friends.lst")}}
    here.more = {"allowlists": {"web": {"targets": [{kind: PORTS}, beside]}}}
    assert here("apply").code == 0
    for mark in last_run_marks(here.state):
        take_mark(mark)
    here.state.unlink()
    take_down(here.inside)
    assert here("apply --offline").code == 3
    held = here.inside.command("nft", "list", "ruleset") + here.inside.command("ipset", "save")
    assert (here.gates(), ALICE in held) == ({"web"}, True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_that_is_gone_is_put_up_again_though_the_configuration_is_not_valid(
    here: Inside, kind: str
) -> None:
    """Nothing of what it says is obeyed, and what stands is left as it is."""
    here.guard("web", {kind: PORTS})
    here.freeze = True
    whole = here.path.read_text()
    gate = here.inside.command("nft", "-s", "list", "ruleset")
    for broken in ('"hosts": []', '"hosts": {]', '"no such key": {}, "hosts": {}'):
        here.path.write_text(whole.replace('"hosts": {', broken + ', "unread": {', 1))
        assert here("apply").err.count("\n") == here("apply --dry-run").err.count("\n")
        take_down(here.inside)
        assert here("apply --dry-run").code == 2
        assert here.gates() == set()
        done = here("apply --offline --output json")
        assert (done.code, done.document["exit_code"]) == (2, 2)
        told = {one["where"]: one["what"] for one in done.document["problems"]}
        assert "restored with 1 entry it last held" in told[f"web/{kind}"]
        assert here.inside.command("nft", "-s", "list", "ruleset") == gate
    here.path.write_text(whole)
    done = here("apply")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("options", ["", "--offline"])
def test_a_gate_that_is_gone_is_put_up_again_though_the_configuration_is_gone(
    here: Inside, options: str
) -> None:
    here.guard("web", {"nftables": PORTS})
    here.freeze = True
    gate = here.inside.command("nft", "-s", "list", "ruleset")
    here.path.rename(here.folder / "elsewhere")
    take_down(here.inside)
    done = here(f"apply {options}", "--state", str(here.state))
    assert (done.code, "file not found" in done.err) == (2, True)
    assert "restored with 1 entry it last held" in done.err
    assert here.inside.command("nft", "-s", "list", "ruleset") == gate


def test_a_path_that_was_mistyped_puts_up_no_gate_of_another_configuration(here: Inside) -> None:
    here.guard("web", {"nftables": PORTS})
    here.freeze = True
    take_down(here.inside)
    typed = ("apply", "--config", here.folder / "confg.yaml", "--state", here.state)
    assert here.inside.run(allowsync, *map(str, typed)).code == 2
    assert here.gates() == set()


def test_a_gate_that_was_left_behind_is_not_put_up_again(here: Inside) -> None:
    """It would shut out who moved since."""
    here.guard("jellyfin", {"nftables": PORTS})
    here.guard("media", {"nftables": PORTS}, address=MOVED)
    here.freeze = True
    here.path.write_text("{" + here.path.read_text())
    take_down(here.inside)
    assert here("apply").code == 2
    assert here.gates() == {"media"}


def test_a_gate_that_is_put_up_again_lets_in_no_host_that_was_revoked(here: Inside) -> None:
    here.guard("web", {"nftables": PORTS})
    older = here.state.read_bytes()
    assert here("revoke alice").code == 0
    here.state.write_bytes(older)
    here.freeze = True
    here.path.write_text("{" + here.path.read_text())
    take_down(here.inside)
    assert "restored with 0 entries" in here("apply").err
    assert ALICE not in here.inside.command("nft", "list", "ruleset")


def take_down(inside: Namespace) -> None:
    inside.nft("flush ruleset")
    inside.command("ipset", "destroy")


def test_a_gate_is_put_up_before_a_file_whose_reader_may_hang(tmp_path: Path, here: Inside) -> None:
    seen = tmp_path / "seen"
    reload = ["/bin/sh", "-c", f"nft list tables > {seen}"]
    proxy = {"file": {"path": str(tmp_path / "proxy.txt"), "reload": reload}}
    here.guard("web", proxy, {"nftables": PORTS})
    assert "allowsync_web" in seen.read_text()
