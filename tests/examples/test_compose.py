"""The Compose stack, by its parts: no images can be had here, but the programs in them can."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from http.client import HTTPSConnection
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
import yaml

from allowsync.config import load
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_jellyfin import FakeJellyfin
from tests.support.documents import ROOT
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.program import allowsync
from tests.support.requests import OK, neighbourhood
from tests.support.traefik_schema import validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

STACK: Final = ROOT / "examples" / "compose" / "traefik"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((STACK / "compose.yaml").read_text())
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
CONFIG: Final = load(STACK / "allowsync" / "config.yaml", environ={"HOME": "/x"}, uid=65534)
ZONES: Final[dict[str, object]] = {
    "alice.duckdns.org": [FRIEND],
    "bob.ddns.example.net": ["81.2.70.1"],
}
TRAEFIK: Final = Path(sys.executable).with_name("traefik")
MADE_BY_ITS_USER: Final = "./media"
NAME: Final = "jellyfin.example.org"
FORBIDDEN: Final = 403


def mounted() -> dict[str, dict[str, str]]:
    """The mounts of each service: where in the container, and what of the host."""
    return {
        name: {words[1]: words[0] for one in service["volumes"] if (words := one.split(":"))}
        for name, service in SERVICES.items()
    }


def test_what_is_mounted_is_there() -> None:
    sources = {one for mounts in mounted().values() for one in mounts.values()}
    files = {one for one in sources if one.startswith("./")}
    assert sources - files == COMPOSE["volumes"].keys()
    assert all((STACK / one).exists() for one in files - {MADE_BY_ITS_USER})


def test_only_traefik_is_reached_from_outside() -> None:
    published = {name: one.get("ports", []) for name, one in SERVICES.items()}
    assert published == {"allowsync": [], "traefik": ["80:80", "443:443"], "jellyfin": []}


def test_the_known_proxies_are_the_addresses_of_traefik() -> None:
    inside = SERVICES["traefik"]["networks"]["inside"]
    fixed = {ip_network(inside["ipv4_address"]), ip_network(inside["ipv6_address"])}
    assert set(CONFIG.hosts["traefik"].networks) == fixed
    subnets = [ip_network(one["subnet"]) for one in COMPOSE["networks"]["inside"]["ipam"]["config"]]
    assert all(any(one.network_address in of for of in subnets) for one in fixed)
    assert CONFIG.allowlists["proxies"].hosts == ("traefik",)
    assert "traefik" not in CONFIG.allowlists["jellyfin"].hosts


def test_each_container_finds_the_others_and_the_same_folder() -> None:
    document = yaml.safe_load((STACK / "allowsync/config.yaml").read_text())
    ((traefik,), (jellyfin,)) = (one["targets"] for one in document["allowlists"].values())
    urls = (traefik["traefik"]["api"], jellyfin["jellyfin"]["url"])
    assert {urlsplit(one).hostname for one in urls} <= SERVICES.keys()
    folder = str(Path(traefik["traefik"]["path"]).parent)
    mounts = mounted()
    assert mounts["allowsync"][folder] == mounts["traefik"][folder]
    static = yaml.safe_load((STACK / "traefik/traefik.yml").read_text())
    assert static["providers"]["file"]["directory"] == folder
    for one in (STACK / "traefik/dynamic").iterdir():
        validator(3).validate(yaml.safe_load(one.read_text()))


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


@contextmanager
def stack(inside: Namespace, folder: Path) -> Iterator[FakeJellyfin]:
    """Its Traefik, by the files of the stack, in front of a Jellyfin; and a first run."""
    with inside.run(FakeJellyfin) as jellyfin, inside.run(NameServer, ZONES) as names:
        own = (
            ("http://jellyfin:8096", jellyfin.url),
            ("http://traefik:8080", "http://127.0.0.1:8080"),
            ("/etc/traefik", str(folder / "traefik")),
            ("/certificates", str(folder)),
        )
        for path in filter(Path.is_file, STACK.rglob("*")):
            text = path.read_text()
            for shipped, here in own:
                text = text.replace(shipped, here)
            copy = folder / path.relative_to(STACK)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text)
        config = folder / "allowsync/config.yaml"
        key = folder / "allowsync/jellyfin.key"
        key.touch(mode=0o600)
        key.write_text(jellyfin.key)
        with config.open("a") as file:
            file.write(f"resolver: {{nameservers: ['{names}']}}\nstate: {folder}/state/state.db\n")
        argv = [str(TRAEFIK), f"--configFile={folder}/traefik/traefik.yml"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = inside.run(partial(subprocess.Popen, argv, **quiet))
        try:
            until_served(inside)
            done = inside.run(allowsync, "apply", "--config", config)
            assert done.code == 0, done.err + done.out
            yield jellyfin
        finally:
            running.kill()
            running.wait()


def until_served(inside: Namespace) -> None:
    """Wait until Traefik answers: 404, while there is no middleware."""
    deadline = time.monotonic() + 30
    while True:
        try:
            assert inside.run(asked, FRIEND) == 404
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def asked(source: str) -> int:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection(
        SERVER, 443, timeout=10, source_address=(source, 0), context=context
    )
    try:
        connection.request("GET", "/System/Info/Public", headers={"Host": NAME})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_friends_get_through_traefik_which_jellyfin_believes(
    inside: Namespace, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    with stack(inside, tmp_path) as jellyfin:
        assert inside.run(asked, FRIEND) == OK
        assert inside.run(asked, STRANGER) == FORBIDDEN
        assert jellyfin.restarts == 1
        # At IPv6, Jellyfin neither listens nor believes a proxy until that is turned on.
        proxy = CONFIG.hosts["traefik"].networks[0].network_address
        assert jellyfin.rules.believed(proxy)
