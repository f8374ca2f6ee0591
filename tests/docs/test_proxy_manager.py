"""What the page of nginx says of Nginx Proxy Manager, in its layout and with forged headers."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import ROOT, blocks_of
from tests.support.internet import FRIEND, FRIEND6, STRANGER, STRANGER6
from tests.support.nginx import FILM, LISTEN, PORT, Nginx, serving
from tests.support.requests import OK, apply_one, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

# The networks that its nginx.conf believes, and the gateway of Docker's that is among them.
LAYOUT = """
set_real_ip_from 10.0.0.0/8; set_real_ip_from 172.16.0.0/12; set_real_ip_from 192.168.0.0/16;
real_ip_header X-Real-IP; real_ip_recursive on;
include {data}/proxy_host/*.conf;
"""
GATEWAY = "172.17.0.1"
# As it writes a host: what is typed under Advanced, the access list, then the custom file.
HOST = """
server {{
  {listen}
  set $forward_scheme http; set $server 127.0.0.1; set $port 8096;
  {advanced}
  location / {{
    {access}
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_pass $forward_scheme://$server:$port$request_uri;
  }}
  include {data}/custom/server_proxy[.]conf;
}}
"""
ACCESS_LIST = "allow 10.0.0.0/8; deny all; satisfy all;"
FORBIDDEN = 403
SHOWN = [one for one in blocks_of(ROOT / "docs/backends/nginx.md") if "server_proxy" in one.text]


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        one.batch(f"address add {GATEWAY}/32 dev lo")
        yield one


@pytest.fixture
def manager(inside: Namespace, tmp_path: Path) -> Nginx:
    """One without anything of its user's."""
    nginx = Nginx(tmp_path, inside)
    for name in ("custom", "proxy_host"):
        (tmp_path / "data" / name).mkdir(parents=True)
    host(nginx)
    nginx.configure(FILM + LAYOUT.format(data=tmp_path / "data"))
    return nginx


def host(nginx: Nginx, *, advanced: str = "", access: str = "") -> None:
    data = nginx.folder / "data"
    given = {"data": data, "listen": LISTEN, "advanced": advanced, "access": access}
    (data / "proxy_host" / "1.conf").write_text(HOST.format(**given))


def custom(nginx: Nginx, text: str) -> None:
    (nginx.folder / "data/custom/server_proxy.conf").write_text(text)


def recipe(nginx: Nginx) -> str:
    """What the page shows for the custom file."""
    (shown,) = SHOWN
    path = "/etc/nginx/allowsync/jellyfin.conf"
    assert shown.text.count(path) == 1
    return shown.text.replace(path, str(nginx.path))


def answers(inside: Namespace, *, claimed: str = "") -> list[int]:
    """To friends, to strangers, and to who comes by Docker's gateway, naming an address or not."""
    headers = {"X-Real-IP": claimed} if claimed else {}
    sources = (FRIEND, FRIEND6, STRANGER, STRANGER6, GATEWAY)
    return [status(inside, one, PORT, headers=headers) for one in sources]


@contextmanager
def managed(nginx: Nginx) -> Iterator[None]:
    """While it serves, and allowsync keeps the file."""
    nginx.path.write_text("deny all;\n")
    with serving(nginx):
        nginx.path.unlink()
        friends = [ip_network(FRIEND), ip_network(FRIEND6)]
        nginx.inside.run(apply_one, nginx.backend(), friends)
        yield


def test_friends_get_in_and_no_claim_counts(inside: Namespace, manager: Nginx) -> None:
    custom(manager, recipe(manager))
    with managed(manager):
        for claimed in ("", FRIEND):
            assert answers(inside, claimed=claimed) == [OK, OK, *[FORBIDDEN] * 3]


def test_without_the_last_line_of_the_recipe_a_claim_counts(
    inside: Namespace, manager: Nginx
) -> None:
    *lines, last = recipe(manager).splitlines()
    assert last.startswith("set_real_ip_from 127.0.0.1;")
    custom(manager, "\n".join(lines))
    with managed(manager):
        assert answers(inside, claimed=FRIEND) == [OK, OK, FORBIDDEN, FORBIDDEN, OK]


def test_an_access_list_takes_the_place_of_the_file(inside: Namespace, manager: Nginx) -> None:
    host(manager, advanced=recipe(manager), access=ACCESS_LIST)
    with managed(manager):
        assert set(answers(inside)) == {FORBIDDEN}
        found = inside.run(manager.backend().check)
    assert any("has rules of its own" in one.what for one in found)
