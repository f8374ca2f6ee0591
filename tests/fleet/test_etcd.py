"""A decision carried by a real etcd: who leads, what is fenced, and what becomes of failures."""

from __future__ import annotations

import json
import re
import socket
import time
from base64 import b64decode
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.config.fleet import EtcdStoreOptions
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.fleet.etcd_gateway import LARGEST, Gateway
from allowsync.fleet.etcd_store import EtcdStore
from allowsync.fleet.http import Client
from allowsync.fleet.parts import divided
from allowsync.fleet.store import Fetched, Lead, Look, Superseded
from testkit.fake_dns.behaviours import SERVFAIL
from testkit.fake_dns.nameserver import NameServer
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testkit.fake_dns.exchanges import DnsReply, DnsRequest
    from tests.support.fleets import Machine, Machines

HOSTS: dict[str, Any] = {
    "alice": {"hostname": "alice.example.org", "families": ["ipv4"]},
    "bob": {"hostname": "bob.example.org", "families": ["ipv4"]},
    "office": {"networks": ["81.2.70.0/24"]},
}
ALL = ["81.2.69.1/32", "81.2.69.2/32", "81.2.70.0/24"]


@pytest.fixture
def resolver(machines: Machines) -> Machine:
    return machines.resolver(**HOSTS)


@pytest.fixture
def standby(machines: Machines) -> Machine:
    return machines.resolver("standby", **HOSTS)


def leader(etcd: Etcd) -> str:
    found = json.loads(etcd.ctl("get", "/allowsync/home/leader", "--print-value-only").stdout)
    machine = found["machine"]
    assert isinstance(machine, str)
    return machine


def end_lease(etcd: Etcd) -> None:
    """What time does where a leader is not heard of."""
    (found,) = json.loads(etcd.ctl("get", "/allowsync/home/leader", "-w", "json").stdout)["kvs"]
    etcd.ctl("lease", "revoke", f"{found['lease']:x}")


def test_a_decision_arrives(resolver: Machine, applier: Machine, etcd: Etcd) -> None:
    done = resolver("apply")
    assert (done.code, done.err) == (0, "")
    done = applier("apply")
    assert (done.code, done.err) == (0, "")
    assert applier.allowed == resolver.allowed == ALL
    assert leader(etcd) == "resolver"


def test_the_lead_is_kept_from_run_to_run(resolver: Machine, etcd: Etcd) -> None:
    resolver("apply")
    before = etcd.ctl("get", "/allowsync/home/leader", "-w", "json").stdout
    resolver("apply")
    resolver("apply")
    after = etcd.ctl("get", "/allowsync/home/leader", "-w", "json").stdout
    assert json.loads(before)["kvs"] == json.loads(after)["kvs"]
    assert etcd.document()["version"] == 1  # what does not change is not published again


def test_one_machine_leads_and_the_other_follows(
    resolver: Machine, standby: Machine, etcd: Etcd
) -> None:
    resolver("apply")
    asked = len(resolver.server.asked)
    done = standby("apply")
    assert (done.code, done.err) == (0, "")
    assert standby.allowed == ALL
    assert len(resolver.server.asked) == asked
    assert leader(etcd) == "resolver"
    assert etcd.document()["version"] == 1


def test_the_successor_goes_on_with_the_same_clocks(
    resolver: Machine, standby: Machine, applier: Machine, etcd: Etcd, zones: dict[str, object]
) -> None:
    resolver("apply")
    standby("apply")
    zones["alice.example.org"] = SERVFAIL
    end_lease(etcd)
    done = standby("apply")
    assert done.code == 3
    assert leader(etcd) == "standby"
    assert standby.allowed == ALL
    assert resolver("apply").code == 3  # it follows now
    assert applier("apply").code == 3
    assert applier.allowed == ALL
    (alice, *_) = applier("status --output json").document["hosts"]
    (grant,) = alice["grants"]
    (first, *_) = resolver("status --output json").document["hosts"]
    assert grant["basis"] == "stale"
    assert grant["since"] == first["grants"][0]["since"]


