"""Calls as values, messages as octets, and a bus that answers nonsense."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import dbus_wire, firewalld_bus
from allowsync_backends.common.dbus_wire import Call
from allowsync_backends.common.firewalld_bus import RUNTIME, Bus, FirewalldRefusal, method
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.firewalld import rules, sets

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.types import Family

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.types import Network

A, B, WIDE = map(ip_network, ("203.0.113.7", "203.0.113.8", "203.0.113.0/24"))
HOME6 = ip_network("2001:db8:7:1::/64")
RANGE = "198.51.100.1-198.51.100.9"


def entry(name: str, *arguments: object) -> Call:
    signature = "sas" if name == "setEntries" else "ss"
    return method(RUNTIME, "ipset", name, signature, "web", *arguments)


@pytest.mark.parametrize(
    ("held", "wanted", "calls"),
    [
        ((), [], ()),
        (("203.0.113.7",), [A], ()),
        (("203.0.113.7/32",), [A], ()),
        ((), [B, A], (entry("setEntries", ["203.0.113.7", "203.0.113.8"]),)),
        (
            ("203.0.113.7",),
            [B],
            (entry("addEntry", "203.0.113.8"), entry("removeEntry", "203.0.113.7")),
        ),
        (("203.0.113.7",), [WIDE], (entry("setEntries", ["203.0.113.0/24"]),)),
        (("203.0.113.7", "203.0.113.7/32"), [A], (entry("setEntries", ["203.0.113.7"]),)),
        ((RANGE,), [], (entry("removeEntry", RANGE),)),
        ((RANGE,), [A], (entry("setEntries", ["203.0.113.7"]),)),
        (("2001:DB8:7:1::/64",), [HOME6], ()),
    ],
)
def test_everything_is_added_before_anything_is_removed_where_that_can_be(
    held: tuple[str, ...], wanted: list[Network], calls: tuple[Call, ...]
) -> None:
    assert sets.filled("web", held, wanted) == calls


def test_a_set_of_which_much_changes_is_filled_in_one_call() -> None:
    many = [ip_network(f"203.0.113.{number}") for number in range(sets.MANY)]
    calls = sets.filled("web", ("198.51.100.7",), many)
    assert [one.method for one in calls] == ["setEntries"]


def test_a_rule_names_family_set_and_port_as_firewalld_writes_them() -> None:
    ports = (Port(8000, 8010, Protocol.UDP),)
    assert rules.wanted({"web": Family.IPV6}, ports) == {
        'rule family="ipv6" source ipset="web" port port="8000-8010" protocol="udp" accept'
    }


SETTINGS = ("", "allowsync:web", "ä", "hash:net", {"family": "inet"}, ["203.0.113.7", ""])


def answer(number: int = 2) -> bytes:
    """A message with values of every kind that is read, which answers a call."""
    call = Call("a.b", "/a/b/c/d", "a.b", "c", "(ssssa{ss}as)iv", (SETTINGS, -1, ("u", 7)))
    octets = dbus_wire.written(call, 3)
    # An answer has the number of its call where a call has the name of its object.
    path = b"\x01\x01o\0\x08\0\0\0/a/b/c/d" + bytes(8)
    assert octets.count(path) == 1
    answers = b"\x05\x01u\0" + bytes((number, 0, 0, 0)) + b"\x07\x01s\0\x03\0\0\0a.b" + bytes(5)
    return octets.replace(path, answers)


def test_what_is_written_is_read() -> None:
    assert dbus_wire.size(answer()) == len(answer())
    expected = dbus_wire.Message(2, "", "(ssssa{ss}as)iv", (SETTINGS, -1, 7))
    assert dbus_wire.read(answer()) == expected


def is_understood(octets: bytes) -> bool:
    try:
        dbus_wire.read(octets)
    except ValueError:
        return False
    return True


def test_whatever_is_cut_short_or_damaged_is_no_message() -> None:
    octets = answer()
    assert not any(is_understood(octets[:length]) for length in range(len(octets)))
    damaged = (
        octets[:at] + bytes((other,)) + octets[at + 1 :]
        for at in range(len(octets))
        for other in (0, 1, 0x28, 0x61, 0x76, 0xFF)
    )
    assert [one for one in damaged if not is_understood(one)], "and nothing else is raised"


def test_the_other_order_of_octets_is_read() -> None:
    octets = (
        b"B\x02\x01\x01\0\0\0\x08\0\0\0\x09\0\0\0\x0f"
        b"\x05\x01u\0\0\0\0\x02\x08\x01g\0\x01s\0\0"
        b"\0\0\0\x03yes\0"
    )
    assert dbus_wire.size(octets) == len(octets)
    assert dbus_wire.read(octets) == dbus_wire.Message(2, "", "s", ("yes",))


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a bus says: to who we are, and then to each call; after that it hangs up."""
    said: list[bytes] = []
    path = str(tmp_path / "bus")
    monkeypatch.setattr(firewalld_bus, "SOCKET", path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        serving = threading.Thread(target=_serve, args=(listening, said))
        serving.start()
        yield said
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(path)  # a test that never came
        serving.join()


def _serve(listening: socket.socket, said: list[bytes]) -> None:
    connection, _ = listening.accept()
    with connection, connection.makefile("rb") as heard:
        for number, piece in enumerate(said):
            if number == 0:
                heard.readline()
            else:
                heard.readline() if number == 1 else None
                heard.read(dbus_wire.size(heard.peek(dbus_wire.HEAD)[: dbus_wire.HEAD]))
            connection.sendall(piece)


WELCOME, GREETING = b"OK 0123\r\n", answer(1)


@pytest.mark.parametrize(
    "pieces",
    [
        [b""],
        [b"REJECTED EXTERNAL\r\n"],
        [WELCOME],
        [WELCOME, b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [WELCOME, b"l\x02\x01\x01" + b"\xff" * 12],
        [WELCOME, GREETING[:20]],
        [WELCOME, GREETING],
        [WELCOME, GREETING, b"?" * 64],
        [WELCOME, GREETING, answer()],
    ],
)
def test_a_bus_that_answers_nonsense_is_an_error(answers: list[bytes], pieces: list[bytes]) -> None:
    answers += pieces
    with pytest.raises(BackendError), Bus() as made:
        made.ask(method(RUNTIME, "ipset", "getIPSets"), "as")


def test_a_change_that_is_not_answered_may_have_been_made(answers: list[bytes]) -> None:
    answers += [WELCOME, GREETING, b""]
    with Bus() as made, pytest.raises(OutcomeUnknown):
        made.change([method(RUNTIME, "", "reload")])


def test_where_there_is_no_bus_firewalld_cannot_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firewalld_bus, "SOCKET", str(tmp_path / "none"))
    with pytest.raises(BackendError, match="firewalld cannot be asked: "), Bus():
        pass


def test_only_firewalld_itself_says_why_in_its_own_codes() -> None:
    call = method(RUNTIME, "ipset", "getEntries")
    refused = FirewalldRefusal(
        call, f"{firewalld_bus.SERVICE}.Exception", "INVALID_IPSET: web\n\nJSON blob: …"
    )
    absent = FirewalldRefusal(call, "org.freedesktop.DBus.Error.ServiceUnknown", "The name …")
    assert (refused.code, absent.code) == ("INVALID_IPSET", "")
    assert str(refused) == "firewalld did not do getEntries: INVALID_IPSET: web"
    assert str(absent) == "firewalld does not run; start it with 'systemctl start firewalld'"
