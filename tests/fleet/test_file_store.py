"""A decision carried by a folder: from one machine that resolves to others that follow."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.fleet.document import decoded, encoded
from allowsync.fleet.envelope import new_signing_key, opened, public_key_of, sealed
from allowsync.model.value import replace
from tests.support.fleets import Machine, Machines
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from testkit.fake_dns.nameserver import NameServer
    from tests.support.program import ProgramResult

ALICE = {"hostname": "alice.example.org", "families": ["ipv4"]}


@pytest.fixture
def machines(tmp_path: Path, server: NameServer) -> Machines:
    (tmp_path / "store").mkdir()
    return Machines(tmp_path, server, {"file": str(tmp_path / "store")})


@pytest.fixture
def resolver(machines: Machines) -> Machine:
    bob = {"hostname": "bob.example.org", "families": ["ipv4"]}
    return machines.resolver(alice=ALICE, bob=bob, office={"networks": ["81.2.70.0/24"]})


@pytest.fixture
def applier(machines: Machines) -> Machine:
    return machines.applier()


def test_a_decision_arrives(resolver: Machine, applier: Machine) -> None:
    done = resolver("apply")
    assert (done.code, done.err) == (0, "")
    done = applier("apply")
    assert (done.code, done.err) == (0, "")
    assert applier.allowed == resolver.allowed == ["81.2.69.1/32", "81.2.69.2/32", "81.2.70.0/24"]


def read(machine: Machine, name: str = "web") -> dict[str, Any]:
    envelope = json.loads((Path(machine.store["file"]) / f"{name}.json").read_text())
    document = json.loads(b64decode(envelope["payload"]))
    assert isinstance(document, dict)
    return document


def test_who_follows_asks_no_dns(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    asked = len(resolver.server.asked)
    applier("apply")
    applier("apply")
    assert len(resolver.server.asked) == asked


def test_a_move_arrives(resolver: Machine, applier: Machine, zones: dict[str, object]) -> None:
    resolver.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    resolver("apply")
    applier("apply")
    zones["alice.example.org"] = ["81.2.69.7"]
    resolver("apply")
    done = applier("apply")
    assert done.code == 0
    assert "81.2.69.7/32" in applier.allowed
    assert applier.allowed == resolver.allowed


def test_nothing_new_changes_nothing(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    before = applier.file.stat().st_mtime_ns
    sequence = read(resolver)["sequence"]
    resolver("apply")
    done = applier("apply")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert applier.file.stat().st_mtime_ns == before
    assert read(resolver)["sequence"] == sequence


def test_explain_and_status_tell_of_hosts_that_are_followed(
    resolver: Machine, applier: Machine
) -> None:
    resolver("apply")
    applier("apply")
    (alice, *_) = applier("status --output json").document["hosts"]
    assert alice["host"] == "alice"
    (grant,) = alice["grants"]
    assert (grant["network"], grant["basis"]) == ("81.2.69.1/32", "fresh")
    assert "alice.example.org" in applier("explain", "81.2.69.1").out
    assert "office" in applier("history").out


def test_a_host_that_a_newer_document_lacks_loses_access(
    resolver: Machine, applier: Machine
) -> None:
    resolver("apply")
    applier("apply")
    del resolver.hosts["bob"]
    resolver("apply")
    assert applier("apply").code == 0
    assert applier.allowed == ["81.2.69.1/32", "81.2.70.0/24"]


def test_no_store_keeps_everything(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    held = applier.allowed
    store = Path(applier.store["file"])
    store.rename(store.with_name("elsewhere"))
    for _ in range(3):
        done = applier("apply")
        assert done.code == 3
        assert "fleet home.web: it has no new document: the store holds no document" in done.err
        assert applier.allowed == held


def test_before_the_first_document_what_is_there_stays(applier: Machine) -> None:
    applier.file.write_text("# by hand\n81.2.99.1\n")
    done = applier("apply")
    assert done.code in (1, 3)
    assert "81.2.99.1" in applier.file.read_text()


def test_lost_documents_and_no_store_remove_nothing(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    held = applier.allowed
    Path(applier.store["file"], "web.json").unlink()
    for path in applier.state.parent.glob("*.fleet"):
        path.unlink()
    for _ in range(4):
        assert applier("apply").code == 3
        assert applier.allowed == held


def test_no_limit_is_blamed_for_hosts_of_which_nothing_is_known(
    resolver: Machine, applier: Machine
) -> None:
    resolver("apply")
    applier("apply")
    Path(applier.store["file"], "web.json").unlink()
    for path in applier.state.parent.glob("*.fleet"):
        path.unlink()
    said = " ".join(applier("apply --dry-run").out.split())
    assert "it is not known whether bob is still allowed: no news of its list" in said
    assert "limits" not in said
    assert "no longer allowed" not in said


def test_a_document_that_cannot_be_read_holds_up_no_other_list(
    resolver: Machine, applier: Machine
) -> None:
    resolver.more = {"allowlists": {name: {"publish": True} for name in ("web", "ssh")}}
    ssh = applier.folder / "ssh.txt"
    lists = {"web": applier.file, "ssh": ssh}
    applier.more = {
        "allowlists": {
            name: {"follow": True, "targets": [{"file": {"path": str(file)}}]}
            for name, file in lists.items()
        }
    }
    resolver("apply")
    applier("apply")
    held = applier.allowed
    resolver.hosts["carol"] = {"networks": ["81.2.73.0/24"]}
    resolver("apply")
    path = Path(applier.store["file"], "web.json")
    path.unlink()
    path.mkdir()
    done = applier("apply")
    said = " ".join(done.err.split())
    assert (done.code, "home.ssh" in said) == (3, False)
    assert f"fleet home.web: it has no new document: {path}: this is a folder" in said
    assert "81.2.73.0/24" in ssh.read_text()
    assert applier.allowed == held


def test_who_follows_blames_no_dns(resolver: Machine, applier: Machine) -> None:
    """It asks none: what it does not hear of is the machine that decides."""
    resolver("apply")
    applier("apply")
    Path(applier.store["file"], "web.json").write_bytes(b"")
    assert applier("apply").code == 3
    for command in ("apply --dry-run", "status", "history", "explain alice"):
        said = " ".join(applier(command).out.split())
        assert "answer from DNS" not in said, command
    assert "kept: no news from the fleet for" in " ".join(applier("apply --dry-run").out.split())
    assert "no news from the fleet (it is empty)" in " ".join(applier("history").out.split())


def test_a_lost_state_starts_no_clock_anew(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    held = applier.allowed
    Path(applier.store["file"], "web.json").unlink()
    applier.state.unlink()
    applier("apply")
    assert applier.allowed == held


def test_the_store_can_be_empty_garbage_or_of_strangers(
    resolver: Machine, applier: Machine, machines: Machines
) -> None:
    resolver("apply")
    applier("apply")
    held = applier.allowed
    path = Path(applier.store["file"], "web.json")
    stranger = Machines(machines.folder / "x", machines.server, {"file": str(path.parent)})
    stranger.folder.mkdir()
    other = stranger.resolver(eve={"networks": ["81.2.71.0/24"]})
    other("apply")
    by_a_stranger = path.read_bytes()
    signed = json.loads(by_a_stranger)
    signed["signatures"] *= 9
    renamed = by_a_stranger.replace(other.keys[0].encode(), applier.keys[0].encode())
    said = {
        b"": "it is empty",
        b"{": "it is no JSON",
        b"[]": "an object is expected",
        by_a_stranger: "it is signed by no key that is trusted here",
        renamed: "its signature is wrong",
        json.dumps(signed).encode(): "'signatures' is not what is expected",
    }
    for content, why in said.items():
        path.write_bytes(content)
        done = applier("apply")
        assert done.code == 3
        assert why in " ".join(done.err.split())
        assert applier.allowed == held


def test_a_replay_removes_nothing_and_adds_nothing(
    resolver: Machine, applier: Machine, zones: dict[str, object]
) -> None:
    resolver.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    resolver("apply")
    path = Path(applier.store["file"], "web.json")
    first, number = path.read_bytes(), read(resolver)["sequence"]
    zones["alice.example.org"] = ["81.2.69.7"]
    resolver("apply")
    applier("apply")
    held = applier.allowed
    path.write_bytes(first)
    done = applier("apply")
    assert done.code == 3
    said = f"older (epoch 1, sequence {number}) than the one that was applied"
    assert said in " ".join(done.err.split())
    assert applier.allowed == held
    resolver("apply")
    assert applier("apply").code == 0


def test_another_fleet_or_list_is_not_believed(
    resolver: Machine, applier: Machine, machines: Machines
) -> None:
    resolver.fleet = {"name": "away"}
    resolver("apply")
    done = applier("apply")
    assert "another fleet, 'away'" in " ".join(done.err.split())
    assert not applier.file.exists()


def test_a_newer_schema_keeps_what_is_held(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    held = applier.allowed
    newer = {**read(resolver), "schema": "allowsync.list/2"}
    content = json.dumps(newer, sort_keys=True, separators=(",", ":")).encode()
    Path(applier.store["file"], "web.json").write_bytes(sealed(content, resolver.signing_key))
    done = applier("apply")
    assert done.code == 3
    assert "update it" in done.err
    assert applier.allowed == held


def test_only_retired_empties_a_list(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    published = read(resolver)
    empty = {**published, "hosts": [], "sequence": published["sequence"] + 1}
    content = json.dumps(empty, sort_keys=True, separators=(",", ":")).encode()
    Path(applier.store["file"], "web.json").write_bytes(sealed(content, resolver.signing_key))
    held = applier.allowed
    assert applier("apply").code in (1, 4)
    assert applier.allowed == held
    resolver.web = {"retired": True}
    resolver("apply")
    assert read(resolver)["retired"]
    assert applier("apply").code == 0
    assert applier.allowed == []


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_a_list_that_was_given_up_takes_over_no_gate_of_another_configuration(
    resolver: Machine, applier: Machine
) -> None:
    resolver.hosts = {"office": {"networks": ["81.2.70.0/24"]}}
    resolver.web = {"targets": [{"nftables": {"ports": ["443/tcp"]}}]}
    applier.web = {"targets": [{"nftables": {"ports": ["445/tcp"]}}]}
    with Namespace() as inside:

        def apply(machine: Machine) -> int:
            return inside.run(lambda: machine("apply")).code

        assert (apply(resolver), apply(applier)) == (0, 1)
        resolver.web["retired"] = True
        assert (apply(resolver), apply(applier)) == (0, 1)
        gate = inside.command("nft", "list", "table", "inet", "allowsync_web")
        assert ("dport 443" in gate, "dport 445" in gate) == (True, False)


def test_revocation_arrives(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    resolver("revoke", "alice")
    assert applier("apply").code == 0
    assert applier.allowed == ["81.2.69.2/32", "81.2.70.0/24"]


def test_a_machine_can_have_hosts_of_its_own(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    own = applier.folder / "own.txt"
    applier.hosts = {"alice": {"networks": ["81.2.72.0/24"]}}
    applier.more = {
        "allowlists": {
            "web": {"follow": True, "targets": [{"file": {"path": str(applier.file)}}]},
            "ssh": {"targets": [{"file": {"path": str(own)}}]},
        }
    }
    assert applier("apply").code == 0
    assert own.read_text().splitlines()[-1] == "81.2.72.0/24"
    assert applier.allowed == resolver.allowed
    assert "_home.alice" in applier("status").out


def test_it_cannot_publish_with_a_key_that_no_machine_trusts(
    resolver: Machine, applier: Machine
) -> None:
    resolver.keys = ["ed25519:" + "A" * 43 + "="]
    done = resolver("apply")
    assert done.code == 1
    assert "web not published: the signing key matches none of fleet.keys" in done.err
    assert resolver.allowed


@pytest.fixture
def blocked(resolver: Machine, tmp_path: Path) -> Path:
    """A folder in the place of one of nine documents, which so cannot be published."""
    resolver.more["allowlists"] = {f"l{n}": {"publish": True} for n in range(9)}
    folder = tmp_path / "store" / "l1.json"
    (folder / "x").mkdir(parents=True)
    return folder


def published(blocked: Path) -> dict[str, int]:
    """When each document was written that is there."""
    return {one.stem: one.stat().st_mtime_ns for one in blocked.parent.iterdir() if one.is_file()}


def test_what_was_published_before_an_error_is_not_published_again(
    resolver: Machine, blocked: Path
) -> None:
    """So it comes to an end, where thousands of lists are more than one run can publish."""
    done = resolver("apply")
    first, err = published(blocked), " ".join(done.err.split())
    told = re.search(r"(l\d(?:, l\d)*)(?: and (\d) more)? not published: ", err)
    assert told is not None, err
    names = told[1].split(", ")
    assert (done.code, "l1" in names) == (1, True)
    assert (len(names) <= 5, len(names) + int(told[2] or 0)) == (True, 9 - len(first))
    shutil.rmtree(blocked)
    assert resolver("apply").code == 0
    assert len(published(blocked)) == 9
    assert first.items() <= published(blocked).items()


def test_a_list_that_cannot_be_published_holds_up_no_other_for_good(
    resolver: Machine, blocked: Path
) -> None:
    for _ in range(60):
        assert resolver("apply").code == 1
        if len(published(blocked)) == 8:
            return
    pytest.fail(f"no more than {sorted(published(blocked))}")


def test_a_key_that_is_taken_out_is_told_before_anything_is_due(
    resolver: Machine, applier: Machine
) -> None:
    assert resolver("apply").code == 0
    keys, key = resolver.keys, resolver.signing_key
    said = "the signing key matches none of fleet.keys"
    for wrong in ({"keys": ["ed25519:" + "A" * 43 + "="]}, {"signing_key": new_signing_key()}):
        vars(resolver).update({"keys": keys, "signing_key": key, **wrong})
        for _ in range(2):
            done = resolver("apply")
            assert (done.code, resolver.allowed[0]) == (1, "81.2.69.1/32")
            assert f"web not published: {said}" in " ".join(done.err.split())
        assert said in " ".join(resolver("check").out.split())
    resolver.keys, resolver.signing_key = keys, key
    assert resolver("apply").code == 0
    assert said not in " ".join(resolver("check").out.split())
    assert applier("apply").code == 0


def test_a_list_whose_number_is_at_its_end_is_told_and_holds_up_no_other(
    resolver: Machine, applier: Machine, tmp_path: Path
) -> None:
    resolver.more["allowlists"] = {name: {"publish": True} for name in ("web", "ssh")}
    assert resolver("apply").code == 0
    path = tmp_path / "store" / "web.json"
    last = replace(decoded(opened(path.read_bytes(), tuple(applier.keys))), sequence=2**53 - 1)
    path.write_bytes(sealed(encoded(last), resolver.signing_key))
    assert applier("apply").code == 0
    (tmp_path / "store" / "ssh.json").unlink()
    done = resolver("apply")
    said = "web not published: no number follows that of its document; raise fleet.epoch"
    assert (done.code, said in " ".join(done.err.split())) == (1, True)
    assert (tmp_path / "store" / "ssh.json").exists()
    resolver.fleet["epoch"] = 2
    assert resolver("apply").code == 0
    assert applier("apply").code == 0


def test_a_new_key_is_in_use_at_once(resolver: Machine, applier: Machine) -> None:
    """So the old one can be taken out after the next run, and not an hour later."""
    resolver("apply")
    applier("apply")
    before = read(resolver)["sequence"]
    resolver.signing_key = new_signing_key()
    resolver.keys = applier.keys = [*resolver.keys, public_key_of(resolver.signing_key)]
    assert resolver("apply").code == 0
    applier.keys = applier.keys[1:]
    assert applier("apply").code == 0
    assert read(resolver)["sequence"] > before


def test_check_asks_the_store_and_no_dns(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    asked = len(resolver.server.asked)
    assert "fleet home.web" not in applier("check").out
    assert len(resolver.server.asked) == asked
    Path(applier.store["file"], "web.json").unlink()
    said = applier("check").out
    assert "error: fleet home.web: it has no new document: the store holds no document" in said


def test_a_machine_can_publish_without_a_target_of_its_own(
    resolver: Machine, applier: Machine
) -> None:
    resolver.more = {"allowlists": {"web": {"publish": True}}}
    done = resolver("apply")
    assert (done.code, done.err) == (0, "")
    assert applier("apply").code == 0
    assert applier.allowed == ["81.2.69.1/32", "81.2.69.2/32", "81.2.70.0/24"]
    assert resolver("status").code == 0


def test_a_dry_run_looks_and_leaves_nothing(resolver: Machine, applier: Machine) -> None:
    assert resolver("apply --dry-run").code == 0
    assert not Path(resolver.store["file"], "web.json").exists()
    resolver("apply")
    said = applier("apply --dry-run")
    assert "+ 81.2.69.1" in said.out
    assert not applier.file.exists()
    assert not applier.state.parent.exists() or not list(applier.state.parent.glob("*.fleet"))


def test_the_configuration_can_be_shown_and_read_again(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    shown = applier("config show --output json")
    assert shown.code == 0
    assert shown.document["allowlists"]["web"]["follow"] is True
    assert shown.document["hosts"] == {}


def test_a_limit_of_the_applier_holds_up_what_another_machine_takes_away(
    resolver: Machine, applier: Machine
) -> None:
    resolver("apply")
    applier("apply")
    held = applier.allowed
    resolver.hosts = {"alice": ALICE}
    assert resolver("apply").code == 0
    done = applier("apply")
    assert done.code == 4
    assert "at most 1 of 3 hosts may lose access in one run" in " ".join(done.err.split())
    assert applier.allowed == held
    assert applier("apply --force").code == 0
    assert applier.allowed == ["81.2.69.1/32"]


def test_keygen_makes_a_pair_and_replaces_none(applier: Machine) -> None:
    file = applier.folder / "new.key"
    done = applier("fleet keygen", str(file))
    assert done.code == 0
    assert done.out.strip() == public_key_of(file.read_text().strip())
    assert file.stat().st_mode & 0o777 == 0o600
    again = applier("fleet keygen", str(file))
    assert again.code == 1
    assert "File exists" in again.err


@pytest.mark.parametrize(
    ("web", "fleet", "why"),
    [
        ({"publish": True}, {}, "follow goes without publish and without hosts"),
        ({"follow": False, "retired": True}, {}, "retired is for a list with publish"),
        ({"follow": False, "publish": True}, {}, "publish needs fleet.signing_key_file"),
        ({"follow": False}, {}, "its hosts are missing"),
        ({}, {"keys": []}, "expected a list of at least 1"),
        ({}, {"keys": ["ed25519:" + c * 43 + "=" for c in "ABCD"]}, "at most 3 keys"),
        ({}, {"keys": ["x"]}, "expected a public key"),
        ({}, {"store": {}}, "expected one of file, https and etcd"),
        ({}, {"store": {"etcd": {"endpoints": ["https://a"], "user": "x"}}}, "needs user and one"),
    ],
    ids=range(9),
)
def test_a_configuration_that_cannot_be_is_refused(
    applier: Machine, web: dict[str, Any], fleet: dict[str, Any], why: str
) -> None:
    applier.web, applier.fleet = web, fleet
    done = applier("apply")
    assert done.code == 2
    assert why in " ".join(done.err.split())


def test_of_a_host_on_two_lists_the_latest_word_counts(
    resolver: Machine, applier: Machine, zones: dict[str, object]
) -> None:
    """Lists are numbered apart: the list that hears nothing new may have the greater number."""
    resolver.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    lists = {"web": {"publish": True, "hosts": ["alice"]}, "ssh": {"publish": True}}
    resolver.more = {"allowlists": lists}
    for label in ("carol", "dave"):
        resolver("apply")
        resolver.hosts[label] = {"networks": ["81.2.73.0/24"]}
    resolver("apply")
    files = {name: applier.folder / f"{name}.txt" for name in lists}
    applier.more = {
        "allowlists": {
            name: {"follow": True, "targets": [{"file": {"path": str(file)}}]}
            for name, file in files.items()
        }
    }
    applier("apply")
    assert read(resolver)["sequence"] < read(resolver, "ssh")["sequence"]
    ssh = Path(applier.store["file"], "ssh.json")
    before = ssh.read_bytes()
    zones["alice.example.org"] = ["81.2.69.7"]
    resolver("apply")
    ssh.write_bytes(b"")
    assert applier("apply").code == 3
    for file in files.values():
        assert "81.2.69.7/32" in file.read_text()
        assert "81.2.69.1/32" not in file.read_text()
    ssh.write_bytes(before)
    assert applier("apply").code == 0
    assert "81.2.69.7/32" in files["ssh"].read_text()


def test_a_run_tells_monitors_of_its_fleet(resolver: Machine, applier: Machine) -> None:
    for one in (resolver, applier):
        metrics = one.folder / "metrics.prom"
        one.more = {"metrics": str(metrics)}
        document = one("apply --output json").document["fleet"]
        (web,) = document["lists"]
        leads = one is resolver
        assert (document["name"], document["leads"]) == ("home", leads)
        number = read(resolver)["sequence"]
        assert (web["allowlist"], web["sequence"], web["trouble"]) == ("web", number, None)
        assert web["role"] == ("publish" if leads else "follow")
        said = metrics.read_text()
        assert f'allowsync_fleet_leads{{fleet="home"}} {int(leads)}' in said
        sequence = 'allowsync_fleet_list_sequence{fleet="home",allowlist="web"}'
        assert f"{sequence} {number}" in said


def test_a_denylist_adds_nothing_while_no_document_is_known(
    resolver: Machine, applier: Machine, tmp_path: Path
) -> None:
    """Friends of the fleet may be where it says, and no host of theirs is known here by name."""
    denied = tmp_path / "denied"

    def block(*networks: str) -> ProgramResult:
        target = {"file": {"path": str(denied)}}
        applier.more = {"denylists": {"scanners": {"networks": networks, "targets": [target]}}}
        return applier("apply")

    assert resolver("apply").code == 0
    assert block("9.9.9.0/24").code == 0
    for kept in (*applier.state.parent.glob("state.db*"), applier.file):
        kept.unlink()
    document = tmp_path / "store" / "web.json"
    away = document.rename(tmp_path / "away")
    done = block("9.9.9.0/24", "81.2.69.0/24")
    said = " ".join(done.err.split())
    assert "nothing is added while no document of the fleet is known" in said
    assert "81.2.69" not in denied.read_text()
    away.rename(document)
    assert block("9.9.9.0/24", "81.2.69.0/24").code == 0
    assert "81.2.69.128/25" in denied.read_text()
    assert "81.2.69.1/32" not in denied.read_text()