def test_a_machine_that_never_ran_takes_over_without_forgetting_any_host(
    resolver: Machine, standby: Machine, etcd: Etcd, zones: dict[str, object]
) -> None:
    resolver("apply")
    zones["alice.example.org"] = SERVFAIL
    zones["bob.example.org"] = SERVFAIL
    end_lease(etcd)
    assert standby("apply").code == 3
    assert standby.allowed == ALL


def test_who_was_revoked_stays_so_when_another_machine_takes_over(
    resolver: Machine, standby: Machine, applier: Machine, etcd: Etcd
) -> None:
    resolver("apply")
    resolver("revoke", "bob")
    standby("apply")
    assert "81.2.69.2/32" not in standby.allowed
    end_lease(etcd)
    standby("apply")
    applier("apply")
    assert leader(etcd) == "standby"
    assert applier.allowed == ["81.2.69.1/32", "81.2.70.0/24"]


def test_a_backup_restored_while_the_leader_is_cut_off_knows_no_later_revocation(
    resolver: Machine, standby: Machine, applier: Machine, etcd: Etcd
) -> None:
    """As the page says: one that knew it keeps it, and one that did not run since then cannot."""
    resolver("apply")
    standby("apply")
    backup = etcd.envelope().decode()
    resolver("revoke", "bob")
    applier("apply")
    without = ["81.2.69.1/32", "81.2.70.0/24"]
    assert resolver.allowed == applier.allowed == without
    # Documents are numbered by seconds, and two of one number are both refused.
    number = json.loads(b64decode(json.loads(etcd.envelope())["payload"]))["sequence"]
    time.sleep(max(0, number + 1 - time.time()))
    etcd.ctl("put", "/allowsync/home/lists/web", backup)
    assert applier("apply").code == 3
    assert applier.allowed == without
    end_lease(etcd)
    standby("apply")
    applier("apply")
    assert leader(etcd) == "standby"
    assert applier.allowed == ALL
    assert resolver("apply").code == 0  # it is back, and follows
    assert resolver.allowed == without
    standby("revoke", "bob")
    applier("apply")
    assert applier.allowed == without


def test_a_leader_that_was_cut_off_is_refused(
    resolver: Machine, standby: Machine, etcd: Etcd, zones: dict[str, object]
) -> None:
    resolver("apply")
    standby("apply")

    def meanwhile(request: DnsRequest) -> list[DnsReply]:
        """While it resolves, its lease ends, and another machine takes the lead and publishes."""
        if leader(etcd) == "standby":
            return request.answer(["81.2.69.9"])
        zones["alice.example.org"] = ["81.2.69.8"]
        end_lease(etcd)
        with NameServer({**zones, "bob.example.org": ["81.2.69.7"]}) as other:
            standby.server = other
            assert standby("apply").code == 0
        return request.answer(["81.2.69.9"])

    zones["bob.example.org"] = meanwhile
    resolver.resolver = {"timeout": "20s", "deadline": "50s"}
    done = resolver("apply")
    assert done.code == 0
    assert "another resolver leads by now" in done.err
    assert leader(etcd) == "standby"
    assert "81.2.69.7/32" in standby.allowed
    zones["bob.example.org"] = ["81.2.69.9"]
    assert resolver("apply").code == 0  # and follows
    assert "81.2.69.7/32" in resolver.allowed
    assert "81.2.69.9/32" not in resolver.allowed


def test_an_applier_cannot_publish(machines: Machines, applier: Machine, etcd: Etcd) -> None:
    wrong = machines.resolver("wrong", **HOSTS)
    wrong.store = etcd.options("applier")
    done = wrong("apply")
    assert done.code == 1
    assert "permission denied" in done.err
    assert wrong.allowed == ALL


def test_a_wrong_password_and_a_wrong_certificate_keep_everything(
    resolver: Machine, applier: Machine, etcd: Etcd, tmp_path: Path
) -> None:
    resolver("apply")
    applier("apply")
    password = tmp_path / "wrong"
    password.touch(0o600)
    password.write_text("wrong")
    options = applier.store["etcd"]
    for wrong, why in (
        ({"password_file": str(password)}, "authentication failed"),
        ({"ca": None}, "certificate verify failed"),
        ({"prefix": "/elsewhere"}, "permission denied"),
        ({"endpoints": ["https://127.0.0.1:1"]}, "refused"),
    ):
        applier.store = {"etcd": {**options, **wrong}}
        done = applier("apply")
        assert done.code == 3, why
        assert why in " ".join(done.err.split())
        assert applier.allowed == ALL


