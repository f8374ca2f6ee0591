"""A list in a running HAProxy: what is seen of it, and put right."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.support.haproxy import PORT, Haproxy
from tests.support.haproxy_lists import held, is_as_before, put
from tests.support.internet import FRIEND, STRANGER
from tests.support.requests import OK, status

pytestmark = [pytest.mark.root]

FORBIDDEN = 403
LAN = "192.168.1.0/24"
ODD = "7.7.7.7/0.0.0.255"


def test_an_entry_in_either_is_held(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} 198.51.100.9/24")
    server.ask(f"del acl {server.path} {FRIEND}/32")
    current = server.backend().read()
    assert held(server) == {f"{FRIEND}/32", "198.51.100.0/24"}
    assert current.flaws == (
        "the running haproxy does not know 1 entry of its file",
        "the running haproxy knows 1 entry more than its file",
    )


def test_whom_somebody_let_in_at_the_socket_is_out_after_the_next_run(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} {STRANGER}")
    assert status(server.inside, STRANGER, PORT) == OK
    put(server, FRIEND)
    assert status(server.inside, STRANGER, PORT) == FORBIDDEN
    assert is_as_before(server)


def test_whom_somebody_put_out_at_the_socket_is_in_after_the_next_run(server: Haproxy) -> None:
    server.ask(f"clear acl {server.path}")
    assert status(server.inside, FRIEND, PORT) == FORBIDDEN
    put(server, FRIEND)
    assert status(server.inside, FRIEND, PORT) == OK
    assert is_as_before(server)


def test_a_mask_with_gaps_is_no_entry_but_a_flaw_and_goes(server: Haproxy) -> None:
    server.ask(f"add acl {server.path} {ODD}")
    current = server.backend().read()
    assert current.flaws == (f"the running haproxy knows what is no network: '{ODD}'",)
    put(server, FRIEND)
    assert is_as_before(server)


def test_the_same_network_written_otherwise_is_no_difference(server: Haproxy) -> None:
    server.ask(f"clear acl {server.path}")
    server.ask(f"add acl {server.path} {FRIEND}")
    assert server.backend().read().flaws == ()
    assert held(server) == {f"{FRIEND}/32"}


def test_another_reload_reads_what_is_in_the_file(server: Haproxy) -> None:
    put(server, FRIEND, LAN)
    server.reload()
    assert server.backend().read().flaws == ()
    assert server.listed() == {f"{FRIEND}/32", LAN}


def test_ten_thousand_entries_are_put_in_force_and_taken_out(server: Haproxy) -> None:
    many = [f"90.{n // 256}.{n % 256}.0/24" for n in range(5000)]
    many += [str(ip_network(f"2a02:8109:{n:x}::/48")) for n in range(5000)]
    put(server, FRIEND, *many)
    assert server.listed() == {f"{FRIEND}/32", *many}
    put(server, FRIEND)
    assert is_as_before(server)


def test_a_change_that_was_interrupted_before_it_was_in_force_is_completed(
    server: Haproxy,
) -> None:
    text = server.path.read_text()
    undo = server.path.with_name(f".{server.path.name}.allowsync-undo")
    undo.write_text(text)
    server.path.write_text(text + f"{LAN}\n")
    current = server.backend().read()
    assert held(server) == {f"{FRIEND}/32", LAN}
    assert len(current.flaws) == 2
    put(server, FRIEND)
    assert is_as_before(server)
