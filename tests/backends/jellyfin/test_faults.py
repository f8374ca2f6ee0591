"""What becomes of a run when an answer fails, and when others write in between."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import nullcontext, suppress
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.jellyfin import JellyfinOptions
from allowsync_backends.jellyfin.backend import JellyfinBackend

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.model.plan import Plan
from allowsync.model.types import Entry
from testkit.fake_dns.tls import Authority
from testkit.fake_jellyfin import JellyfinFault
from tests.support.jellyfin_targets import FILTER, LAN, PROXIES, held, keep, options, target

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_jellyfin import FakeJellyfin, LoggedCall
    from testkit.fake_jellyfin.faults import JellyfinAnswer

ALICE, BOB, CAROL = "203.0.113.7/32", "2001:db8:1::/64", "198.51.100.9/32"
UNDONE = [
    JellyfinFault.CUT_BEFORE,
    JellyfinFault.ERROR_BEFORE,
    JellyfinFault.STARTING,
    JellyfinFault.HTML_BEFORE,
    JellyfinFault.REDIRECT,
]
DONE = [JellyfinFault.CUT_AFTER, JellyfinFault.ERROR_AFTER, JellyfinFault.HTML_AFTER]


@pytest.mark.parametrize(
    "fault", [one for one in JellyfinFault if one is not JellyfinFault.SHORTER]
)
def test_a_look_that_fails_is_an_error_and_changes_nothing(
    fake: FakeJellyfin, fault: JellyfinFault
) -> None:
    keep(target(fake), ALICE)
    before = dict(fake.settings)
    fake.faults["GET"] = [fault]
    with pytest.raises(BackendError) as caught:
        target(fake).read()
    assert fake.key not in str(caught.value)
    assert fake.settings == before
    assert held(target(fake).read()) == {ALICE}


@pytest.mark.parametrize("fault", [JellyfinFault.SHORTER, JellyfinFault.UNENDED])
def test_an_answer_that_is_cut_short_is_none(fake: FakeJellyfin, fault: JellyfinFault) -> None:
    keep(target(fake), ALICE)
    fake.faults["GET"] = [fault]
    with pytest.raises(BackendError, match="no reply"):
        target(fake).read()


@pytest.mark.parametrize("fault", UNDONE)
def test_a_change_that_was_not_made_is_said_and_made_by_the_next_run(
    fake: FakeJellyfin, fault: JellyfinFault
) -> None:
    keep(target(fake), ALICE)
    fake.faults["POST"] = [fault]
    with pytest.raises(BackendError) as caught:
        keep(target(fake), BOB)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert held(target(fake).read()) == {ALICE}
    assert held(keep(target(fake), BOB)) == {BOB}


@pytest.mark.parametrize("fault", DONE)
def test_a_change_whose_answer_was_lost_is_found_to_be_made(
    fake: FakeJellyfin, fault: JellyfinFault
) -> None:
    fake.faults["POST"] = [fault]
    assert held(keep(target(fake), ALICE)) == {ALICE}
    assert len(fake.writes) == 1


@pytest.mark.parametrize("fault", [*UNDONE, *DONE])
def test_a_change_that_cannot_be_looked_at_is_unknown(
    fake: FakeJellyfin, fault: JellyfinFault
) -> None:
    keep(target(fake), ALICE)

    def fail() -> None:
        fake.faults["GET"] = [fault]

    fake.after_write = fail
    with pytest.raises(OutcomeUnknown):
        keep(target(fake), BOB)
    fake.after_write = lambda: None
    assert held(keep(target(fake), BOB)) == {BOB}


def test_a_write_that_was_lost_to_another_client_is_made_again(fake: FakeJellyfin) -> None:
    """The dashboard had the page open, and saves it right after we wrote."""
    keep(target(fake), ALICE)
    page = dict(fake.settings)

    def save() -> None:
        fake.after_write = lambda: None
        fake.store(**{**page, "BaseUrl": "/saved"})

    fake.after_write = save
    with pytest.raises(BackendError, match="another client") as caught:
        keep(target(fake), ALICE, BOB)
    assert caught.value.again
    assert held(keep(target(fake), ALICE, BOB)) == {ALICE, BOB}
    assert fake.settings["BaseUrl"] == "/saved"


def test_what_another_client_adds_after_the_write_stays(fake: FakeJellyfin) -> None:
    def add() -> None:
        fake.store(RemoteIPFilter=[*fake.settings["RemoteIPFilter"], CAROL], BaseUrl="/saved")

    fake.after_write = add
    assert held(keep(target(fake), ALICE)) == {ALICE}
    fake.after_write = lambda: None
    keep(target(fake), BOB)
    assert CAROL in fake.settings["RemoteIPFilter"]
    assert fake.settings["BaseUrl"] == "/saved"


def test_what_another_client_wrote_before_a_run_stays(fake: FakeJellyfin) -> None:
    """Between the look and the change of one run, too: it is read again right before."""
    keep(target(fake), ALICE)
    backend = target(fake)
    read = backend.read()
    fake.store(RemoteIPFilter=[CAROL, *fake.settings["RemoteIPFilter"]], BaseUrl="/saved")
    backend.apply(Plan("x", add=(Entry(ip_network(BOB)),), keep=tuple(read.entries)))
    assert fake.settings["RemoteIPFilter"][0] == CAROL
    assert fake.settings["BaseUrl"] == "/saved"


def test_a_list_that_was_emptied_in_the_dashboard_is_filled_again(fake: FakeJellyfin) -> None:
    for setting, field in ((FILTER, "RemoteIPFilter"), (LAN, "LocalNetworkSubnets")):
        keep(target(fake, setting), ALICE)
        fake.store(**{field: []})
        assert held(target(fake, setting).read()) == set()
        assert held(keep(target(fake, setting), ALICE)) == {ALICE}


def test_two_targets_on_one_server_leave_each_other_alone(fake: FakeJellyfin) -> None:
    pairs = [(FILTER, "web"), (FILTER, "web2"), (LAN, "web"), (PROXIES, "edge")]
    wanted = {
        pair: {ALICE, BOB, CAROL} - {one}
        for pair, one in zip(pairs, (ALICE, BOB, CAROL, ""), strict=True)
    }
    for pair in pairs * 2:
        keep(target(fake, *pair), *wanted[pair])
    assert len(fake.writes) == len(pairs)
    for pair in pairs:
        assert held(target(fake, *pair).read()) == wanted[pair]
    target(fake, *pairs[0]).clear()
    assert held(target(fake, *pairs[1]).read()) == wanted[pairs[1]]


@pytest.mark.parametrize("silent", range(1, 6))
def test_a_restart_in_the_middle_of_a_run_heals(fake: FakeJellyfin, silent: int) -> None:
    keep(target(fake), ALICE)
    fake.go_down(silent)
    with suppress(BackendError):
        keep(target(fake), BOB)
    fake.go_down(0)
    assert held(target(fake).read()) in ({ALICE}, {BOB})
    assert held(keep(target(fake), BOB)) == {BOB}


@pytest.mark.parametrize("number", range(1, 8))
def test_a_run_that_gets_no_further_at_any_request_leaves_no_less(
    fake: FakeJellyfin, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(target(fake), ALICE)
    answer, left = fake.answer, iter(range(1, number))

    def dying(call: LoggedCall, authorization: str) -> JellyfinAnswer | None:
        return answer(call, authorization) if next(left, 0) else None

    with monkeypatch.context() as patched, suppress(BackendError):
        patched.setattr(fake, "answer", dying)
        keep(target(fake), ALICE, BOB)
    assert ALICE in held(target(fake).read())
    assert held(keep(target(fake), ALICE, BOB)) == {ALICE, BOB}


@pytest.mark.parametrize(
    ("key", "said"),
    [("0" * 32, "does not take the API key"), ("user", "lacks rights")],
)
def test_a_key_that_does_not_do_is_named_and_never_shown(
    fake: FakeJellyfin, key: str, said: str
) -> None:
    key = fake.user_token if key == "user" else key
    backend = JellyfinBackend("web", options(fake, key=key))
    with pytest.raises(BackendError, match=said) as caught:
        keep(backend, ALICE)
    assert key not in repr((caught.value, backend))
    assert fake.settings["RemoteIPFilter"] == []


def test_a_redirect_is_not_followed_with_the_key(fake: FakeJellyfin) -> None:
    fake.faults["GET"] = [JellyfinFault.REDIRECT]
    with pytest.raises(BackendError, match="where the API key is not sent"):
        target(fake).read()


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with pytest.raises(BackendError, match="Connection refused"):
        _at(port).read()


def test_a_server_that_says_nothing_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allowsync_backends.jellyfin.api.REPLY_TIMEOUT", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        pytest.raises(BackendError, match="it was not received in time"),
    ):
        _at(door.getsockname()[1]).read()


def test_a_server_that_answers_byte_by_byte_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allowsync_backends.jellyfin.api.REPLY_TIMEOUT", 0.3)
    over = threading.Event()

    def drip(door: socket.socket) -> None:
        with door.accept()[0] as client, suppress(OSError):
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while not over.wait(0.05):
                client.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=drip, args=(door,))
        thread.start()
        try:
            with pytest.raises(BackendError, match="it was not received in time"):
                _at(door.getsockname()[1]).read()
        finally:
            over.set()
            thread.join()


def test_nothing_of_the_environment_is_heeded(
    fake: FakeJellyfin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert held(keep(target(fake), ALICE)) == {ALICE}


@pytest.mark.parametrize(
    ("names", "days", "known", "said"),
    [
        (["127.0.0.1"], (-1, 1), True, "no reply"),
        (["127.0.0.1"], (-1, 1), False, "certificate verify failed"),
        (["media.example.org"], (-1, 1), True, "certificate verify failed"),
        (["127.0.0.1"], (-2, -1), True, "certificate verify failed"),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_the_key_goes_to_a_server_with_a_valid_certificate_alone(
    tmp_path: Path, names: list[str], days: tuple[int, int], known: bool, said: str, by_file: bool
) -> None:
    heard: list[bytes] = []
    authority = Authority(tmp_path)
    context = authority.serves(*names, days=days)

    def listen(door: socket.socket) -> None:
        with (
            door.accept()[0] as plain,
            suppress(OSError),
            context.wrap_socket(plain, server_side=True) as client,
        ):
            heard.append(client.recv(65536))

    trusted = authority.certificate if known else _other_authority(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=listen, args=(door,))
        thread.start()
        with (
            authority.trusted() if known is not by_file else nullcontext(),
            pytest.raises(BackendError, match=said),
        ):
            _at(door.getsockname()[1], "https", trusted if by_file else None).read()
        thread.join()
    assert any(b"Token=" in one for one in heard) is (said == "no reply")


def _other_authority(folder: Path) -> Path:
    (other := folder / "other").mkdir()
    return Authority(other).certificate


@pytest.mark.parametrize("text", [None, "", "no certificate\n", "a pipe"])
def test_a_file_without_certificates_is_named_before_anything_is_sent(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "home.pem"
    if text == "a pipe":
        os.mkfifo(file)  # no one ever writes to it
    elif text is not None:
        file.write_text(text)
    with pytest.raises(BackendError, match=f"ca_file {file} gives no certificate"):
        _at(1, "https", file).read()


def _at(port: int, scheme: str = "http", ca_file: Path | None = None) -> JellyfinBackend:
    secret = KeptSecret("/key", Secret("0" * 32))
    url = f"{scheme}://127.0.0.1:{port}"
    return JellyfinBackend(
        "web", JellyfinOptions(url, FILTER, api_key_file=secret, ca_file=ca_file)
    )
