"""Real requests to a real Caddy: friends in, strangers out, before, during and after changes."""

from __future__ import annotations

import http.client
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.caddy import DeniedResponse, Matcher, check
from allowsync_backends.caddy.check import MIGRATION

from allowsync.backend.api import BackendError
from allowsync.model.target import Severity
from tests.support.caddy import NEWER, PORT, PROGRAM, Caddy
from tests.support.faults import put
from tests.support.internet import FRIEND, FRIEND6, SERVER, STRANGER, STRANGER6
from tests.support.requests import (
    NONE,
    OK,
    claimed_status,
    is_felt_by_nobody,
    neighbourhood,
    status,
)
from tests.support.sampling import share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import Finding
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

FORBIDDEN = 403
FRIENDS = (FRIEND, FRIEND6)
EVERYBODY = (FRIEND, FRIEND6, STRANGER, STRANGER6)
GUARDED, OPEN = [OK, OK, NONE, NONE], [OK] * 4
HANDLED = 'handle /x/* {\n respond "friends only"\n }\n respond "friends only"'


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        # Without it, Caddy loses one in a thousand of the connections that arrive at a reload.
        one.sysctl("net/ipv4/tcp_migrate_req", "1")
        yield one


class Maker:
    """Starts Caddys that let the friends in, and ends them."""

    def __init__(self, inside: Namespace, folder: Path, program: str) -> None:
        self.inside, self.folder, self.program = inside, folder, program
        self.made: list[Caddy] = []

    def __call__(self, *, refusal: DeniedResponse = DeniedResponse.ABORT, **options: Any) -> Caddy:
        one = Caddy(self.inside, self.folder, program=self.program, **options)
        one.write()
        put(one, *FRIENDS, backend=one.backend(refusal=refusal))
        one.start()
        self.made.append(one)
        return one


@pytest.fixture
def start(request: pytest.FixtureRequest, inside: Namespace, tmp_path: Path) -> Iterator[Maker]:
    maker = Maker(inside, tmp_path, getattr(request, "param", PROGRAM))
    yield maker
    for one in maker.made:
        one.stop()


EACH = pytest.mark.parametrize("start", [PROGRAM, NEWER], indirect=True, ids=["2.6", "2.11"])


def answers(caddy: Caddy, path: str = "/") -> list[int]:
    """What everybody gets."""
    return [status(caddy.inside, one, PORT, path=path) for one in EVERYBODY]


def findings(caddy: Caddy) -> list[Finding]:
    return list(caddy.inside.run(caddy.backend().check))


@pytest.mark.slow
def test_no_apply_is_felt_by_a_friend_or_used_by_a_stranger(start: Maker) -> None:
    caddy = start()
    during = is_felt_by_nobody("caddy", caddy.inside, caddy.backend(), PORT, applies=share(200, 15))
    assert during.refusals.keys() == {NONE}


@EACH
def test_who_was_taken_out_is_refused_as_soon_as_the_apply_is_done(start: Maker) -> None:
    caddy = start()
    assert answers(caddy) == GUARDED
    for _ in range(3):
        put(caddy, FRIEND6)
        assert [status(caddy.inside, FRIEND, PORT) for _ in range(20)] == [NONE] * 20
        put(caddy, *FRIENDS)
        assert [status(caddy.inside, FRIEND, PORT) for _ in range(20)] == [OK] * 20


def test_an_empty_allowlist_shuts_out_everybody(start: Maker) -> None:
    caddy = start()
    put(caddy)
    assert answers(caddy) == [NONE] * 4
    assert findings(caddy) == []


@EACH
def test_a_connection_that_is_kept_alive_ends_when_its_owner_is_taken_out(start: Maker) -> None:
    caddy = start()
    kept = http.client.HTTPConnection(SERVER, PORT, timeout=60, source_address=(FRIEND, 0))
    caddy.inside.run(kept.connect)
    kept.request("GET", "/")
    answer = kept.getresponse()
    assert (answer.status, answer.read()) == (OK, b"friends only")
    put(caddy, STRANGER)
    kept.request("GET", "/")
    with pytest.raises(http.client.RemoteDisconnected):
        kept.getresponse()
    kept.close()