def test_a_restored_backup_is_noticed_and_passed(
    resolver: Machine, applier: Machine, etcd: Etcd, zones: dict[str, object]
) -> None:
    resolver.policy = {"keep_replaced": "0s", "replaced_runs": 1}
    resolver("apply")
    first = etcd.envelope().decode()
    zones["alice.example.org"] = ["81.2.69.9"]
    resolver("apply")
    applier("apply")
    moved = applier.allowed
    assert "81.2.69.9/32" in moved
    etcd.ctl("put", "/allowsync/home/lists/web", first)
    done = applier("apply")
    assert done.code == 3
    assert "a backup that was restored" in " ".join(done.err.split())
    assert applier.allowed == moved
    resolver("apply")
    assert applier("apply").code == 0
    assert applier.allowed == moved


def test_compaction_and_an_expired_token_are_no_matter(
    resolver: Machine, applier: Machine, etcd: Etcd, zones: dict[str, object]
) -> None:
    resolver("apply")
    applier("apply")
    revision = json.loads(etcd.ctl("get", "x", "-w", "json").stdout)["header"]["revision"]
    etcd.ctl("compaction", "--physical", str(revision))
    assert applier("apply").code == 0
    resolver.hosts["carol"] = {"networks": ["81.2.73.0/24"]}
    assert resolver("apply").code == 0
    assert applier("apply").code == 0
    assert applier.allowed == [*ALL, "81.2.73.0/24"]


def test_a_key_that_is_missing_or_empty_keeps_everything(
    resolver: Machine, applier: Machine, etcd: Etcd
) -> None:
    resolver("apply")
    applier("apply")
    etcd.ctl("put", "/allowsync/home/lists/web", "")
    done = applier("apply")
    assert (done.code, applier.allowed) == (3, ALL)
    assert "it is empty" in done.err
    etcd.ctl("del", "/allowsync/home/lists/web")
    done = applier("apply")
    assert (done.code, applier.allowed) == (3, ALL)
    assert "the store holds no document for it" in " ".join(done.err.split())
    assert resolver("apply").code == 0  # and publishes again
    assert applier("apply").code == 0


def test_status_of_a_fleet(resolver: Machine, applier: Machine) -> None:
    resolver("apply")
    applier("apply")
    said = resolver("fleet status")
    assert said.code == 0
    assert "fleet home: resolver since" in said.out
    assert "web (publish): epoch 1, sequence " in said.out
    (web,) = applier("fleet status --output json").document["fleet"]["lists"]
    assert (web["role"], web["epoch"], web["trouble"]) == ("follow", 1, None)


def reported(etcd: Etcd, machine: str = "applier") -> dict[str, Any]:
    said = etcd.ctl("get", f"/allowsync/home/machines/{machine}", "-w", "json").stdout
    (found,) = json.loads(said)["kvs"]
    return {"version": found["version"], **json.loads(b64decode(found["value"]))}


def test_each_machine_says_how_its_run_ended_once_for_each_change(
    resolver: Machine, applier: Machine, etcd: Etcd
) -> None:
    resolver("apply")
    for _ in range(3):
        assert applier("apply").code == 0
    said = reported(etcd)
    assert (said["version"], said["exit_code"]) == (1, 0)
    (first,) = said["lists"]
    assert (first["name"], first["epoch"]) == ("web", 1)
    resolver.hosts["carol"] = {"networks": ["81.2.73.0/24"]}
    resolver("apply")
    status = resolver("fleet status")
    assert re.search(r"\n    applier: web [^;]+ behind; exit code 0, [^\n]+ ago\n", status.out)
    assert "\n  2 machines, 1 with problems\n" in status.out
    found = {
        one["machine"]: (one["exit_code"], [held["lag"] > 0 for held in one["lists"]])
        for one in resolver("fleet status --output json").document["fleet"]["machines"]
    }
    assert found == {"applier": (0, [True]), "resolver": (0, [False])}
    applier("apply")
    assert reported(etcd)["lists"][0]["sequence"] > first["sequence"]
    assert "behind" not in resolver("fleet status").out
    # Who follows may write there, and not look.
    assert applier("fleet status --output json").document["fleet"]["machines"] is None


