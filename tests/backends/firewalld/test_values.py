"""Calls as values, and a bus that answers nonsense."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import firewalld_bus
from allowsync_backends.common.firewalld_bus import RUNTIME, Bus, Call, FirewalldRefusal, method
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.firewalld import rules, sets
from jeepney import (
    DBusAddress,
    HeaderFields,
    MessageType,
    Parser,
    new_method_call,
    new_method_return,
)

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


def answer(number: int = 2) -> bytes:
    """A message with a text, which answers a call."""
    made = new_method_return(new_method_call(DBusAddress("/", "a.b"), "any"), "s", ("yes",))
    made.header.fields[HeaderFields.reply_serial] = number
    return bytes(made.serialise(serial=number))


def failure(number: int) -> bytes:
    """An error without a word of why."""
    made = new_method_return(new_method_call(DBusAddress("/", "a.b"), "any"))
    made.header.message_type = MessageType.error
    made.header.fields.update({HeaderFields.error_name: "a.b", HeaderFields.reply_serial: number})
    return bytes(made.serialise(serial=number))


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a bus says: to who we are, and then to each call; after that it hangs up."""
    said: list[bytes] = []
    path = str(tmp_path / "bus")
    monkeypatch.setattr(firewalld_bus, "SOCKET", path)
    monkeypatch.setattr(firewalld_bus, "TIMEOUT", 5)
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
    with connection, connection.makefile("rb") as heard, suppress(OSError):
        for number, piece in enumerate(said):
            if number < 2:
                heard.readline()  # who it is, and that it begins
            calls = Parser()
            while number and calls.get_next_message() is None:
                calls.add_data(heard.read(calls.bytes_desired()))
            connection.sendall(piece)


WELCOME, GREETING = b"OK 0123\r\n", answer(1)
# A byte of the head: order, type, version, the lengths and the first field.
DAMAGED = [
    answer()[:at] + bytes((other,)) + answer()[at + 1 :]
    for at in (0, 1, 3, 7, 12, 16, 18, 20, 24)
    for other in (0x0C, 0x76, 0xFF)
]


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
        [WELCOME, failure(1)],
        [WELCOME, GREETING, failure(2)],
        *([WELCOME, GREETING, one] for one in DAMAGED),
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
