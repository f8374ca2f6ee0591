"""What file and process of an HAProxy hold of our list, and how it is changed."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.backend.api import BackendError
from tests.support.gates import planned
from tests.support.internet import FRIEND
from tests.support.meddler import PROMPT, Meddler
from tests.support.requests import apply_one

if TYPE_CHECKING:
    from allowsync_backends.file.backend import FileBackend

    from tests.support.haproxy import Haproxy
    from tests.support.meddler import Meddling


def put(server: Haproxy, *wanted: str, backend: FileBackend | None = None) -> None:
    networks = [ip_network(one) for one in wanted]
    server.inside.run(apply_one, backend or server.backend(), networks)


def fails(server: Haproxy, *wanted: str, backend: FileBackend) -> BackendError:
    """What is said of a change that does not succeed."""
    plan = planned(server.backend().read(), map(ip_network, wanted))
    with pytest.raises(BackendError) as raised:
        server.inside.run(backend.apply, plan)
    return raised.value


def held(server: Haproxy) -> set[str]:
    return {str(entry.network) for entry in server.backend().read().entries}


def in_file(server: Haproxy) -> set[str]:
    return {line for line in server.path.read_text().splitlines() if not line.startswith("#")}


def is_as_before(server: Haproxy) -> bool:
    """Whether file and process hold the friend alone, and nothing is left over."""
    listed = {f"{FRIEND}/32"}
    beside = [one.name for one in server.path.parent.iterdir()]
    return (in_file(server), server.listed(), beside) == (listed, listed, [server.path.name])


def between(
    server: Haproxy, meddle: Meddling, greeting: bytes = PROMPT
) -> tuple[Meddler, FileBackend]:
    """Somebody in between, and a backend that talks to them."""
    place = server.folder / "between.sock"
    return Meddler(place, server.socket, meddle, greeting), server.backend(socket=place)
