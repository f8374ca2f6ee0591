"""Access that is granted and revoked by command: who gets in, by real packets."""

from __future__ import annotations

import fcntl
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from testkit.fake_dns.behaviours import Silent
from testkit.fake_dns.nameserver import NameServer
from tests.support.gates import GUARDED
from tests.support.internet import FRIEND, FRIEND6, FRIEND_TOO, SERVER, STRANGER
from tests.support.probe import IN_VAIN, tcp_answers
from tests.support.program import ProgramResult, allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

ZONES: dict[str, object] = {"alice.example.org": [FRIEND], "bob.example.org": [FRIEND_TOO]}


class Gate:
    """An installation on the server, with a gate and a nameserver."""

    def __init__(self, internet: Internet, folder: Path, server: NameServer) -> None:
        self.internet, self.server = internet, server
        self.state = folder / "state" / "state.db"
        self.path = folder / "config.yaml"
        document = {
            "hosts": {name: f"{name}.example.org" for name in ("alice", "bob")},
            "allowlists": {
                "web": {"targets": [{"nftables": {"ports": [f"{GUARDED}/tcp", f"{GUARDED}/udp"]}}]}
            },
            "resolver": {"nameservers": [str(server)], "timeout": "3s", "attempts": 1},
            "state": str(self.state),
        }
        self.path.write_text(json.dumps(document))
        self.path.chmod(0o600)

    def __call__(self, command: str, **environ: str) -> ProgramResult:
        return self.internet.server.run(
            allowsync, *command.split(), "--config", self.path, environ=environ
        )

    def document(self, command: str, **environ: str) -> dict[str, Any]:
        done = self(f"{command} --output json", **environ)
        assert done.document["exit_code"] == done.code
        return done.document

    def passes(self, source: str) -> bool:
        """Whether a connection from an address of the friend's gets in."""
        return tcp_answers(self.internet.friend, SERVER, GUARDED, source=source)

    def refuses(self, source: str) -> bool:
        """Whether one does not."""
        return not tcp_answers(self.internet.friend, SERVER, GUARDED, source=source, wait=IN_VAIN)

    @property
    def entries(self) -> str:
        return self.internet.server.command("nft", "list", "ruleset")


@pytest.fixture
def gate(internet: Internet, echo: Echo, tmp_path: Path) -> Iterator[Gate]:
    with internet.server.run(NameServer, dict(ZONES)) as server:
        gate = Gate(internet, tmp_path, server)
        assert gate("apply").code == 0
        assert gate.passes(FRIEND)
        assert gate.passes(FRIEND_TOO)
        yield gate


def test_a_host_that_is_revoked_is_out_whatever_the_dns_says(gate: Gate) -> None:
    done = gate("revoke alice")
    assert (done.code, done.err) == (0, "")
    assert f"  - {FRIEND}" in done.out
    assert "revoked on " in done.out
    assert done.out.endswith("alice: revoked, until 'allowsync approve alice'\n")
    assert gate.refuses(FRIEND)
    assert gate.passes(FRIEND_TOO)
    assert gate("apply --force").code == 0  # her name gives the address still
    assert gate.refuses(FRIEND)
    assert "    revoked on " in gate("status").out
    assert "- alice" in gate("history").out
    assert (
        gate("approve alice").out
        == "alice: no longer revoked; effective with the next run; now: allowsync apply\n"
    )
    assert gate.refuses(FRIEND)
    assert gate("apply").code == 0
    assert gate.passes(FRIEND)
    assert "= alice" in gate("history").out


def test_a_revocation_does_not_wait_for_a_silent_dns(gate: Gate) -> None:
    gate.server.zones.update(dict.fromkeys(ZONES, Silent()))
    assert gate("revoke alice").code == 0
    assert gate.refuses(FRIEND)
    assert gate.passes(FRIEND_TOO)
    assert gate("apply").code == 3  # of Bob's address the DNS says nothing
    assert gate.refuses(FRIEND)
    assert gate.passes(FRIEND_TOO)


def test_a_network_that_is_revoked_shuts_out_all_who_have_a_part_of_it(gate: Gate) -> None:
    document = gate.document("revoke 81.2.69.128/25")
    assert document["exit_code"] == 0  # nor does a limit keep the last one in
    assert (document["schema"], document["subject"]) == ("allowsync.revoke/1", "81.2.69.128/25")
    assert [one["network"] for one in document["run"]["targets"][0]["remove"]] == [
        f"{FRIEND}/32", f"{FRIEND_TOO}/32"]  # fmt: skip
    assert gate.refuses(FRIEND)
    assert gate.refuses(FRIEND_TOO)
    gate("apply")
    assert gate.refuses(FRIEND)
    status = gate.document("status")
    assert [one["subject"] for one in status["revoked"]] == ["81.2.69.128/25"]
    assert gate("grant 81.2.69.142 --for 1h").code == 2  # that needs an approval first
    assert gate("approve 81.2.69.128/25").code == 0
    assert gate("apply").code == 0
    assert gate.passes(FRIEND)


