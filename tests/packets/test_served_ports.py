"""Hosts that a web server lets in, behind a packet filter that does not."""

from __future__ import annotations

import json
import socket
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

PORT = 8443
ALICE, CAROL, STRANGER = "81.2.69.142", "2a02:8100:7:1::/64", "73.15.20.9"
DROPPED = "inet filter input: tcp dport 8443 drop"
CLOSED = """table inet filter {
  chain input {
    type filter hook input priority filter; ct status dnat accept; tcp dport 8443 drop;
  }
}
"""
ONE_CLOSED = CLOSED.replace("tcp dport", "meta nfproto ipv4 tcp dport")
REDIRECTED = "table ip n { chain p { type nat hook prerouting priority dstnat; %s; }\n}\n"
TO_SERVER = REDIRECTED % f"tcp dport 444 redirect to :{PORT}"


class WebServer:
    """A machine with a web server whose list alice and carol are on, and that may listen."""

    def __init__(self, inside: Namespace, folder: Path) -> None:
        self.inside, self.config = inside, folder / "config.yaml"
        allowed, config = folder / "allowed.conf", folder / "nginx.conf"
        nginx = {"path": str(allowed), "config": str(config), "pid_file": str(folder / "pid")}
        document = {
            "hosts": {"alice": {"networks": [ALICE]}, "carol": {"networks": [CAROL]}},
            "allowlists": {"web": {"targets": [{"nginx": nginx}]}},
            "state": str(folder / "state" / "state.db"),
        }
        self.config.write_text(json.dumps(document))
        self.config.chmod(0o600)
        config.write_text(
            f"pid {folder}/pid; error_log {folder}/log; events {{}}\nhttp {{ access_log off; "
            f"server {{ listen {PORT}; listen [::]:{PORT}; include {allowed}; }} }}\n"
        )
        assert self.run("apply").code == 0

    def run(self, *words: str) -> Any:
        return self.inside.run(allowsync, *words, "--config", self.config)

    def guards(self, *ports: str) -> None:
        """Give the allowlist a gate at some ports."""
        document = json.loads(self.config.read_text())
        document["allowlists"]["web"]["targets"].append({"nftables": {"ports": ports}})
        self.config.write_text(json.dumps(document))
        assert self.run("apply").code == 0

    def unheard(self) -> list[str]:
        """What `check` says of ports at which no program listens."""
        found = self.run("check", "--json").document["findings"]
        return [one["what"] for one in found if "no program listens" in one["what"]]

    def told(self) -> list[str]:
        """What `check` says of the list."""
        found = self.run("check", "--json").document["findings"]
        return [one["what"] for one in found if "do not get in" in one["what"]]

    def explained(self, what: str, *words: str) -> dict[str, Any]:
        document: dict[str, Any] = self.run("explain", what, *words, "--json").document
        return document


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[WebServer]:
    with Namespace() as inside:
        with_uplink(inside)
        yield WebServer(inside, tmp_path)


@pytest.fixture
def listening(machine: WebServer) -> Iterator[None]:
    """A program at the port, over both families."""

    def opened() -> socket.socket:
        return socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)

    with closing(machine.inside.run(opened)):
        yield


@pytest.mark.usefixtures("listening")
def test_a_rule_that_stops_hosts_of_a_server_is_named(machine: WebServer) -> None:
    assert machine.told() == []
    assert machine.explained("alice")["allowed"] == "yes"
    machine.inside.nft(CLOSED)
    (told,) = machine.told()
    assert told.startswith(f"lets in alice ({ALICE}), carol ({CAROL}), but packets from there")
    assert told.endswith(f"do not get in at 8443/tcp: {DROPPED}")
    for words in (), ("--port", "8443"):
        document = machine.explained("alice", *words)
        assert document["allowed"] == "no"
        assert document["targets"][0]["reason"] == f"has an entry, but no access: {DROPPED}"
        (packet,) = document["packets"]
        assert (packet["port"], packet["verdict"]) == ("8443/tcp", "dropped")
    # Whom the server refuses gets as far as the server or not: that is nothing to tell.
    stranger = machine.explained(STRANGER)
    assert (stranger["allowed"], stranger["packets"], stranger["open"]) == ("no", [], [])


@pytest.mark.usefixtures("listening")
def test_each_host_is_told_of_by_itself(machine: WebServer) -> None:
    machine.inside.nft(ONE_CLOSED)
    (told,) = machine.told()
    assert told.startswith(f"lets in alice ({ALICE}), but")
    assert [machine.explained(one)["allowed"] for one in ("alice", "carol")] == ["no", "yes"]


@pytest.mark.usefixtures("listening")
def test_a_port_that_is_redirected_to_the_server_leads_there(machine: WebServer) -> None:
    machine.inside.nft(ONE_CLOSED + REDIRECTED % f"tcp dport 443 redirect to :{PORT}")
    assert machine.told() == []
    assert machine.explained("alice")["allowed"] == "yes"


def test_a_port_at_which_no_program_listens_is_none_of_the_server(machine: WebServer) -> None:
    machine.inside.nft(CLOSED)
    assert machine.told() == []
    assert machine.explained("alice")["allowed"] == "yes"


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(
    ("rules", "leads"),
    [("", ""), (TO_SERVER, ", where 444/tcp is redirected")],
)
def test_a_guarded_port_that_is_not_the_servers_has_that_named(
    machine: WebServer, rules: str, leads: str
) -> None:
    machine.guards("443/tcp", "443/udp")
    machine.inside.nft(rules)
    by_tcp, by_udp = machine.unheard()
    assert by_tcp.startswith("443/tcp: no program listens over IPv4 and IPv6 at ")
    server = "the allowlist's server listens elsewhere: web/nginx at 8443/tcp"
    assert by_tcp.endswith(
        f"hosts of the allowlist reach the port, but no service; {server}{leads}"
    )
    assert by_udp.endswith("hosts of the allowlist reach the port, but no service")


@pytest.mark.usefixtures("listening")
def test_a_server_at_a_guarded_port_is_not_named_for_another_one(machine: WebServer) -> None:
    machine.guards("443/tcp", f"{PORT}/tcp")
    (told,) = machine.unheard()
    assert told.startswith("443/tcp: ")
    assert "elsewhere" not in told


def test_only_root_has_a_server_looked_at_by_its_own_program() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        program, called, config = folder / "caddy", folder / "any" / "c", folder / "config.yaml"
        called.parent.mkdir()
        called.parent.chmod(0o777)
        program.write_text(f"#!/bin/sh\necho >> {called}\n")
        program.chmod(0o755)
        caddy = {"path": str(folder / "a.caddy"), "program": str(program), "pid_file": "/run/none"}
        document = {
            "hosts": {"alice": {"networks": [ALICE]}},
            "allowlists": {"web": {"targets": [{"caddy": caddy}]}},
            "state": str(folder / "state" / "state.db"),
        }
        config.write_text(json.dumps(document))
        config.chmod(0o644)
        other = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
        allowsync("explain", "alice", "--config", config, prefix=other)
        assert not called.exists()
        with Namespace() as inside:
            inside.run(allowsync, "explain", "alice", "--config", config)
        assert called.exists()
