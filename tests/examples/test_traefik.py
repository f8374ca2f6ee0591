"""The examples for Traefik are what Traefik documents, and fit together."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT, blocks
from tests.support.program import allowsync
from tests.support.traefik import Standin
from tests.support.traefik_schema import validator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "examples"
ZONES = {
    "alice.duckdns.org": ["81.2.69.1", "2a02:8010:1::25"],
    "bob.ddns.example.net": ["81.2.69.2"],
}
FRIENDS = ["81.2.69.1/32", "81.2.69.2/32", "2a02:8010:1::/64"]
PLACE = "/etc/traefik/dynamic/"
DOCUMENTS = [
    *((path.name, path.read_text()) for path in sorted(EXAMPLES.glob("traefik*.yml"))),
    *(
        (str(one), one.text)
        for one in blocks("yaml")
        if one.document == "docs/backends/traefik.md" and re.search(r"^(http|tcp):", one.text, re.M)
    ),
]


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(dict(ZONES)) as running:
        yield running


def carried_out(name: str, server: NameServer, folder: Path, *arguments: str) -> int:
    """Apply an example whose files are in a folder of the test; the exit code."""
    text = (EXAMPLES / name).read_text().replace(PLACE, f"{folder}/")
    config = folder.parent / name
    config.write_text(f"{text}\nresolver: {{nameservers: ['{server}']}}\n")
    for template in EXAMPLES.glob("traefik*.j2"):
        (folder.parent / template.name).write_text(template.read_text())
    config.chmod(0o600)
    done = allowsync("apply", "--config", config, "--state", folder.parent / "state.db", *arguments)
    return done.code


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """The folder that Traefik watches."""
    folder = tmp_path / "dynamic"
    folder.mkdir()
    return folder


def merged(folder: Path) -> dict[str, Any]:
    """All files of the folder together."""
    http: dict[str, Any] = {}
    for path in sorted(folder.glob("*.yml")):
        document = yaml.safe_load(path.read_text())
        validator(3).validate(document)
        for section, named in document["http"].items():
            assert not named.keys() & http.get(section, {}).keys()
            http.setdefault(section, {}).update(named)
    return http


def all_is_defined(http: dict[str, Any]) -> None:
    """Whatever a router names is there."""
    for router in http["routers"].values():
        assert router["service"] in http["services"]
        assert set(router.get("middlewares", ())) <= http.get("middlewares", {}).keys()


@pytest.mark.parametrize(("name", "text"), DOCUMENTS, ids=[name for name, _ in DOCUMENTS])
def test_every_document_for_traefik_is_as_traefik_documents_it(name: str, text: str) -> None:
    validator(3).validate(yaml.safe_load(text))


def test_there_are_documents() -> None:
    assert {"traefik.yml", "traefik-sign-in.yml"} < {name for name, _ in DOCUMENTS}
    assert len(DOCUMENTS) >= 5


def test_the_router_of_friends_has_its_middleware_and_the_other_none(
    server: NameServer, dynamic: Path
) -> None:
    (dynamic / "traefik.yml").write_text((EXAMPLES / "traefik.yml").read_text())
    with Standin(dynamic) as traefik:
        text = (EXAMPLES / "traefik.yaml").read_text()
        assert "http://127.0.0.1:8080" in text
        own = dynamic.parent / "config.yaml"
        own.write_text(
            text.replace("http://127.0.0.1:8080", traefik.url).replace(PLACE, f"{dynamic}/")
            + f"\nresolver: {{nameservers: ['{server}']}}\n"
        )
        own.chmod(0o600)
        given = ("--config", own, "--state", dynamic.parent / "state.db")
        assert allowsync("apply", *given).code == 0
        assert traefik.ranges("allowsync-jellyfin") == FRIENDS
        found = json.loads(allowsync("check", "--output", "json", *given).out)
        assert "traefik" not in json.dumps(found.get("problems", []))
    http = merged(dynamic)
    all_is_defined(http)
    assert http["routers"]["jellyfin"]["middlewares"] == ["allowsync-jellyfin"]
    assert "middlewares" not in http["routers"]["blog"]


def test_friends_skip_the_sign_in_and_nobody_else_does(server: NameServer, dynamic: Path) -> None:
    (dynamic / "own.yml").write_text((EXAMPLES / "traefik-sign-in.yml").read_text())
    assert carried_out("traefik-sign-in.yaml", server, dynamic) == 0
    assert friends_in(dynamic) == FRIENDS
    server.zones.pop("bob.ddns.example.net")
    server.zones["alice.duckdns.org"] = ["81.2.69.7"]
    assert carried_out("traefik-sign-in.yaml", server, dynamic) in (0, 3)
    assert "81.2.69.7/32" in friends_in(dynamic)


def friends_in(folder: Path) -> list[str]:
    """Who goes past the sign-in, by the rule; all else is as it has to be."""
    http = merged(folder)
    all_is_defined(http)
    others, friends = http["routers"]["jellyfin"], http["routers"]["jellyfin-friends"]
    assert others["middlewares"] == ["no-identity", "sign-in"]
    assert friends["middlewares"] == ["no-identity"]
    assert friends["priority"] > others["priority"]
    host, _, addresses = friends["rule"].partition(" && ")
    assert host == others["rule"]
    assert re.fullmatch(r"\(ClientIP\(`[^`]+`\)( \|\| ClientIP\(`[^`]+`\))*\)", addresses)
    listed = re.findall(r"`([^`]+)`", addresses)
    assert all(ip_network(one) for one in listed)
    return listed


def test_when_there_are_no_friends_everybody_signs_in(dynamic: Path) -> None:
    with NameServer({}) as nobody:
        (dynamic / "own.yml").write_text((EXAMPLES / "traefik-sign-in.yml").read_text())
        text = (EXAMPLES / "traefik-sign-in.yaml").read_text().replace(PLACE, f"{dynamic}/")
        config = dynamic.parent / "config.yaml"
        config.write_text(
            f"{text}\nresolver: {{nameservers: ['{nobody}']}}\nlimits: {{allow_empty: true}}\n"
        )
        config.chmod(0o600)
        (dynamic.parent / "traefik-sign-in.j2").write_text(
            (EXAMPLES / "traefik-sign-in.j2").read_text()
        )
        allowsync("apply", "--config", config, "--state", dynamic.parent / "state.db")
    assert friends_in(dynamic) == ["255.255.255.255/32"]