def test_what_a_machine_may_not_say_is_told_by_its_status_alone(
    resolver: Machine, applier: Machine, etcd: Etcd
) -> None:
    resolver("apply")
    place = (
        "role",
        "revoke-permission",
        "allowsync-applier",
        "/allowsync/home/machines/",
        "--prefix",
    )
    etcd.ctl(*place)
    try:
        for _ in range(2):
            done = applier("apply")
            assert (done.code, done.err) == (0, "")
        said = applier("fleet status")
    finally:
        grant = ("role", "grant-permission", "allowsync-applier", "--prefix=true", "write")
        etcd.ctl(*grant, "/allowsync/home/machines/")
    assert said.code == 0
    told = " ".join(said.err.split())
    assert "machine applier: its own report was not accepted: etcd:" in told
    assert "permission denied" in told


def test_what_is_written_in_the_place_of_reports_is_shown_as_what_it_is_or_not_at_all(
    resolver: Machine, etcd: Etcd
) -> None:
    resolver("apply")
    put = "/allowsync/home/machines/"
    good = {"at": 0, "exit_code": 0, "lists": []}
    etcd.ctl("put", f"{put}evil\x1b[2J", json.dumps(good))
    for name, value in {
        "a": "not JSON",
        "b": "[" * 5000,
        "c": json.dumps({**good, "exit_code": 1000}),
        "d": json.dumps({**good, "lists": [{"name": "x\ny", "epoch": 1, "sequence": 1}]}),
        "e" * 65: json.dumps(good),
        "f": json.dumps({**good, "lists": "x" * 70_000}),
    }.items():
        etcd.ctl("put", put + name, value)
    found = resolver("fleet status --output json")
    assert found.code == 0
    shown = {one["machine"] for one in found.document["fleet"]["machines"]}
    assert {"resolver"} < shown
    assert len(shown) == 2
    assert "\x1b" not in "".join(shown) + resolver("fleet status").out