@EACH
def test_strangers_may_be_answered(start: Maker) -> None:
    caddy = start(refusal=DeniedResponse.FORBIDDEN)
    assert answers(caddy) == [OK, OK, FORBIDDEN, FORBIDDEN]
    assert caddy.inside.run(caddy.backend(refusal=DeniedResponse.FORBIDDEN).check) == ()


def test_another_refusal_is_a_file_to_be_written_anew(start: Maker) -> None:
    caddy = start()
    put(caddy, *FRIENDS, backend=caddy.backend(refusal=DeniedResponse.FORBIDDEN))
    assert answers(caddy) == [OK, OK, FORBIDDEN, FORBIDDEN]


@EACH
def test_a_handle_comes_before_the_snippet_which_is_told(start: Maker) -> None:
    site = "import allowsync_x\n handle_path /x/* {\n root * {folder}\n file_server\n }\n"
    caddy = start(site=site.replace("{folder}", "/usr/share") + 'respond "friends only"')
    assert answers(caddy) == GUARDED
    assert answers(caddy, "/x/common-licenses/MPL-2.0") == OPEN
    (finding,) = findings(caddy)
    assert finding.severity is Severity.ERROR
    assert "strangers reach a part of site :8081, because file_server at /x/*" in finding.what
    assert "route { ... }" in finding.advice


@EACH
def test_within_route_nothing_comes_before_it(start: Maker) -> None:
    caddy = start(site=f"route {{\n import allowsync_x\n {HANDLED}\n }}")
    assert answers(caddy) == answers(caddy, "/x/") == GUARDED
    assert findings(caddy) == []


@EACH
@pytest.mark.parametrize("imports", ["import {}", "# {}"])
def test_a_snippet_that_no_site_uses_has_no_effect_which_is_told(
    start: Maker, imports: str
) -> None:
    caddy = start(imports=imports, site='respond "for everybody"')
    assert answers(caddy) == OPEN
    (finding,) = findings(caddy)
    assert finding.severity is Severity.ERROR
    assert f"no site of {caddy.config} uses the snippet allowsync_x" in finding.what
    assert f"import {caddy.path}" in finding.advice