@pytest.mark.parametrize("loss", ["deleted", "damaged"])
def test_a_lost_state_lets_in_no_host_that_was_revoked(gate: Gate, loss: str) -> None:
    gate("revoke alice")
    gate("revoke 81.2.69.143")
    if loss == "deleted":
        gate.state.unlink()
    else:
        gate.state.write_bytes(b"not a database at all" * 500)
    gate("apply --force")
    assert gate.refuses(FRIEND)
    assert gate.refuses(FRIEND_TOO)
    gate.state.with_name("state.db.revoked").write_text("nothing that makes sense")
    done = gate("apply")
    assert done.code == 1
    assert "revocations cannot be read from it" in done.err


def test_a_lost_file_beside_the_state_lets_in_no_host_that_was_revoked(gate: Gate) -> None:
    gate("revoke alice")
    gate.state.with_name("state.db.revoked").unlink()
    gate("apply")
    assert gate.refuses(FRIEND)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_file_that_was_cut_short_beside_an_older_state_lets_in_no_host(
    gate: Gate, kept: int
) -> None:
    beside = gate.state.with_name("state.db.revoked")
    if kept:
        gate("revoke 192.0.2.7")
    older = gate.state.read_bytes()
    gate("revoke alice")
    gate.state.write_bytes(older)
    beside.write_text("".join(beside.read_text().splitlines(keepends=True)[:kept]))
    gate.server.zones["bob.example.org"] = ["81.2.69.144"]
    for command in ("apply --force", "apply"):
        done = gate(command)
        assert done.code == 1
        assert f"rm {beside}" in done.err
        assert gate.refuses(FRIEND)
        assert gate.passes(FRIEND_TOO)  # who was in stays, wherever his name leads by now
        assert "81.2.69.144" not in gate.entries
    gate.internet.server.command("nft", "flush", "ruleset")
    assert gate("apply").code == 1
    assert gate.refuses(FRIEND)
    # The state is believed about who was in, where it knows of a revocation itself.
    assert gate.passes(FRIEND_TOO) if kept else gate.refuses(FRIEND_TOO)
    assert gate("revoke alice").code == 1  # still not known whether she is the only one
    beside.unlink()
    gate.server.zones["bob.example.org"] = [FRIEND_TOO]
    assert gate("apply --force").code == 0
    assert gate.refuses(FRIEND)
    assert gate.passes(FRIEND_TOO)


def test_a_new_label_lets_in_no_host_that_was_revoked(gate: Gate) -> None:
    gate("revoke alice")
    gate.path.write_text(gate.path.read_text().replace('"alice":', '"alicia":'))
    gate("apply")
    gate("apply")
    assert gate.refuses(FRIEND)
    assert "allowsync approve alicia" in gate("status").out
    assert (
        gate("approve alicia").out
        == "alicia: no longer revoked; effective with the next run; now: allowsync apply\n"
    )
    gate("apply")
    assert gate.passes(FRIEND)


def test_a_guest_is_in_until_the_grant_is_revoked(gate: Gate) -> None:
    stranger = gate.internet.stranger
    document = gate.document(f"grant {STRANGER} --for 2h --as carol")
    assert (document["schema"], document["host"]) == ("allowsync.grant/1", "carol")
    assert (document["network"], document["allowlists"]) == (f"{STRANGER}/32", ["web"])
    assert tcp_answers(stranger, SERVER, GUARDED)
    host = next(one for one in gate.document("status")["hosts"] if one["host"] == "carol")
    assert [one["basis"] for one in host["grants"]] == ["granted"]
    assert host["grants"][0]["ends"] == document["ends"]
    assert gate("apply").code == 0
    assert gate("apply --offline").code == 0  # as at boot
    assert tcp_answers(stranger, SERVER, GUARDED)
    assert gate(f"revoke {STRANGER}").code == 0
    assert not tcp_answers(stranger, SERVER, GUARDED, wait=IN_VAIN)
    assert gate("revoke carol").out.endswith("carol: the grant is over\n")
    assert gate(f"approve {STRANGER}").code == 0
    gate("apply")
    assert not tcp_answers(stranger, SERVER, GUARDED, wait=IN_VAIN)


def test_me_is_where_the_session_comes_from(gate: Gate) -> None:
    gate("revoke alice")
    gate("approve alice")
    gate.path.write_text(gate.path.read_text().replace("alice.example.org", "gone.example.org"))
    with (
        gate.internet.server.run(socket.create_server, (SERVER, 22)) as listener,
        gate.internet.friend.run(socket.create_connection, (SERVER, 22)) as session,
    ):
        port = session.getsockname()[1]
        with listener.accept()[0]:
            document = gate.document(
                "grant me --for 1h", SSH_CONNECTION=f"{FRIEND} {port} {SERVER} 22"
            )
            assert document["network"] == f"{FRIEND}/32"
            assert document["host"] == f"guest-{FRIEND}"
    assert gate.passes(FRIEND)
    over = gate("grant me", SSH_CONNECTION=f"{FRIEND6} {port} {SERVER} 22")
    assert (over.code, "has ended" in over.err) == (2, True)
    none = gate("grant me")
    assert (none.code, "me: unknown: this is no SSH session" in none.err) == (2, True)


def test_an_order_waits_for_a_run_at_work(gate: Gate) -> None:
    with gate.state.with_name("state.db.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ending = threading.Timer(0.5, fcntl.flock, (lock, fcntl.LOCK_UN))
        ending.start()
        done = gate("revoke bob")
        ending.join()
    assert (done.code, done.err) == (0, "waiting for another run to end\n")
    assert gate.refuses(FRIEND_TOO)
