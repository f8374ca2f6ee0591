"""Recipes for a sign-in that friends skip: real servers, real requests, forged identities.

Something like Authelia says who somebody is; what stands for Jellyfin says whom it takes them for.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from testkit.fake_dns.nameserver import NameServer
from tests.support.caddy import NEWER, PORT, PROGRAM, Caddy
from tests.support.documents import ROOT, blocks_of
from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, STRANGER, STRANGER6
from tests.support.nginx import LISTEN, Nginx, serving
from tests.support.program import allowsync, allowsync_in
from tests.support.requests import OK, neighbourhood
from tests.traefik.real import HTTP, traefik

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.netns import Namespace

    Ask = Callable[[str, dict[str, str]], tuple[int, dict[str, str]]]

EXAMPLES = ROOT / "examples"
SITE = "jellyfin.example.org"
ZONES: dict[str, object] = {
    "alice.duckdns.org": [FRIEND, FRIEND6],
    "bob.ddns.example.net": ["81.2.70.1"],
}
UNAUTHORIZED = 401
SWITCHING = 101
# Programs that ask for a sign-in tell a service by these who somebody is.
IDENTITIES = tuple(
    f"{before}-{after}"
    for before, afters in {
        "Remote": "User Groups Name Email",
        "X-Remote": "User Group",
        "X-Forwarded": "User Email Groups Preferred-Username Access-Token",
        "X-Auth-Request": "User Email Groups Preferred-Username Access-Token",
        "X-Authentik": "Username Groups Entitlements Email Name Uid Jwt",
        "X-Webauth": "User Email Name Groups Role",
    }.items()
    for after in afters.split()
)
# Services behind CGI and its like take whatever is no letter and no digit for a dash.
ALIKE = [
    name.replace("-", other, number)
    for name in IDENTITIES
    for other in "_.~"
    for number in (1, name.count("-"))
] + [f"X-Forwarded{other}User" for other in "_.!#$%&'*+^`|~"]
FORGED = dict.fromkeys(IDENTITIES, "admin")
# More than a hundred at once are refused by some servers for their number.
FORGERIES = [
    FORGED,
    *(dict.fromkeys(ALIKE[at : at + 40], "admin") for at in range(0, len(ALIKE), 40)),
]
# The address of a device that the sign-in itself lets past, told by somebody else.
AT_HOME = "10.9.9.9"
CLAIMS = {"X-Forwarded-For": AT_HOME, "X-Real-IP": AT_HOME, "X_Real_IP": AT_HOME}
SOCKET = {"Upgrade": "websocket", "Connection": "Upgrade"}
SIGNED_IN = {"Cookie": "session=good"}
NOBODY = 65534

BEHIND: Final = """
import json, http.server, threading
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, code, body="", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_):
        pass
class Jellyfin(Answer):
    def do_GET(self):
        if self.headers["Upgrade"]:
            self.close_connection = True
            return self.answer(101, Upgrade="websocket", Connection="Upgrade")
        told = {
            "".join(one if one.isalnum() else "-" for one in name.lower()): value
            for name, value in self.headers.items()
        }
        said = {one: told[one] for one in told if told[one] in ("admin", "carol")}
        claimed = "10.9.9.9" in "".join(told.values())
        self.answer(200, json.dumps({**said, **({"client": "forged"} if claimed else {})}))
class Authelia(Answer):
    def do_GET(self):
        told = (self.headers.get("X-Forwarded-For", ""), self.headers.get("X-Real-IP", ""))
        good = any(one.startswith("10.9.9.9") for one in told)
        good = good or self.headers.get("Cookie") == "session=good"
        good = good and self.path.startswith("/api/authz/")
        self.answer(200, Remote_User="carol") if good else self.answer(401)
for port, kind in ((8096, Jellyfin), (9091, Authelia)):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), kind)
    threading.Thread(target=server.serve_forever).start()
