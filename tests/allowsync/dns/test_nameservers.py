from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from allowsync.dns.nameservers import socket_address
from allowsync.dns.resolv_conf import nameservers_in, system_nameservers
from allowsync.model.nameserver import Nameserver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["127.0.0.1"]),
        ("search example.org\noptions edns0\n", ["127.0.0.1"]),
        ("nameserver 192.0.2.53\n", ["192.0.2.53"]),
        ("nameserver\t192.0.2.53   \r\n", ["192.0.2.53"]),
        ("nameserver 192.0.2.53", ["192.0.2.53"]),
        ("nameserver 2001:db8::53\nnameserver 192.0.2.53\n", ["2001:db8::53", "192.0.2.53"]),
        ("nameserver fe80::1%eth0\n", ["fe80::1%eth0"]),
        ("nameserver 192.0.2.53 # the router\n", ["192.0.2.53"]),
        ("nameserver 192.0.2.53;the router\n", ["192.0.2.53"]),
        ("# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n", ["127.0.0.1"]),
        ("  nameserver 192.0.2.53\n", ["127.0.0.1"]),
        ("nameservers 192.0.2.53\nNAMESERVER 192.0.2.53\n", ["127.0.0.1"]),
        ("nameserver\nnameserver router.lan\nnameserver 010.0.0.1\n", ["127.0.0.1"]),
        ("nameserver 192.0.2.1\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
        ("nameserver 192.0.2.1\nnameserver ::ffff:192.0.2.1\n", ["192.0.2.1"]),
        ("nameserver 2001:DB8:0::53\nnameserver 2001:db8::53\n", ["2001:db8::53"]),
        (
            "".join(f"nameserver 192.0.2.{i}\n" for i in range(1, 6)),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
        ("\udcff\udcfe\nnameserver 192.0.2.53\n", ["192.0.2.53"]),
    ],
)
def test_the_systems_nameservers_are_read_as_the_manual_says(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert system_nameservers(path) == tuple(map(Nameserver, expected))


def test_all_that_a_file_names_are_read(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("".join(f"nameserver 192.0.2.{n}\n" for n in range(5)))
    assert nameservers_in(path) == [Nameserver(f"192.0.2.{n}") for n in range(5)]
    assert nameservers_in(tmp_path / "missing") == []


def test_without_the_file_the_local_machine_is_asked(tmp_path: Path) -> None:
    assert system_nameservers(tmp_path / "missing") == (Nameserver("127.0.0.1"),)
    assert system_nameservers(tmp_path) == (Nameserver("127.0.0.1"),)


def test_a_link_local_address_carries_its_interface() -> None:
    loopback = socket.if_nametoindex("lo")
    for zone in ("lo", str(loopback)):
        assert socket_address(Nameserver(f"fe80::1%{zone}")) == ("fe80::1", 53, 0, loopback)


@pytest.mark.parametrize("address", ["fe80::1%nosuch0", "router.lan", "", "192.0.2", "::g"])
def test_what_is_no_address_is_never_looked_up(address: str) -> None:
    with pytest.raises(OSError, match=r".*"):
        socket_address(Nameserver(address))
