"""What goes wrong on the way: said as it is, and healed by the next run."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from testkit.fake_kubernetes import FakeKubernetes, KubernetesFault
from tests.support.kubernetes_targets import held, keep, kubeconfig, target

if TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB = "81.2.69.1/32", "81.2.69.2/32"
BUSY = KubernetesFault.BUSY
UNDONE = [one for one in KubernetesFault if not one.done and one is not BUSY]
DONE = [one for one in KubernetesFault if one.done]
# After these it is known that nothing was done.
CERTAIN = [KubernetesFault.LIST, KubernetesFault.OTHER_KIND, KubernetesFault.REDIRECT]


@pytest.mark.parametrize("fault", list(KubernetesFault))
def test_a_look_that_fails_each_time_is_an_error_and_never_empty(
    fake: FakeKubernetes, tmp_path: Path, fault: KubernetesFault
) -> None:
    keep(target(fake, tmp_path), ALICE)
    fake.faults["GET"] = [fault] * 3
    with pytest.raises(BackendError) as caught:
        target(fake, tmp_path).read()
    assert fake.token not in str(caught.value)
    fake.faults.clear()
    assert held(target(fake, tmp_path).read()) == {ALICE}


@pytest.mark.parametrize("fault", [one for one in KubernetesFault if one not in CERTAIN])
def test_a_look_that_fails_once_is_made_again(
    fake: FakeKubernetes, tmp_path: Path, fault: KubernetesFault
) -> None:
    keep(target(fake, tmp_path), ALICE)
    fake.faults["GET"] = [fault]
    assert held(target(fake, tmp_path).read()) == {ALICE}


@pytest.mark.parametrize("fault", UNDONE)
def test_a_change_that_was_not_seen_to_be_made_is_not_claimed(
    fake: FakeKubernetes, tmp_path: Path, fault: KubernetesFault
) -> None:
    keep(target(fake, tmp_path), ALICE)
    fake.faults["PATCH"] = [fault]
    if fault is KubernetesFault.OTHER_KIND:
        assert held(keep(target(fake, tmp_path), BOB)) == {ALICE}  # and the run reads back
    else:
        with pytest.raises(OutcomeUnknown, match="could not confirm the change"):
            keep(target(fake, tmp_path), BOB)
    assert held(target(fake, tmp_path).read()) == {ALICE}
    assert held(keep(target(fake, tmp_path), BOB)) == {BOB}


@pytest.mark.parametrize("fault", DONE)
def test_a_change_whose_answer_was_lost_is_found_to_be_made(
    fake: FakeKubernetes, tmp_path: Path, fault: KubernetesFault
) -> None:
    fake.faults["PATCH"] = [fault]
    assert held(keep(target(fake, tmp_path), ALICE)) == {ALICE}
    assert len(fake.writes) == 1


@pytest.mark.parametrize("fault", [*DONE, KubernetesFault.CUT_BEFORE])
def test_a_change_that_cannot_be_looked_at_is_unknown(
    fake: FakeKubernetes, tmp_path: Path, fault: KubernetesFault
) -> None:
    keep(target(fake, tmp_path), ALICE)
    fake.faults["PATCH"] = [fault]
    backend = target(fake, tmp_path)

    def fail() -> None:
        fake.before_write = lambda: None
        fake.faults["GET"] = [KubernetesFault.CUT_BEFORE] * 3

    if fault.done:
        fake.before_write = fail
    else:
        fake.faults["GET"] = []
    with pytest.raises(OutcomeUnknown):
        keep(backend, BOB)
    fake.faults.clear()
    assert held(keep(target(fake, tmp_path), BOB)) == {BOB}


def test_a_server_that_is_busy_for_a_moment_is_asked_again(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    fake.faults["PATCH"] = [BUSY, BUSY]
    assert held(keep(target(fake, tmp_path), ALICE)) == {ALICE}
    fake.faults["PATCH"] = [BUSY] * 3
    with pytest.raises(BackendError, match="takes no more requests for now") as caught:
        keep(target(fake, tmp_path), BOB)
    assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize("fault", [one for one in KubernetesFault if one is not BUSY])
def test_a_clear_that_fails_says_so_or_is_made(
    fake: FakeKubernetes, tmp_path: Path, fault: KubernetesFault
) -> None:
    keep(target(fake, tmp_path), ALICE)
    fake.faults["DELETE"] = [fault]
    if fault.done:
        target(fake, tmp_path).clear()
    else:
        with suppress(OutcomeUnknown):
            target(fake, tmp_path).clear()
            assert fault is KubernetesFault.OTHER_KIND
        target(fake, tmp_path).clear()
    assert fake.get("Middleware", "media", "allowsync-web") is None


def test_a_redirect_is_not_followed_with_the_token(fake: FakeKubernetes, tmp_path: Path) -> None:
    fake.faults["GET"] = [KubernetesFault.REDIRECT] * 3
    with pytest.raises(
        BackendError, match=r"redirects elsewhere \(HTTP 302\), where nothing is sent"
    ):
        target(fake, tmp_path).read()


def test_a_server_that_is_not_there_is_named(tmp_path: Path, fake: FakeKubernetes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    backend = target(fake, tmp_path)
    kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
    with pytest.raises(BackendError, match=r"no connection to .*Connection refused"):
        backend.read()


def test_a_server_that_answers_byte_by_byte_is_not_waited_for_long(
    tmp_path: Path, fake: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allowsync_backends.kubernetes.transport.REPLY_TIMEOUT", 0.3)
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while not over.wait(0.05):
                client.sendall(b" ")

    def serve(door: socket.socket) -> None:
        for _ in range(3):
            with suppress(OSError):
                threading.Thread(target=drip, args=(door.accept()[0],), daemon=True).start()

    backend = target(fake, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as door:
        kubeconfig(tmp_path, f"http://127.0.0.1:{door.getsockname()[1]}")
        thread = threading.Thread(target=serve, args=(door,))
        thread.start()
        try:
            with pytest.raises(BackendError, match="it came too slowly"):
                backend.read()
        finally:
            over.set()
            thread.join()