"""


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one, one.start(sys.executable, "-c", BEHIND) as behind:
        yield one
        behind.kill()


@pytest.fixture
def names(inside: Namespace) -> Iterator[NameServer]:
    with inside.run(lambda: NameServer(dict(ZONES))) as server:
        yield server


class Recipe:
    """An example in a folder of a test: its configuration there, and the program run by it.

    Args:
        name: The example's.
        folder: Where its files are.
        names: Answers for the hosts.
        changes: What is other there, by pattern.
    """

    def __init__(self, name: str, folder: Path, names: object, changes: dict[str, str]) -> None:
        self.text = (EXAMPLES / f"{name}.yaml").read_text()
        for pattern, other in changes.items():
            self.text, number = re.subn(pattern, lambda _, other=other: other, self.text)  # type: ignore[misc]
            assert number, pattern
        self.config = folder / f"{name}.yaml"
        self.names = names
        for template in EXAMPLES.glob(f"{name}.j2"):
            (folder / template.name).write_text(template.read_text())
        self.given = ("--config", str(self.config), "--state", str(folder / "state" / "state.db"))

    def write(self, *, ended: bool = False) -> None:
        """Write the configuration; with access that ended long ago, if so."""
        text = self.text
        if ended:
            text, number = re.subn(
                r"(?m)^  (alice|bob): (\S+)$", r"  \1: {hostname: \2, until: 2020-01-01}", text
            )
            assert number == 2
        self.config.touch(mode=0o600)
        self.config.write_text(f"{text}\nresolver: {{nameservers: ['{self.names}']}}\n")

    def apply(self, inside: Namespace, *, ended: bool = False) -> None:
        self.write(ended=ended)
        allowsync_in(inside, "apply", *self.given)


def asking(inside: Namespace, port: int) -> Ask:
    def ask(source: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        def get() -> tuple[int, dict[str, str]]:
            server = SERVER6 if ":" in source else SERVER
            asked = http.client.HTTPConnection(server, port, source_address=(source, 0), timeout=60)
            asked.request("GET", "/", headers={"Host": SITE, **headers})
            answer = asked.getresponse()
            body = answer.read()
            asked.close()
            return answer.status, json.loads(body) if answer.status == OK else {}

        return inside.run(get)

    return ask


def keeps_its_promise(inside: Namespace, recipe: Recipe, names: NameServer, ask: Ask) -> None:
    """Friend, stranger, forged identities, somebody who signed in, a move, and nobody at all."""

    def soon(source: str, code: int) -> None:
        deadline = time.monotonic() + 60
        while (seen := ask(source, {})[0]) != code:
            assert time.monotonic() < deadline, f"{source} still gets {seen}"
            time.sleep(0.05)

    soon(FRIEND, OK)
    for friend, stranger in ((FRIEND, STRANGER), (FRIEND6, STRANGER6)):
        assert ask(friend, {}) == (OK, {})
        assert ask(friend, CLAIMS) == (OK, {})
        assert ask(friend, SOCKET)[0] == SWITCHING
        for untrue in ({}, CLAIMS, SOCKET):
            assert ask(stranger, untrue)[0] == UNAUTHORIZED
        assert ask(stranger, SIGNED_IN) == (OK, {"remote-user": "carol"})
        for forged in FORGERIES:
            assert ask(friend, forged) == (OK, {})
            assert ask(stranger, forged)[0] == UNAUTHORIZED
            assert ask(stranger, {**forged, **SIGNED_IN}) == (OK, {"remote-user": "carol"})
    names.zones["alice.duckdns.org"] = [STRANGER, FRIEND6]
    recipe.apply(inside)
    soon(STRANGER, OK)
    assert "all in order" in allowsync_in(inside, "check", *recipe.given)
    recipe.apply(inside, ended=True)
    soon(STRANGER, UNAUTHORIZED)
    for one in (FRIEND, FRIEND6, STRANGER, STRANGER6):
        assert ask(one, FORGED)[0] == UNAUTHORIZED


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("program", [PROGRAM, NEWER])
def test_caddy_asks_strangers_alone(
    program: str, inside: Namespace, names: NameServer, tmp_path: Path
) -> None:
    server = Caddy(inside, tmp_path, site="abort", program=program)
    text = (EXAMPLES / "caddy-sign-in.Caddyfile").read_text()
    text, includes = re.subn(r"(?m)^import /\S+", f"import {server.path}", text)
    text, sites = re.subn(rf"(?m)^{SITE} {{", f"http://{SITE}:{PORT} {{", text)
    assert (includes, sites) == (1, 1)
    server.imports = text.replace("{", "{{").replace("}", "}}")
    server.write()
    recipe = Recipe(
        "caddy-sign-in",
        tmp_path,
        names,
        {
            r"/etc/caddy/allowsync/friends.caddy": str(server.path),
            r"/etc/caddy/Caddyfile": str(server.config),
            r"reload: .*": "reload: [/bin/true]",
            r"check: \[caddy": f"check: [{program}",
        },
    )
    recipe.apply(inside)
    recipe.text = recipe.text.replace(
        "reload: [/bin/true]",
        f"reload: [{program}, reload, --config, {server.config}, --adapter, caddyfile]",
    )
    server.start()
    try:
        keeps_its_promise(inside, recipe, names, asking(inside, PORT))
    finally:
        server.stop()


# What the files of SWAG say, as far as it matters here.
SWAG = {
    "authelia-server.conf": """
        location ^~ /authelia {
            internal;
            proxy_pass http://127.0.0.1:9091;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        location = /authelia/api/authz/auth-request {
            internal;
            include /config/nginx/proxy.conf;
            proxy_pass http://127.0.0.1:9091/api/authz/auth-request;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        """,
    "authelia-location.conf": """
        auth_request /authelia/api/authz/auth-request;
        auth_request_set $email $upstream_http_remote_email;
        auth_request_set $groups $upstream_http_remote_groups;
        auth_request_set $name $upstream_http_remote_name;
        auth_request_set $user $upstream_http_remote_user;
        proxy_set_header Remote-Email $email;
        proxy_set_header Remote-Groups $groups;
        proxy_set_header Remote-Name $name;
        proxy_set_header Remote-User $user;
        """,
    "proxy.conf": """
        proxy_http_version 1.1;
        proxy_headers_hash_bucket_size 128;
        proxy_headers_hash_max_size 1024;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Real-IP $remote_addr;
        """,
    "resolver.conf": "",
    "ssl.conf": "",
}

