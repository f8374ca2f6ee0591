"""Real requests to a real Apache: friends in, strangers out, before, during and after changes."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.model.target import Severity
from tests.support.apache import MODULES, PORT, Apache
from tests.support.faults import put
from tests.support.internet import FRIEND, FRIEND6, SERVER, STRANGER, STRANGER6
from tests.support.requests import OK, claimed_status, is_felt_by_nobody, neighbourhood, status
from tests.support.sampling import share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allowsync.model.target import Finding
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

UNAUTHORIZED, FORBIDDEN = 401, 403
FRIENDS = (FRIEND, FRIEND6)
EVERYBODY = (FRIEND, FRIEND6, STRANGER, STRANGER6)
GUARDED, OPEN = [OK, OK, FORBIDDEN, FORBIDDEN], [OK] * 4


@pytest.fixture(scope="module")
def inside() -> Iterator[Namespace]:
    with neighbourhood() as one:
        yield one


class Maker:
    """Starts Apaches that let the friends in, and ends them."""

    def __init__(self, inside: Namespace, folder: Path) -> None:
        self.inside, self.folder = inside, folder
        self.made: list[Apache] = []

    def __call__(self, *wanted: str, **options: Any) -> Apache:
        server = Apache(self.inside, self.folder, **options)
        server.write()
        put(server, *(wanted or FRIENDS))
        server.start()
        self.made.append(server)
        return server


@pytest.fixture
def start(inside: Namespace, tmp_path: Path) -> Iterator[Maker]:
    maker = Maker(inside, tmp_path)
    yield maker
    for server in maker.made:
        server.stop()


def answers(server: Apache, path: str = "/", **headers: str) -> list[int]:
    """What everybody gets."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return [status(server.inside, one, PORT, path=path, headers=told) for one in EVERYBODY]


def findings(server: Apache) -> list[Finding]:
    return list(server.inside.run(server.backend().check))


@pytest.mark.slow
@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_no_apply_is_felt_by_a_friend_or_used_by_a_stranger(start: Maker, mpm: str) -> None:
    server = start(mpm=mpm)
    during = is_felt_by_nobody(
        "apache", server.inside, server.backend(), PORT, applies=share(100, 10)
    )
    assert set(during.refusals) <= {FORBIDDEN, 0}


@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_who_was_taken_out_is_refused_as_soon_as_the_apply_is_done(start: Maker, mpm: str) -> None:
    server = start(mpm=mpm)
    assert answers(server) == GUARDED
    put(server, FRIEND6)
    assert [status(server.inside, FRIEND, PORT) for _ in range(20)] == [FORBIDDEN] * 20
    put(server, *FRIENDS)
    assert [status(server.inside, FRIEND, PORT) for _ in range(20)] == [OK] * 20


def kept_alive(server: Apache) -> list[int]:
    """The answers on one connection of the friend's who is removed after the first one."""
    kept = http.client.HTTPConnection(SERVER, PORT, timeout=60, source_address=(FRIEND, 0))
    kept.auto_open = 0  # no second connection in its place
    found = []
    try:
        server.inside.run(kept.connect)
        for number in range(3):
            kept.request("GET", "/")
            answer = kept.getresponse()
            answer.read()
            found.append(answer.status)
            if number == 0:
                put(server, STRANGER)
    except (http.client.RemoteDisconnected, http.client.NotConnected):
        pass
    kept.close()
    return found


def test_a_connection_that_is_kept_alive_ends_when_its_owner_is_taken_out(start: Maker) -> None:
    server = start(mpm="event")
    assert kept_alive(server) == [OK]
    assert findings(server) == []


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_it_has_one_more_answer_where_a_thread_waits_for_it_which_is_told(
    start: Maker, mpm: str
) -> None:
    server = start(mpm=mpm)
    assert kept_alive(server) == [OK, OK]
    (finding,) = findings(server)
    assert finding.severity is Severity.INFO
    assert "gets one more answer on a connection that is kept alive" in finding.what


def test_ipv4_within_ipv6_is_ipv4(start: Maker) -> None:
    assert answers(start(listen=(f"{PORT}",))) == GUARDED


def test_a_section_below_is_guarded_unless_it_has_conditions_of_its_own(start: Maker) -> None:
    more = """
        <Location "/below">
            SetHandler server-status
        </Location>
        <Location "/open">
            Require all granted
        </Location>
        """
    server = start(more=more)
    assert answers(server, "/below") == GUARDED
    assert answers(server, "/open") == OPEN


