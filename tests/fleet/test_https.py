"""A decision carried by a web server: asked for by its ETag."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.fleet import http
from allowsync.fleet.https_store import HttpsStore
from allowsync.fleet.store import Fetched, StoreError, Unreadable
from testkit.fake_dns.tls import Authority
from tests.support.fleets import Machine, Machines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from allowsync.fleet.store import Seen
    from testkit.fake_dns.nameserver import NameServer

HOSTS: dict[str, Any] = {
    "alice": {"hostname": "alice.example.org", "families": ["ipv4"]},
    "office": {"networks": ["81.2.70.0/24"]},
}


class Front(ThreadingHTTPServer):
    """A web server of a folder, with ETags.

    Attributes:
        answered: The status of every answer so far.
        status: What it answers instead.
        endless: Whether its answers go on and on.
        refused: The one file that it does not hand out.
        cut: The one file of which it hands out a part.
        silent: The files about which it says nothing.
        over: Set when it may go on.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.answered: list[int] = []
        self.status = 0
        self.endless = False
        self.refused = self.cut = ""
        self.silent: tuple[str, ...] = ()
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Front

    def do_GET(self) -> None:
        path = self.server.folder / self.path.rpartition("/")[2]
        tag = f'"{path.stat().st_mtime_ns}"' if path.exists() else ""
        status = self.server.status or (200 if tag else 404)
        if tag and self.headers["If-None-Match"] == tag and not self.server.status:
            status = 304
        if path.name == self.server.refused:
            status = 403
        if path.name in self.server.silent:
            self.server.over.wait()
            return
        self.server.answered.append(status)
        self.send_response(status)
        self.send_header("ETag", tag)
        body = path.read_bytes() if status == 200 else b""
        if not self.server.endless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if path.name == self.server.cut:
            body, self.close_connection = body[:9], True
        self.wfile.write(body)
        if self.server.endless:
            with_patience = b"x" * 2**20
            for _ in range(200):
                self.wfile.write(with_patience)

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True


@contextmanager
def served(folder: Path, authority: Authority) -> Iterator[Front]:
    with Front(folder) as front:
        context = authority.serves("127.0.0.1")
        front.socket = context.wrap_socket(front.socket, server_side=True)
        thread = threading.Thread(target=front.serve_forever, daemon=True)
        thread.start()
        try:
            yield front
        finally:
            front.over.set()
            front.shutdown()
            thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def front(tmp_path: Path, authority: Authority) -> Iterator[Front]:
    (tmp_path / "store").mkdir()
    with served(tmp_path / "store", authority) as front:
        yield front


@pytest.fixture
def machines(tmp_path: Path, server: NameServer) -> Machines:
    return Machines(tmp_path, server, {"file": str(tmp_path / "store")})


@pytest.fixture
def applier(machines: Machines, front: Front, authority: Authority) -> Machine:
    machines.resolver(**HOSTS)("apply")
    machine = machines.applier()
    url = f"https://127.0.0.1:{front.server_address[1]}"
    machine.store = {"https": {"url": url, "ca": str(authority.certificate)}}
    return machine


def test_what_did_not_change_is_not_sent(applier: Machine, front: Front) -> None:
    for _ in range(3):
        done = applier("apply")
        assert (done.code, done.err) == (0, "")
    assert applier.allowed == ["81.2.69.1/32", "81.2.70.0/24"]
    assert front.answered == [200, 304, 304]


@pytest.mark.parametrize("status", [301, 403, 404, 500, 304])
def test_another_status_keeps_everything(applier: Machine, front: Front, status: int) -> None:
    applier("apply")
    held = applier.allowed
    front.status = status
    applier.state.with_name("state.db.web.fleet").touch()
    done = applier("apply")
    assert done.code == (0 if status == 304 else 3)
    assert applier.allowed == held