# Of SWAG's nginx.conf.
CONNECTIONS = 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }'


def by_the_page(text: str) -> str:
    """What becomes of SWAG's `proxy.conf` by the page's command."""
    (command,) = (
        one.text for one in blocks_of(ROOT / "docs/sign-in.md") if "proxy.conf" in one.text
    )
    (change,) = re.findall(r"sed -i '(.*)' \S+/proxy.conf", command)
    return subprocess.run(
        ["sed", change], input=text, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("name", ["nginx-sign-in", "swag-sign-in"])
def test_nginx_takes_an_address_or_a_sign_in(
    name: str, inside: Namespace, names: NameServer, tmp_path: Path
) -> None:
    server = Nginx(tmp_path, inside)
    ours = server.path.with_name("jellyfin.conf")
    text = (EXAMPLES / f"{name}.conf").read_text()
    text = re.sub(r"listen .*443 ssl;\n|ssl_certificate.*\n", "", text)
    text = text.replace("server_name", f"{LISTEN}\n    server_name", 1)
    text = re.sub(r"/\S+/allowsync/jellyfin.conf", str(ours), text)
    text = text.replace("$upstream_app:", "127.0.0.1:").replace("jellyfin.*", SITE)
    files = SWAG | {"proxy.conf": by_the_page(SWAG["proxy.conf"])}
    for file, content in files.items():
        (tmp_path / file).write_text(content.replace("/config/nginx", str(tmp_path)))
    for file in files:
        text = text.replace(f"/config/nginx/{file}", str(tmp_path / file))
    assert "/config" not in text
    server.configure(CONNECTIONS + text)
    how = f"path: {ours}, pid_file: {server.pid_file}, config: {server.config}"
    recipe = Recipe(name, tmp_path, names, {r"\{path: [^}]+": f"{{{how}"})
    recipe.apply(inside)
    with serving(server):
        keeps_its_promise(inside, recipe, names, asking(inside, 80))


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_traefik_has_a_router_for_friends(inside: Namespace, names: NameServer) -> None:
    program = Path(sys.executable).with_name("traefik")
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        base.chmod(0o755)
        own = (EXAMPLES / "traefik-sign-in.yml").read_text()
        (said,) = re.findall(r"#   (entryPoints: .*)", own)
        options = json.dumps(yaml.safe_load(said)["entryPoints"]["websecure"]["http"])
        with traefik(str(program), inside, base / "real", entry=options) as watched:

            def here(text: str) -> str:
                return text.replace("[websecure]", "[web]").replace(
                    "tls: {certResolver: letsencrypt}", ""
                )

            (watched / "own.yml").write_text(here(own))
            path = {r"/etc/traefik/dynamic": str(watched)}
            recipe = Recipe("traefik-sign-in", base, names, path)
            template = base / "traefik-sign-in.j2"
            template.write_text(here(template.read_text()))
            recipe.apply(inside)
            keeps_its_promise(inside, recipe, names, asking(inside, HTTP))


# ---- Inside the programs that ask for the sign-in: what they read, and who goes past it by that.


def made(name: str, folder: Path, *, ended: bool) -> str:
    """What the program writes by an example; whatever takes the real program is left out."""
    file = folder / "made"
    with NameServer(dict(ZONES)) as names:
        changes = {r"path: .*": f"path: {file}"}
        recipe = Recipe(name, folder, names, changes)
        recipe.text = re.sub(r" *(check|reload): .*\n", "", recipe.text)
        recipe.write(ended=ended)
        for command in ("apply", "check"):
            done = allowsync(command, *recipe.given)
            assert done.code == 0, done.err
    return file.read_text()


def by_authelia(text: str) -> list[str]:
    """The networks of the rule; it would be for everybody without any."""
    (networks,) = yaml.safe_load(text)["definitions"]["network"].values()
    assert networks
    return list(networks)


def by_oauth2_proxy(text: str) -> list[str]:
    document = tomllib.loads(text)
    assert document["skip_auth_strip_headers"]
    assert document["reverse_proxy"]
    return list(document["trusted_ips"])


def by_pomerium(text: str) -> list[str]:
    (route,) = yaml.safe_load(text)["routes"]
    assert set(IDENTITIES) <= set(route["remove_request_headers"])
    ((policy,),) = (route["policy"],)
    signed_in, *addresses = policy["allow"]["or"]
    assert "domain" in signed_in
    assert addresses
    return [one["source_ip"]["is"] for one in addresses]


def by_authentik(text: str) -> list[str]:
    """Runs the expression, as Authentik does: in a function, with the address it knows."""

    class _Loader(yaml.SafeLoader):
        pass

    (entry,) = yaml.load(text, _Loader)["entries"]
    assert entry["model"] == "authentik_policies_expression.expressionpolicy"
    lines = entry["attrs"]["expression"].splitlines()
    body = "\n".join(f"    {line}" for line in lines)
    space: dict[str, Any] = {"ip_network": ip_network}
    exec(f"def policy(ak_client_ip):\n{body}\n", space)
    tried = (FRIEND, FRIEND6, STRANGER, STRANGER6, "255.255.255.255", "81.2.70.1")
    return [one for one in tried if space["policy"](ip_address(one))]


PROGRAMS = {
    "authelia-sign-in": by_authelia,
    "oauth2-proxy-sign-in": by_oauth2_proxy,
    "pomerium-sign-in": by_pomerium,
    "authentik-sign-in": by_authentik,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_inside_a_program_friends_alone_go_past(name: str, tmp_path: Path) -> None:
    def past(address: str, listed: list[str]) -> bool:
        return any(ip_address(address) in ip_network(one) for one in listed)

    friends = PROGRAMS[name](made(name, tmp_path, ended=False))
    assert past(FRIEND, friends)
    assert past("81.2.70.1", friends)
    assert past(FRIEND6, friends) == (name != "pomerium-sign-in"), "it knows no networks"
    assert not any(past(one, friends) for one in (STRANGER, STRANGER6))
    nobody = PROGRAMS[name](made(name, tmp_path, ended=True))
    assert not any(past(one, nobody) for one in (FRIEND, FRIEND6, STRANGER, STRANGER6))
    assert set(nobody) <= {"255.255.255.255/32", "255.255.255.255"}
    if name == "authentik-sign-in":
        assert nobody == [], "an address it does not know is 255.255.255.255 there"
