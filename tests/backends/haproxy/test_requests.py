"""Real requests to a real HAProxy while its allowlist changes."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from tests.support.haproxy import DENY, PORT, REJECT, haproxy
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.requests import (
    NONE,
    OK,
    RequestSender,
    ServedFlow,
    apply_one,
    is_felt_by_nobody,
    neighbourhood,
)
from tests.support.sampling import share

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root]

FORBIDDEN = 403
# With more, HAProxy itself refuses one request in a million: docs/backends/haproxy.md.
ONE_THREAD = "    nbthread 1\n"


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "refusal"), [(DENY, FORBIDDEN), (REJECT, NONE)])
def test_no_change_at_its_socket_is_felt_by_a_friend_or_used_by_a_stranger(
    as_root: None, tmp_path: Path, rule: str, refusal: int
) -> None:
    with (
        neighbourhood() as inside,
        haproxy(inside, tmp_path, rule=rule, more=ONE_THREAD) as server,
    ):
        worker, uptime = server.worker, server.uptime
        found = is_felt_by_nobody("haproxy", inside, server.backend(), PORT, applies=share(100, 10))
        assert set(found.refusals) == {refusal}
        assert server.worker == worker
        assert server.uptime >= uptime


@pytest.mark.slow
def test_no_reload_is_felt_by_a_friend_or_used_by_a_stranger(as_root: None, tmp_path: Path) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path, told=False) as server:
        worker = server.worker
        is_felt_by_nobody("haproxy, reloaded", inside, server.backend(), PORT, applies=share(20, 6))
        assert server.worker != worker


@pytest.mark.parametrize("told", [True, False])
def test_who_is_taken_out_has_no_further_answer_on_a_connection_that_is_kept(
    as_root: None, tmp_path: Path, *, told: bool
) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path, told=told) as server:
        backend = server.backend()
        inside.run(apply_one, backend, [ip_network(FRIEND), ip_network(STRANGER)])
        asker = RequestSender(ServedFlow("stranger", SERVER, STRANGER, PORT, keeps=True))
        assert inside.run(asker.ask) == OK
        inside.run(apply_one, backend, [ip_network(FRIEND)])
        assert inside.run(asker.ask) == FORBIDDEN
        assert asker.renewed == (0 if told else 1)
        asker.close()
