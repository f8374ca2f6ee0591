"""A list that a web server publishes: who gets in by it, by real packets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority
from testkit.fake_lists import ListServer, status, whole
from tests.support.gates import GUARDED
from tests.support.internet import CONTAINER, FRIEND, FRIEND_TOO, SERVER, STRANGER
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers
from tests.support.program import ProgramResult, allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

NAME = "lists.example.net"
LIST = f"# office\n{FRIEND}\n".encode()


class Office:
    """A gate on the server, for whoever a list names that is published at the stranger's."""

    def __init__(self, internet: Internet, folder: Path, dns: NameServer, web: ListServer) -> None:
        self.internet, self.dns, self.web = internet, dns, web
        self.certificate, self.path = folder / "authority.pem", folder / "config.yaml"
        document = {
            "hosts": {"office": {"lists": ["office"]}},
            "allowlists": {"web": {"targets": [{"nftables": {"ports": [f"{GUARDED}/tcp"]}}]}},
            "lists": {"office": {"url": f"https://{NAME}:{web.port}/office.txt"}},
            "resolver": {"nameservers": [str(dns)], "timeout": "15s", "attempts": 1},
            "state": str(folder / "state" / "state.db"),
        }
        self.path.write_text(json.dumps(document))
        self.path.chmod(0o600)

    def __call__(self, command: str) -> ProgramResult:
        environ = {"SSL_CERT_FILE": str(self.certificate)}
        return self.internet.server.run(
            allowsync, *command.split(), "--config", self.path, environ=environ
        )

    def passes(self, source: str, *, wait: float = IN_VAIN) -> bool:
        return tcp_answers(self.internet.friend, SERVER, GUARDED, source=source, wait=wait)


@pytest.fixture
def office(internet: Internet, echo: Echo, tmp_path: Path) -> Iterator[Office]:
    context = Authority(tmp_path).serves(NAME)
    with (
        internet.server.run(NameServer, {NAME: [STRANGER]}) as dns,
        internet.stranger.run(ListServer, context, STRANGER) as web,
    ):
        web.answers["/office.txt"] = whole(LIST)
        yield Office(internet, tmp_path, dns, web)


def test_who_is_on_a_list_gets_in_and_no_one_else(office: Office) -> None:
    first = office("apply")
    assert "1 network fetched" in first.err
    assert office("apply").code == 0
    assert office.passes(FRIEND, wait=PATIENCE)
    assert not office.passes(FRIEND_TOO)
    assert len(office.web.requests) == 1


def test_a_name_that_moves_into_the_lan_is_not_asked(office: Office) -> None:
    office("apply")
    office("apply")
    office.dns.zones[NAME] = [CONTAINER]
    office.web.answers["/office.txt"] = status(404)
    office.path.write_text(office.path.read_text().replace("office.txt", "other.txt"))
    done = office("apply")
    assert done.code == 0
    assert len(office.web.requests) == 1
    said = f"{NAME} is not connected to: {CONTAINER} is a private address"
    assert said in office("resolve").out
    assert office.passes(FRIEND, wait=PATIENCE)
