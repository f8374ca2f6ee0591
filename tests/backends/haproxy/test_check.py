"""What `allowsync check` says about HAProxy."""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.model.target import Finding, Severity
from tests.support.haproxy import DENY, PORT, haproxy
from tests.support.internet import FRIEND, SERVER, STRANGER
from tests.support.requests import NONE, OK, apply_one, claimed_status, neighbourhood, status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

BAD_REQUEST = 400
HEADER = "http-request deny unless {{ req.hdr_ip(X-Forwarded-For) -f {path} }}"


def found(folder: Path, rule: str, **options: object) -> Sequence[Finding]:
    """What is found about a running HAProxy with a rule."""
    with neighbourhood() as inside, haproxy(inside, folder, rule=rule, **options) as server:
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        return inside.run(server.backend().check)


@pytest.mark.parametrize("told", [True, False])
def test_a_list_that_is_used_is_nothing_to_find(tmp_path: Path, *, told: bool) -> None:
    assert found(tmp_path, DENY, told=told) == ()


def test_an_acl_that_nobody_asks_has_no_effect(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, "acl friends src -f {path}")
    assert finding == Finding(
        Severity.ERROR,
        f"{tmp_path}/haproxy.cfg:12: acl friends is in no condition: it has no effect",
        "http-request deny unless friends",
    )


def test_a_list_that_no_configuration_names_has_no_effect(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, "http-request deny", told=False)
    assert finding.severity is Severity.ERROR
    assert finding.what.startswith(f"no ACL in {tmp_path}/haproxy.cfg reads ")


def test_a_rule_that_refuses_the_hosts_is_an_error(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, DENY.replace("unless", "if"))
    assert finding.severity is Severity.ERROR
    assert finding.what.endswith("the rule refuses hosts, and lets everyone else in")


def test_whoever_goes_by_a_header_lets_everybody_in_who_sends_it(tmp_path: Path) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path, rule=HEADER) as server:
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        pretended = {"X-Forwarded-For": FRIEND}
        assert status(inside, STRANGER, PORT, headers=pretended) == OK
        (finding,) = inside.run(server.backend().check)
    assert finding.severity is Severity.WARNING
    assert "req.hdr_ip(X-Forwarded-For) is what a client says" in finding.what


def test_a_source_that_a_header_sets_is_only_believed_of_a_proxy(tmp_path: Path) -> None:
    anybodys = f"http-request set-src hdr(x-real-ip)\n    {DENY}"
    (finding,) = found(tmp_path, anybodys)
    assert "12: a header that any client can send sets the source address" in finding.what
    (tmp_path / "behind").mkdir()
    of_a_proxy = f"http-request set-src hdr(x-real-ip) if {{{{ src 10.0.0.1 }}}}\n    {DENY}"
    assert found(tmp_path / "behind", of_a_proxy) == ()


def test_a_socket_for_everybody_is_a_way_onto_the_list(tmp_path: Path) -> None:
    more = f"    stats socket {tmp_path}/more.sock mode 666 level user\n"
    (finding,) = found(tmp_path, DENY, more=more)
    assert finding.severity is Severity.WARNING
    assert "4: any client of this socket can add itself to the list" in finding.what


def test_a_folder_of_files_is_read_as_haproxy_does(tmp_path: Path) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path) as server:
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        parts = tmp_path / "parts"
        parts.mkdir()
        os.link(server.config, parts / "web.cfg")
        assert inside.run(server.backend(config=(parts,)).check) == ()
        (parts / "web.cfg").rename(parts / "web.off")
        without = server.config.read_text().replace(str(server.path), "/dev/null")
        (parts / "other.cfg").write_text(without)
        (finding,) = inside.run(server.backend(config=(parts,)).check)
    assert finding.what.startswith(f"no ACL in {parts} reads ")


def test_a_configuration_that_cannot_be_read_is_no_finding_of_its_own(tmp_path: Path) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path) as server:
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        backend = server.backend(config=(tmp_path / "none.cfg",))
        (finding,) = inside.run(backend.check)
    assert finding.what.startswith("haproxy does not take its configuration: ")


def test_drift_and_an_edited_file_are_put_right_by_the_next_run(tmp_path: Path) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path) as server:
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        server.ask(f"add acl {server.path} {STRANGER}")
        server.path.chmod(0o600)
        first, second = inside.run(server.backend().check)
    assert {first.severity, second.severity} == {Severity.WARNING}
    assert {first.advice, second.advice} == {"the next 'allowsync apply' repairs it"}
    assert second.what == "the running haproxy knows 1 entry more than its file"


def test_a_file_of_somebody_elses_is_the_first_thing_to_say(tmp_path: Path) -> None:
    with neighbourhood() as inside, haproxy(inside, tmp_path) as server:
        server.path.write_text("81.2.69.1\n")
        (finding,) = inside.run(server.backend().check)
    assert finding.severity is Severity.ERROR
    assert "was not written by allowsync" in finding.what


ACCEPTING = f"bind {SERVER}:{PORT + 1} accept-proxy\n    "
EXPECTING = "tcp-request connection expect-proxy layer4 if {{ src 10.0.0.1 }}\n    "
REJECTING = "tcp-request connection reject unless {{ src 10.0.0.1 }}\n    "


def test_who_writes_a_proxy_header_gets_in_unless_a_rule_asks_who_is_connected(
    tmp_path: Path,
) -> None:
    with neighbourhood() as inside:
        for number, (rule, port, code, said) in enumerate(
            (
                (ACCEPTING + DENY, PORT + 1, OK, "any client can write a PROXY header"),
                (ACCEPTING + REJECTING + DENY, PORT + 1, NONE, ""),
                (EXPECTING + DENY, PORT, BAD_REQUEST, ""),
            )
        ):
            (folder := tmp_path / str(number)).mkdir()
            with haproxy(inside, folder, rule=rule, told=False) as server:
                inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
                assert claimed_status(inside, STRANGER, port, FRIEND) == code
                found = [one.what for one in inside.run(server.backend().check)]
                assert bool(found) == bool(said)
                assert all(said in one for one in found)


def test_whoever_sends_a_header_gets_in_where_a_condition_asks_for_that_header_alone(
    tmp_path: Path,
) -> None:
    given = "hdr(x-real-ip) if {{ hdr(x-real-ip) -m found }}"
    with (
        neighbourhood() as inside,
        haproxy(inside, tmp_path, rule=f"http-request set-src {given}\n    {DENY}") as server,
    ):
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        assert status(inside, STRANGER, PORT, headers={"X-Real-IP": FRIEND}) == OK
        (finding,) = inside.run(server.backend().check)
    assert "a header that any client can send sets the source address" in finding.what


def test_a_list_that_is_asked_about_a_changed_address_does_not_find_a_friend(
    tmp_path: Path,
) -> None:
    rule = "http-request deny unless {{ src,ipmask(24) -f {path} }}"
    with neighbourhood() as inside, haproxy(inside, tmp_path, rule=rule) as server:
        inside.run(apply_one, server.backend(), [ip_network(FRIEND)])
        assert status(inside, FRIEND, PORT) != OK
        (finding,) = inside.run(server.backend().check)
    assert "src,ipmask(24) is looked up, not the address of a client" in finding.what