def test_a_condition_beside_ours_is_enough_by_itself_which_is_told(start: Maker) -> None:
    server = start(around="    {}\n    Require all granted")
    assert answers(server) == OPEN
    (finding,) = findings(server)
    assert finding.severity is Severity.ERROR
    assert f"{server.config}:" in finding.what
    assert "'Require all granted' is beside the Include" in finding.what


def test_in_require_all_both_count(start: Maker) -> None:
    guest = f"Require ip {FRIEND} {STRANGER}"
    server = start(around=f"    <RequireAll>\n    {{}}\n    {guest}\n    </RequireAll>")
    assert answers(server) == [OK, FORBIDDEN, FORBIDDEN, FORBIDDEN]
    assert findings(server) == []


def test_friends_need_not_sign_in_where_others_must(start: Maker) -> None:
    around = """
        AuthType Basic
        AuthName Films
        AuthUserFile users
        <RequireAny>
            {}
            Require valid-user
        </RequireAny>"""
    signing_in = ("authn_core", "authn_file", "auth_basic", "authz_user")
    server = start(modules=(*MODULES, *signing_in), around=around)
    assert answers(server) == [OK, OK, UNAUTHORIZED, UNAUTHORIZED]
    assert findings(server) == []


def test_a_proxy_that_is_trusted_may_tell_who_asks(start: Maker) -> None:
    """Somebody in front of it, at the address of the stranger here."""
    more = f"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy {STRANGER}\n"
    server = start(modules=(*MODULES, "remoteip"), more=more)
    assert answers(server) == GUARDED
    assert answers(server, X_Forwarded_For=FRIEND) == [OK, OK, OK, FORBIDDEN]
    assert answers(server, X_Forwarded_For=STRANGER6) == GUARDED
    assert findings(server) == []


@pytest.mark.parametrize("trusted", ["", "0.0.0.0/1 128.0.0.0/1 ::/1"])
def test_a_header_that_anybody_may_send_is_an_error(start: Maker, trusted: str) -> None:
    more = "RemoteIPHeader X-Forwarded-For\n"
    more += f"RemoteIPTrustedProxy {trusted}\n" if trusted else ""
    server = start(modules=(*MODULES, "remoteip"), more=more)
    assert answers(server, X_Forwarded_For=FRIEND) == OPEN
    (finding,) = findings(server)
    assert finding.severity is Severity.ERROR
    assert "trusts RemoteIPHeader from any client" in finding.what


def test_a_proxy_header_that_anybody_may_write_is_told(start: Maker) -> None:
    more = (
        f"Listen {PORT + 1}\n<VirtualHost *:{PORT + 1}>\nRemoteIPProxyProtocol On\n</VirtualHost>"
    )
    server = start(FRIEND, modules=(*MODULES, "remoteip"), more=more)
    assert claimed_status(server.inside, STRANGER, PORT + 1, FRIEND) == OK
    assert claimed_status(server.inside, FRIEND, PORT + 1, STRANGER) == FORBIDDEN
    (finding,) = findings(server)
    assert finding.severity is Severity.WARNING
    assert "RemoteIPProxyProtocol, any client can write a PROXY header" in finding.what


def test_a_file_that_is_not_included_has_no_effect_which_is_told(start: Maker) -> None:
    server = start(around="    Require all granted\n    # {}")
    assert answers(server) == OPEN
    (finding,) = findings(server)
    assert finding.severity is Severity.ERROR
    assert f"includes {server.path}: it has no effect" in finding.what


def test_a_file_that_may_be_missing_is_told(start: Maker) -> None:
    server = start()
    server.config.write_text(
        server.config.read_text().replace(
            f"Include {server.path}", f"IncludeOptional {server.path.parent}/*.conf"
        )
    )
    (finding,) = findings(server)
    assert finding.severity is Severity.WARNING
    assert "with IncludeOptional, everyone gets in when" in finding.what


def test_a_missing_module_is_told(start: Maker) -> None:
    server = start()
    text = server.config.read_text().replace(f"Include {server.path}", "Require all denied")
    without = [line for line in text.splitlines() if "authz_host" not in line]
    server.config.write_text("\n".join(without))
    assert "apache has no module mod_authz_host" in [one.what for one in findings(server)]


def test_a_configuration_that_is_not_valid_is_told(start: Maker) -> None:
    server = start()
    with server.config.open("a") as file:
        file.write("NoSuchDirective\n")
    (finding,) = findings(server)
    assert finding.severity is Severity.ERROR
    assert finding.what.startswith("apache does not take its configuration: ")
    assert "Invalid command 'NoSuchDirective'" in finding.what
