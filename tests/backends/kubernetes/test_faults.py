"""What goes wrong on the way: said as it is, and healed by the next run."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.kubernetes import ObjectKind

from allowsync.backend.api import BackendError, OutcomeUnknown
from testkit.fake_kubernetes import FakeKubernetes, KubernetesFault
from tests.support.kubernetes_targets import held, keep, kubeconfig, service, target
from tests.support.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testkit.fake_kubernetes import ServedCall
    from testkit.fake_kubernetes.faults import ApiAnswer

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


def test_an_object_that_is_deleted_between_look_and_change_is_made_by_the_next_run(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    keep(target(fake, tmp_path), ALICE)

    def delete() -> None:
        fake.before_write = lambda: None
        fake.delete("Middleware", "media", "allowsync-web")

    fake.before_write = delete
    with pytest.raises(OutcomeUnknown):
        keep(target(fake, tmp_path), BOB)
    assert held(keep(target(fake, tmp_path), BOB)) == {BOB}


@pytest.mark.parametrize("number", range(1, 6))
def test_a_run_that_gets_no_further_at_any_request_leaves_no_less(
    fake: FakeKubernetes, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(target(fake, tmp_path), ALICE)
    answer, left = fake.answer, iter(range(1, number))

    def dying(call: ServedCall) -> ApiAnswer | None:
        return answer(call) if next(left, 0) else None

    with monkeypatch.context() as patched, suppress(BackendError):
        patched.setattr(fake, "answer", dying)
        keep(target(fake, tmp_path), ALICE, BOB)
    assert ALICE in held(target(fake, tmp_path).read())
    assert held(keep(target(fake, tmp_path), ALICE, BOB)) == {ALICE, BOB}


JUNK: tuple[Any, ...] = (
    None,
    0,
    -1.5,
    True,
    "",
    "text",
    [],
    {},
    [None],
    [[]],
    {"f:spec": 1},
    "1/99",
)


def _places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))
        else:
            yield (*path, key)


def _spoilt(document: dict[str, Any], path: tuple[Any, ...], junk: object) -> dict[str, Any]:
    made = deepcopy(document)
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = junk
    return made


@pytest.mark.parametrize("kind", list(ObjectKind))
def test_whatever_an_object_says_it_is_read_or_refused_and_nothing_is_invented(
    fake: FakeKubernetes, tmp_path: Path, kind: ObjectKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(fake, ports=[{"port": 443, "protocol": "TCP", "nodePort": 30443}])
    backend = target(fake, tmp_path, kind)
    keep(backend, ALICE, BOB)
    namespace = "media" if kind.namespaced else ""
    whole = fake.get(kind.value, namespace, backend.options.name("web"))
    assert whole is not None
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "allowsync_backends.kubernetes.transport.ClusterTransport.get", lambda *_: said[-1]
    )
    writes = len(fake.writes)
    for path, junk in sample(product(_places(whole), JUNK), 150):
        said.append(_spoilt(whole, path, junk))
        assert all(one.what for one in backend.check())
        with suppress(BackendError):
            assert held(backend.read()) <= {ALICE, BOB}, (path, junk)
    assert len(fake.writes) == writes


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
            with pytest.raises(BackendError, match="it was not received in time"):
                backend.read()
        finally:
            over.set()
            thread.join()