def test_what_a_reload_costs_is_told(
    start: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the kernel hands on what waits is a setting of each network namespace."""
    caddy = start()
    caddy.inside.sysctl("net/ipv4/tcp_migrate_req", "0")
    found = findings(caddy)
    caddy.inside.sysctl("net/ipv4/tcp_migrate_req", "1")
    (finding,) = found
    assert finding.severity is Severity.INFO
    assert "in the moment of a reload of caddy are reset" in finding.what
    assert MIGRATION.exists()
    monkeypatch.setattr(check, "MIGRATION", tmp_path / "older-kernel")
    assert findings(caddy) == []


@EACH
@pytest.mark.parametrize("admin", ["127.0.0.1:2019", ":2020", "unix/{folder}/admin.sock"])
def test_a_caddy_that_goes_by_something_else_is_told(
    start: Maker, tmp_path: Path, admin: str
) -> None:
    caddy = start(admin=admin.replace("{folder}", str(tmp_path)))
    assert findings(caddy) == []
    text = caddy.path.read_text()
    caddy.path.write_text(text.replace(FRIEND, STRANGER))
    (finding,) = findings(caddy)
    assert finding.severity is Severity.ERROR
    assert f"the running caddy does not use {caddy.config}" in finding.what
    assert "into :8081" in finding.what
    caddy.stop()
    (finding,) = findings(caddy)
    assert "does not run" in finding.what


@EACH
def test_client_ip_works_or_is_told_to_need_a_newer_caddy(start: Maker) -> None:
    caddy = start()
    newer = caddy.backend(matcher=Matcher.CLIENT_IP)
    if knows_client_ip(start.program):
        put(caddy, *FRIENDS, backend=newer)
    else:
        with pytest.raises(BackendError, match=r"module not registered"):
            put(caddy, FRIEND, backend=newer)
    assert answers(caddy) == GUARDED


def knows_client_ip(program: str) -> bool:
    done = subprocess.run((program, "list-modules"), capture_output=True, text=True, check=True)
    return "http.matchers.client_ip" in done.stdout.split()


# ---- Behind a proxy that appends to X-Forwarded-For, which is the stranger's address here.

PROXY, ANOTHER = STRANGER, "198.51.100.200"
RECIPE = re.search(
    r"(trusted_proxies .*?)\n\t\}", Path("docs/backends/caddy.md").read_text(), re.DOTALL
)
TOLD = {
    "recipe": ("", [OK, NONE, NONE], None),
    "first": (f"trusted_proxies static {PROXY}", [OK, NONE, OK], "takes the first address"),
    "everybody": (
        "trusted_proxies static 0.0.0.0/0",
        [OK, NONE, OK],
        "trusted_proxies 0.0.0.0/0",
    ),
    "half": (
        "trusted_proxies static 128.0.0.0/1\n\t\ttrusted_proxies_strict",
        [OK, NONE, OK],
        "trusted_proxies 128.0.0.0/1",
    ),
    "halves": (
        "trusted_proxies static 0.0.0.0/1 128.0.0.0/1",
        [OK, NONE, OK],
        "trusted_proxies 0.0.0.0/1 128.0.0.0/1",
    ),
    "strict": (
        "trusted_proxies static 0.0.0.0/0 ::/0\n\t\ttrusted_proxies_strict",
        [NONE, NONE, NONE],
        None,
    ),
    "own": (
        f"trusted_proxies static {PROXY}\n\t\tclient_ip_headers CF-Connecting-IP",
        [NONE, NONE, NONE],
        None,
    ),
}


@pytest.mark.parametrize(("options", "through", "what"), TOLD.values(), ids=TOLD)
@pytest.mark.parametrize("start", [NEWER], indirect=True)
def test_whom_it_believes_is_told(
    start: Maker, options: str, through: list[int], what: str | None
) -> None:
    assert RECIPE is not None
    options = options or RECIPE[1].replace("192.0.2.10", PROXY)
    caddy = start(options=f"servers {{\n\t\t{options}\n\t}}")
    backend = caddy.backend(matcher=Matcher.CLIENT_IP)
    put(caddy, FRIEND, backend=backend)
    sent = (FRIEND, ANOTHER, f"{FRIEND}, {ANOTHER}")
    headers = ({"X-Forwarded-For": one} for one in sent)
    assert [status(caddy.inside, PROXY, PORT, headers=one) for one in headers] == through
    said = [one.what for one in caddy.inside.run(backend.check) if "X-Forwarded" in one.what
            or "trusted_proxies" in one.what]  # fmt: skip
    assert (not said) if what is None else what in "".join(said)


PROTOCOL = {
    "default": ("", NONE, ""),
    "proxy": ("allow 198.51.100.10/32", NONE, ""),
    "use": ("fallback_policy use", OK, "proxy_protocol with fallback_policy use: every client"),
    "require": (
        "allow 198.51.100.10/32\n\t\tfallback_policy require",
        OK,
        "proxy_protocol with fallback_policy require: every client",
    ),
    "wide": ("allow 0.0.0.0/0", OK, "proxy_protocol with allow 0.0.0.0/0: every client"),
}


@pytest.mark.parametrize(("options", "answer", "what"), PROTOCOL.values(), ids=PROTOCOL)
@pytest.mark.parametrize("start", [NEWER], indirect=True)
def test_whose_proxy_header_it_believes_is_told(
    start: Maker, options: str, answer: int, what: str
) -> None:
    wrapper = f"listener_wrappers {{\n\t\tproxy_protocol {{\n\t\t{options}\n\t\t}}\n\t\t}}"
    caddy = start(options=f"servers {{\n\t\t{wrapper}\n\t}}")
    put(caddy, FRIEND)
    assert claimed_status(caddy.inside, STRANGER, PORT, FRIEND) == answer
    said = [one.what for one in findings(caddy) if "proxy_protocol" in one.what]
    assert bool(said) == bool(what)
    assert all(what in one for one in said)


@pytest.mark.parametrize("start", [NEWER], indirect=True)
def test_strict_of_one_family_believes_addresses_of_the_other(start: Maker) -> None:
    trusted = "trusted_proxies static 0.0.0.0/0"
    caddy = start(options=f"servers {{\n\t\t{trusted}\n\t\ttrusted_proxies_strict\n\t}}")
    backend = caddy.backend(matcher=Matcher.CLIENT_IP)
    put(caddy, FRIEND6, backend=backend)
    assert status(caddy.inside, STRANGER, PORT, headers={"X-Forwarded-For": FRIEND6}) == OK
    said = [one.what for one in caddy.inside.run(backend.check)]
    assert any("trusted_proxies 0.0.0.0/0: every client" in one for one in said)