def test_machines_are_read_a_few_at_a_time(etcd: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = led(etcd)
    monkeypatch.setattr("allowsync.fleet.etcd_store._AT_ONCE", 2)
    names = [f"m{n}" for n in range(5)]
    for name in names:
        with_name(store, name).report(b"{}")
    assert list(store.reports()) == names


def test_a_token_that_ran_out_is_renewed(etcd: Etcd) -> None:
    client = Client(str(etcd.ca), LARGEST)
    gateway = Gateway([etcd.members[0].url], client, ("allowsync-applier", "of-appliers"))
    gateway._token = "made.up"
    try:
        assert "header" in gateway.call("kv/txn", {"success": []})
    finally:
        client.close()
    assert gateway._token not in ("", "made.up")


@contextmanager
def swallowing() -> Iterator[str]:
    """The URL of a member that never answers who wants to connect: its queue is full."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as door,
        socket.create_connection(door.getsockname()),
    ):
        yield f"https://127.0.0.1:{door.getsockname()[1]}"


def test_two_members_that_never_answer_leave_time_for_the_third(etcd: Etcd) -> None:
    client = Client(str(etcd.ca), LARGEST)
    with swallowing() as one, swallowing() as two, closing(client):
        user = ("allowsync-applier", "of-appliers")
        gateway = Gateway([one, two, etcd.members[0].url], client, user)
        assert "header" in gateway.call("kv/txn", {"success": []})
    assert client._ends - time.monotonic() > 1, "the third was asked at the very end"


def test_members_that_take_a_call_and_are_silent_leave_time_for_the_third(etcd: Etcd) -> None:
    client = Client(str(etcd.ca), LARGEST)
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        closing(client),
    ):
        silent = [f"http://127.0.0.1:{door.getsockname()[1]}" for door in (one, two)]
        user = ("allowsync-applier", "of-appliers")
        gateway = Gateway([*silent, etcd.members[0].url], client, user)
        assert "header" in gateway.call("kv/txn", {"success": []})


def with_name(store: EtcdStore, machine: str) -> EtcdStore:
    """The same store as another machine has it."""
    store._machine = machine
    return store


def led(etcd: Etcd) -> tuple[EtcdStore, Lead]:
    """An empty store, and the lead."""
    etcd.ctl("del", "--prefix", "/allowsync")
    user = etcd.options("resolver")["etcd"]
    password = KeptSecret(user["password_file"], Secret("of-resolvers"))
    options = EtcdStoreOptions(tuple(user["endpoints"]), etcd.ca, "allowsync-resolver", password)
    store = EtcdStore(options, "home", "one", timedelta(minutes=1))
    lead = store.lead(None, datetime.now(UTC)).own
    assert lead is not None
    return store, lead


def keys_of(etcd: Etcd) -> list[str]:
    """The keys below `lists/` and `parts/`, without what names an envelope."""
    home = "/allowsync/home/"
    found = [
        one.removeprefix(home)
        for below in ("lists", "parts")
        for one in etcd.ctl("get", "--prefix", "--keys-only", f"{home}{below}/").stdout.split()
    ]
    return [re.sub("/[0-9a-f]{64}/", "/…/", one) for one in found]


def test_a_document_larger_than_etcd_takes_travels_in_parts(etcd: Etcd) -> None:
    store, lead = led(etcd)
    first, second = b"a" * 5_000_000, b"b" * 2_500_000
    before = dict(store.publish({"web": first, "web0": b"x", "web_": first}, lead))
    assert store.look({"web": "", "web0": ""}) == {
        "web": Fetched(first, before["web"]),
        "web0": Fetched(b"x", before["web0"]),
    }
    assert store.look(before)["web"] is Look.UNCHANGED
    after = dict(store.publish({"web": second}, lead))
    assert store.look(before)["web"] == Fetched(second, after["web"])
    assert keys_of(etcd) == [
        *("lists/web", "lists/web0", "lists/web_"),
        *(f"parts/web/…/0{n}" for n in range(3)),
        "parts/web0/…/00",
        *(f"parts/web_/…/0{n}" for n in range(5)),
    ]
    small = dict(store.publish({"web": b"small", "web_": b"y"}, lead))
    assert store.look(after)["web"] == Fetched(b"small", small["web"])
    assert keys_of(etcd) == [
        *("lists/web", "lists/web0", "lists/web_"),
        *("parts/web/…/00", "parts/web0/…/00", "parts/web_/…/00"),
    ]


def test_a_leader_that_is_refused_takes_no_part_away(etcd: Etcd) -> None:
    store, lead = led(etcd)
    whole = b"a" * 2_000_000
    mark = dict(store.publish({"web": whole}, lead))["web"]
    with pytest.raises(Superseded):
        dict(store.publish({"web": b"b" * 2_000_000}, lead._replace(fence="1")))
    assert store.look({"web": ""})["web"] == Fetched(whole, mark)
    (part, *_) = divided(whole)[0].names
    etcd.ctl("del", f"/allowsync/home/parts/web/{part}")
    assert store.look({"web": ""})["web"] is Look.MISSING


def test_a_head_that_is_read_while_another_is_published_has_its_parts(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lead = led(etcd)
    first, second = b"a" * 2_000_000, b"b" * 2_000_000
    mark = dict(store.publish({"web": first}, lead))["web"]
    call = Gateway.call

    def slow(gateway: Gateway, method: str, message: dict[str, Any]) -> dict[str, Any]:
        if '"revision": "0"' not in json.dumps(message):
            monkeypatch.setattr(Gateway, "call", call)
            dict(store.publish({"web": second}, lead))
        return call(gateway, method, message)

    monkeypatch.setattr(Gateway, "call", slow)
    assert store.look({"web": ""})["web"] == Fetched(first, mark)
    seen = store.look({"web": mark})["web"]
    assert isinstance(seen, Fetched)
    assert seen.envelope == second


def test_more_lists_than_one_transaction_takes_are_published_and_read(etcd: Etcd) -> None:
    store, lead = led(etcd)
    small = {f"list{n}": b"x" for n in range(200)}
    large = {f"large{n}": b"y" * 700_000 for n in range(3)}
    marks = dict(store.publish({**small, **large}, lead))
    assert marks.keys() == {*small, *large}
    seen = store.look({**dict.fromkeys(small, ""), "large0": marks["large0"], "none": ""})
    assert {type(seen[name]) for name in small} == {Fetched}
    assert (seen["large0"], seen["none"]) == (Look.UNCHANGED, Look.MISSING)
    with pytest.raises(Superseded):
        dict(store.publish(small, lead._replace(fence="1")))


def test_after_a_backup_was_restored_another_document_at_the_same_revision_is_seen(
    tmp_path: Path,
) -> None:
    (tmp_path / "etcd").mkdir()
    with Etcd(tmp_path / "etcd") as etcd:
        store, lead = led(etcd)
        first = dict(store.publish({"web": b"first"}, lead))
        backup = tmp_path / "backup"
        etcd.ctl("snapshot", "save", str(backup))
        second = dict(store.publish({"web": b"second"}, lead))
        revision = etcd.document()["mod_revision"]
        etcd.restore(backup)
        assert store.look(first)["web"] is Look.UNCHANGED
        third = dict(store.publish({"web": b"third"}, lead))
        assert etcd.document()["mod_revision"] == revision
        assert store.look(second)["web"] == Fetched(b"third", third["web"])


def test_what_a_successor_publishes_is_newer_though_no_one_knows_the_last_document(
    resolver: Machine, standby: Machine, applier: Machine, etcd: Etcd, tmp_path: Path
) -> None:
    """The machine that led is dead, its successor missed the last one, the store is a backup."""
    resolver("apply")
    standby("apply")
    backup = tmp_path / "backup"
    etcd.ctl("snapshot", "save", str(backup))
    resolver.hosts = {**HOSTS, "carol": {"networks": ["81.2.73.0/24"]}}
    resolver("apply")
    assert applier("apply").code == 0
    etcd.restore(backup)
    end_lease(etcd)
    standby.hosts = {**HOSTS, "dave": {"networks": ["81.2.74.0/24"]}}
    assert standby("apply").code == 0
    done = applier("apply")
    assert (done.code, done.err) == (0, "")
    assert applier.allowed == [*ALL, "81.2.74.0/24"]


def test_a_lead_with_the_same_revision_and_another_lease_is_another(etcd: Etcd) -> None:
    """So it can be once a backup was restored."""
    store, lead = led(etcd)
    (lease,) = re.findall("lease ([0-9a-f]+) granted", etcd.ctl("lease", "grant", "60").stdout)
    etcd.ctl("put", f"--lease={lease}", "/allowsync/home/leader", "{}")
    (found,) = json.loads(etcd.ctl("get", "/allowsync/home/leader", "-w", "json").stdout)["kvs"]
    assert str(found["create_revision"]) == lead.fence
    with pytest.raises(Superseded):
        dict(store.publish({"web": b"x"}, lead))


def test_what_is_no_head_is_taken_for_an_envelope_each_time(etcd: Etcd) -> None:
    store, _ = led(etcd)
    etcd.ctl("put", "/allowsync/home/lists/web", "something")
    for mark in ("", "something"):
        assert store.look({"web": mark})["web"] == Fetched(b"something", "")


def test_every_member_is_the_first_that_some_machines_ask(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, first = EtcdStoreOptions(("https://a", "https://b", "https://c"), etcd.ca), []
    for number in range(7, 10):
        monkeypatch.setattr("os.getpid", lambda number=number: number)
        with EtcdStore(options, "home", "one", timedelta(minutes=1))._gateway() as gateway:
            first.append(gateway._endpoints[0])
            assert sorted(gateway._endpoints) == list(options.endpoints)
    assert first == ["https://b", "https://c", "https://a"]
