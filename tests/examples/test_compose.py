"""The Compose stacks, by their parts: no images can be had here, but the programs in them can."""

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
from tests.support.caddy import PROGRAM as CADDY
from tests.support.documents import ROOT
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.program import allowsync
from tests.support.requests import OK, neighbourhood
from tests.support.traefik_schema import validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config
    from tests.support.netns import Namespace

STACKS: Final = ROOT / "examples" / "compose"
PUBLISHED: Final[dict[str, dict[str, list[str]]]] = {
    "traefik": {"traefik": ["80:80", "443:443"]},
    "caddy": {
        "caddy": ["80:80", "443:443", "443:443/udp"],
        "jellyfin": ["127.0.0.1:8096:8096"],
    },
}
both = pytest.mark.parametrize("stack", PUBLISHED)
ZONES: Final[dict[str, object]] = {
    "alice.duckdns.org": [FRIEND],
    "bob.ddns.example.net": ["81.2.70.1"],
}
TRAEFIK: Final = Path(sys.executable).with_name("traefik")
MADE_BY_ITS_USER: Final = "./media"
NAME: Final = "jellyfin.example.org"
FORBIDDEN: Final = 403


def compose(stack: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((STACKS / stack / "compose.yaml").read_text())
    return found


def configuration(stack: str) -> Config:
    return load(STACKS / stack / "allowsync/config.yaml", environ={"HOME": "/x"}, uid=65534)


def mounted(stack: str) -> dict[str, dict[str, str]]:
    """The mounts of each service: where in the container, and what of the host."""
    return {
        name: {words[1]: words[0] for one in service["volumes"] if (words := one.split(":"))}
        for name, service in compose(stack)["services"].items()
    }


@both
def test_what_is_mounted_is_there(stack: str) -> None:
    sources = {one for mounts in mounted(stack).values() for one in mounts.values()}
    files = {one for one in sources if one.startswith("./")}
    assert sources - files == compose(stack)["volumes"].keys()
    assert all((STACKS / stack / one).exists() for one in files - {MADE_BY_ITS_USER})


@both
def test_only_the_proxy_is_reached_from_outside(stack: str) -> None:
    services = compose(stack)["services"].items()
    assert {name: one["ports"] for name, one in services if "ports" in one} == PUBLISHED[stack]


@both
def test_the_known_proxies_are_the_addresses_of_the_proxy(stack: str) -> None:
    document, config = compose(stack), configuration(stack)
    inside = document["services"][stack]["networks"]["inside"]
    fixed = {ip_network(inside["ipv4_address"]), ip_network(inside["ipv6_address"])}
    assert set(config.hosts[stack].networks) == fixed
    subnets = [
        ip_network(one["subnet"]) for one in document["networks"]["inside"]["ipam"]["config"]
    ]
    assert all(any(one.network_address in of for of in subnets) for one in fixed)
    assert config.allowlists["proxies"].hosts == (stack,)
    assert stack not in config.allowlists["jellyfin"].hosts


def test_each_container_finds_the_others_and_the_same_folder() -> None:
    stack = STACKS / "traefik"
    document = yaml.safe_load((stack / "allowsync/config.yaml").read_text())
    ((traefik,), (jellyfin,)) = (one["targets"] for one in document["allowlists"].values())
    urls = (traefik["traefik"]["api"], jellyfin["jellyfin"]["url"])
    assert {urlsplit(one).hostname for one in urls} <= compose("traefik")["services"].keys()
    folder = str(Path(traefik["traefik"]["path"]).parent)
    mounts = mounted("traefik")
    assert mounts["allowsync"][folder] == mounts["traefik"][folder]
    static = yaml.safe_load((stack / "traefik/traefik.yml").read_text())
    assert static["providers"]["file"]["directory"] == folder
    for one in (stack / "traefik/dynamic").iterdir():
        validator(3).validate(yaml.safe_load(one.read_text()))


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


def laid_out(name: str, folder: Path, *own: tuple[str, str]) -> Path:
    """A copy of a stack with other words for some. Returns its configuration of allowsync."""
    for path in filter(Path.is_file, (STACKS / name).rglob("*")):
        text = path.read_text()
        for shipped, here in own:
            text = text.replace(shipped, here)
        copy = folder / path.relative_to(STACKS / name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    return folder / "allowsync/config.yaml"


def carried_out(inside: Namespace, config: Path, jellyfin: FakeJellyfin, names: NameServer) -> None:
    """A first run, and one with nothing to do."""
    key = config.with_name("jellyfin.key")
    key.touch(mode=0o600)
    key.write_text(jellyfin.key)
    folder = config.parent.parent
    with config.open("a") as file:
        file.write(f"resolver: {{nameservers: ['{names}']}}\nstate: {folder}/state/state.db\n")
    for _ in range(2):
        done = inside.run(allowsync, "apply", "--config", config)
        assert done.code == 0, done.err + done.out
    assert done.out == ""
    assert jellyfin.restarts == 1
    # At IPv6, Jellyfin neither listens nor believes a proxy until that is turned on.
    proxy = configuration(folder.name).hosts[folder.name].networks[0]
    assert jellyfin.rules.believed(proxy.network_address)


@contextmanager
def traefik(inside: Namespace, folder: Path) -> Iterator[None]:
    """That of a stack, by its files."""
    argv = [str(TRAEFIK), f"--configFile={folder}/traefik/traefik.yml"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = inside.run(partial(subprocess.Popen, argv, **quiet))
    try:
        until_served(inside)
        yield
    finally:
        running.kill()
        running.wait()


def until_served(inside: Namespace) -> None:
    """Wait until Traefik answers: 404, while there is no middleware."""
    deadline = time.monotonic() + 60
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
        SERVER, 443, timeout=60, source_address=(source, 0), context=context
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
    folder = tmp_path / "traefik"
    with inside.run(FakeJellyfin) as jellyfin, inside.run(NameServer, ZONES) as names:
        config = laid_out(
            "traefik",
            folder,
            ("http://jellyfin:8096", jellyfin.url),
            ("http://traefik:8080", "http://127.0.0.1:8080"),
            ("/etc/traefik", str(folder / "traefik")),
            ("/certificates", str(folder)),
        )
        with traefik(inside, folder):
            carried_out(inside, config, jellyfin, names)
            assert inside.run(asked, FRIEND) == OK
            assert inside.run(asked, STRANGER) == FORBIDDEN


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_friends_get_as_far_as_caddy_which_jellyfin_believes(
    inside: Namespace, tmp_path: Path
) -> None:
    folder = tmp_path / "caddy"
    with inside.run(FakeJellyfin) as jellyfin, inside.run(NameServer, ZONES) as names:
        config = laid_out("caddy", folder, ("http://127.0.0.1:8096", jellyfin.url))
        carried_out(inside, config, jellyfin, names)
        gate = inside.command("nft", "list", "table", "inet", "allowsync_jellyfin")
    assert FRIEND in gate
    argv = (CADDY, "adapt", "--config", folder / "caddy/Caddyfile", "--adapter", "caddyfile")
    adapted = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert '"dial":"jellyfin:8096"' in adapted
