"""Whether it is the right HAProxy that is asked, and whether one runs at all."""

from __future__ import annotations

import signal
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Severity
from tests.support.files import as_written
from tests.support.gates import planned
from tests.support.haproxy import PORT, Haproxy, haproxy
from tests.support.haproxy_lists import fails, put
from tests.support.internet import FRIEND
from tests.support.requests import neighbourhood, status

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.root]

FORBIDDEN = 403
LAN = "192.168.1.0/24"


def test_a_process_that_does_not_use_the_file_is_no_success(server: Haproxy) -> None:
    other = server.path.with_name("others.lst")
    backend = server.backend(path=other)
    (flaw_missing, flaw) = backend.read().flaws
    assert flaw_missing == f"{other} does not exist"
    assert flaw == f"haproxy runs, but has loaded no ACL from {other}: it has no effect"
    plan = planned(backend.read(), [ip_network(LAN)])
    with pytest.raises(BackendError, match="is written for when haproxy uses it") as raised:
        backend.apply(plan)
    assert not isinstance(raised.value, OutcomeUnknown)
    assert LAN in other.read_text(), "the configuration cannot name a file that is not there"
    errors = [one for one in backend.check() if one.severity is Severity.ERROR]
    assert [one.what for one in errors] == [
        flaw,
        f"no ACL in {server.config} reads {other}: it has no effect",
    ]
    assert f"src -f {other}" in errors[0].advice


def test_the_socket_of_the_master_process_is_told_from_that_of_a_worker(
    as_root: None, tmp_path: Path
) -> None:
    place = tmp_path / "master.sock"
    with neighbourhood() as inside, haproxy(inside, tmp_path, words=("-S", str(place))) as server:
        backend = server.backend(socket=place)
        deadline = time.monotonic() + 60
        said = "nothing listens"
        while "nothing listens" in said and time.monotonic() < deadline:
            with pytest.raises(BackendError) as raised:
                backend.read()
            said = str(raised.value)
    assert f"{place} is the socket of HAProxy's master process" in said


def test_one_that_runs_without_its_socket_is_no_success(server: Haproxy) -> None:
    backend = server.backend(socket=server.folder / "nobody.sock")
    with pytest.raises(BackendError, match="haproxy runs, but nothing listens at "):
        backend.read()
    before = as_written(server.path)
    error = fails(server, FRIEND, LAN, backend=backend)
    assert "nothing listens" in str(error)
    assert as_written(server.path) == before


def test_a_socket_that_may_not_be_used_is_an_error(server: Haproxy) -> None:
    file = server.folder / "file"
    file.touch()
    with pytest.raises(BackendError, match="nothing listens at"):
        server.backend(socket=file).read()
    with pytest.raises(BackendError, match="cannot be connected to: Not a directory"):
        server.backend(socket=file / "admin.sock").read()


def test_one_that_is_started_while_nobody_looks_has_the_file(server: Haproxy) -> None:
    server.stop()
    put(server, FRIEND, LAN)
    assert server.backend().read().flaws == ()
    server.start()
    assert server.listed() == {f"{FRIEND}/32", LAN}
    assert server.backend().read().flaws == ()


def test_clearing_takes_everybody_out_of_a_process_whose_configuration_is_done_with_it(
    server: Haproxy,
) -> None:
    server.rule = "http-request deny"
    server.write()
    server.inside.run(server.backend().clear)
    assert list(server.path.parent.iterdir()) == []
    assert (server.listed(), status(server.inside, FRIEND, PORT)) == (set(), FORBIDDEN)
    assert server.backend().read().entries == frozenset()


@pytest.mark.parametrize("delay", [0.02, 0.04, 0.06])
def test_a_reload_that_began_before_is_waited_for(
    as_root: None, tmp_path: Path, delay: float
) -> None:
    """A master that starts itself anew drops signals, and its new worker has the former file."""
    with neighbourhood() as inside, haproxy(inside, tmp_path, told=False) as server:
        backend = server.backend(check=("true",))  # its own check takes as long as a reload
        for networks in ({LAN}, {f"{FRIEND}/32"}, {f"{FRIEND}/32", LAN}):
            server.process.send_signal(signal.SIGUSR2)
            time.sleep(delay)
            put(server, *networks, backend=backend)
            assert server.listed() == networks