def test_a_document_that_is_refused_holds_up_no_other_list(
    applier: Machine, front: Front, tmp_path: Path
) -> None:
    applier.more = {
        "allowlists": {
            name: {"follow": True, "targets": [{"file": {"path": str(tmp_path / name)}}]}
            for name in ("ssh", "web")
        }
    }
    front.refused = "ssh.json"
    done = applier("apply")
    said = " ".join(done.err.split())
    assert (done.code, "home.web" in said) == (1, False)  # nothing was ever known of the other
    assert "fleet home.ssh: it has no new document: " in said
    assert "ssh.json: HTTP status 403; its entries stay" in said
    assert "81.2.70.0/24" in (tmp_path / "web").read_text()


LISTS = ("ftp", "ssh", "web")


@pytest.fixture
def several(machines: Machines, applier: Machine, tmp_path: Path) -> Machine:
    """The same with three lists, each held already, and a newer document of each."""
    resolver = machines.resolver("several", **HOSTS)
    resolver.more = {"allowlists": {name: {"publish": True} for name in LISTS}}
    applier.more = {
        "allowlists": {
            name: {"follow": True, "targets": [{"file": {"path": str(tmp_path / name)}}]}
            for name in LISTS
        }
    }
    assert resolver("apply").code == applier("apply").code == 0
    resolver.hosts = {**HOSTS, "branch": {"networks": ["81.2.71.0/24"]}}
    assert resolver("apply").code == 0
    return applier


def test_a_document_that_is_cut_holds_up_no_other_list(
    several: Machine, front: Front, tmp_path: Path
) -> None:
    front.cut = "ssh.json"
    done = several("apply")
    said = " ".join(done.err.split())
    assert (done.code, said.count("it has no new document")) == (3, 1)
    assert "ssh.json: the connection broke; its entries stay" in said
    texts = {name: (tmp_path / name).read_text() for name in LISTS}
    assert [name for name, text in texts.items() if "81.2.71.0/24" in text] == ["ftp", "web"]
    assert all("81.2.70.0/24" in text for text in texts.values())
    front.cut = ""
    assert several("apply").code == 0
    assert "81.2.71.0/24" in (tmp_path / "ssh").read_text()


def seen(front: Front, authority: Authority) -> Mapping[str, Seen]:
    url = f"https://127.0.0.1:{front.server_address[1]}"
    store = HttpsStore(url, str(authority.certificate))
    return store.look(dict.fromkeys(LISTS, ""))


@pytest.mark.usefixtures("several")
def test_a_document_about_which_a_server_is_silent_holds_up_no_other_list(
    front: Front, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 4.0)
    front.silent = ("ssh.json",)
    found = seen(front, authority)
    assert isinstance(found["ftp"], Fetched)
    assert isinstance(found["web"], Fetched)
    assert isinstance(found["ssh"], Unreadable)
    assert found["ssh"].why.endswith("/ssh.json: it was not received in time")


@pytest.mark.usefixtures("several")
def test_a_server_that_is_silent_about_all_is_the_trouble_of_all(
    front: Front, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 3.0)
    front.silent = tuple(f"{name}.json" for name in LISTS)
    with pytest.raises(StoreError, match="it was not received in time"):
        seen(front, authority)


def test_a_server_without_end_is_left(applier: Machine, front: Front) -> None:
    applier("apply")
    held = applier.allowed
    (front.folder / "web.json").touch()
    front.endless = True
    done = applier("apply")
    assert done.code == 3
    assert "larger than" in done.err
    assert applier.allowed == held


def test_a_server_with_another_certificate_is_not_asked(
    applier: Machine, front: Front, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    applier.store["https"]["ca"] = str(Authority(tmp_path / "other").certificate)
    done = applier("apply")
    assert "certificate verify failed" in " ".join(done.err.split())
    assert front.answered == []


def test_a_server_that_cannot_be_reached_is_named() -> None:
    store = HttpsStore("https://127.0.0.1:1/", None)
    with pytest.raises(StoreError, match=r"^https://127\.0\.0\.1:1: Connection refused$"):
        store.look({"web": ""})


def test_nothing_is_published_by_https(machines: Machines, applier: Machine) -> None:
    applier.signing_key, applier.hosts = machines.signing_key, HOSTS
    done = applier("apply")
    assert done.code == 2
    assert "nothing can be published by https" in done.err
