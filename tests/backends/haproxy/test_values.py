"""What is pure about HAProxy: its words, its configuration, its options."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import pytest
from allowsync_backends.common.server.supervisor import Container, Process, Unit
from allowsync_backends.haproxy import TYPE, HaproxyOptions
from allowsync_backends.haproxy.configuration import (
    is_in_a_condition,
    lines,
    open_sockets,
    uses,
)
from allowsync_backends.haproxy.runtime_api import (
    LINE,
    PROMPT,
    Acl,
    UnreadableAnswer,
    acl_of,
    additions,
    answers,
    in_lines,
    network_of,
    patterns,
    processes,
    version_in,
)
from allowsync_backends.haproxy.trust import believers, open_protocols
from hypothesis import given
from hypothesis import strategies as st

PATH = "/etc/haproxy/friends.lst"
LISTING = f"""\
# id (file) description
0 (/etc/haproxy/friends.lst.old) pattern loaded from file '/x' used by acl. curr_ver=0 next_ver=0
1 () acl 'src' file '/etc/haproxy/haproxy.cfg' line 13. curr_ver=0 next_ver=0 entry_cnt=0
12 ({PATH}) pattern loaded from file '{PATH}' used by acl at file '/c' line 1. curr_ver=0 next_ver=0
"""


@pytest.mark.parametrize(
    ("said", "number", "expected"),
    [
        (b"\n> ", 1, [""]),
        (b"one\n\n> ", 1, ["one"]),
        (b"one\ntwo\n\n> ", 1, ["one\ntwo"]),
        # Version 2.6, and then 3.2.
        (b"\n> bad\n\n> \n> ", 3, ["", "bad", ""]),
        (b"\nbad\n\n\n> ", 3, ["", "bad", ""]),
        (b"one\n\n> two\n\n> ", 2, ["one", "two"]),
        (b"one\n\ntwo\n\n> ", 2, ["one", "two"]),
        (b"", 1, None),
        (b"\n", 1, None),
        (b"\n>", 1, None),
        (b"one\n", 1, None),
        (b"one\n\n", 1, None),
        (b"one\n\n> ", 2, None),
        (b"\n> ", 2, None),
        (b"\xff\n\n> ", 1, ["\ufffd"]),
    ],
)
def test_answers_are_told_apart_by_empty_lines(
    said: bytes, number: int, expected: list[str] | None
) -> None:
    assert answers(said, number) == expected


@pytest.mark.parametrize("said", [b"\n> \n> ", b"one\n\n> two\n\n> ", b"\nmore"])
def test_more_than_was_asked_for_is_not_understood(said: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        answers(said, 1)


def test_a_list_is_known_by_the_file_it_was_loaded_from() -> None:
    assert acl_of(PATH, LISTING) == Acl(12, versioned=True)
    assert acl_of(f"{PATH}.old", LISTING) == Acl(0, versioned=True)
    assert acl_of("/etc/haproxy/friends", LISTING) is None
    assert acl_of(PATH, "# id (file) description\n") is None


@pytest.mark.parametrize("prefix", ["file@", "opt@"])
def test_a_file_may_be_named_as_version_3_has_it(prefix: str) -> None:
    assert acl_of(PATH, LISTING.replace(f"({PATH})", f"({prefix}{PATH})")) == Acl(12, True)


def test_before_version_2_4_lists_have_no_versions() -> None:
    old = f"# id (file) description\n3 ({PATH}) pattern loaded from file '{PATH}' used by acl.\n"
    assert acl_of(PATH, old) == Acl(3, versioned=False)


@pytest.mark.parametrize("listing", ["", "Unknown command\n", "\n# id (file) description\n"])
def test_something_else_than_a_listing_is_not_without_lists(listing: str) -> None:
    with pytest.raises(UnreadableAnswer):
        acl_of(PATH, listing)


@pytest.mark.parametrize(
    ("text", "number"),
    [("Name: HAProxy\nNbproc: 4\nPid: 7", 4), ("Name: HAProxy\nNbproc: 1", 1), ("Name: x", 1)],
)
def test_there_is_one_process_unless_more_are_told_of(text: str, number: int) -> None:
    assert processes(text) == number


@pytest.mark.parametrize("text", ["", "Nbproc: 1", "Unknown command"])
def test_something_else_than_an_introduction_is_not_one_process(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        processes(text)


@pytest.mark.parametrize(
    ("pattern", "network"),
    [
        ("81.2.69.1", "81.2.69.1/32"),
        ("81.2.69.1/32", "81.2.69.1/32"),
        ("81.2.69.1/24", "81.2.69.0/24"),
        ("81.2.69.0/255.255.255.0", "81.2.69.0/24"),
        ("0.0.0.0/0.0.0.0", "0.0.0.0/0"),
        ("2A02::1/64", "2a02::/64"),
        ("::ffff:1.2.3.4", "::ffff:102:304/128"),
        ("81.2.69.0/0.0.0.255", None),
        ("81.2.69.0/255.0.255.0", None),
        ("81.2.69.0/024", None),
        ("010.0.0.1", None),
        ("example.org", None),
        ("", None),
    ],
)
def test_a_pattern_is_the_network_that_haproxy_takes_it_for(
    pattern: str, network: str | None
) -> None:
    assert network_of(pattern) == (None if network is None else ip_network(network))


def test_patterns_have_references_and_may_be_none_of_ours() -> None:
    found = patterns("0x1 81.2.69.1\n0x2 81.2.69.1/32\n0xff a b\n")
    assert found.held == {ip_network("81.2.69.1/32")}
    assert (set(found.networks), found.odd) == ({"0x1", "0x2"}, {"0xff": "a b"})
    assert patterns("").held == frozenset()


@pytest.mark.parametrize("text", ["Unknown ACL identifier.", "0x1", "0xg 1.2.3.4", "0x1 a\n\n"])
def test_a_listing_with_another_line_is_not_understood(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        patterns(text)


@pytest.mark.parametrize(
    ("said", "version"),
    [("New version created: 7", 7), ("Permission denied", None), ("", None)],
)
def test_a_version_is_the_one_that_was_made(said: str, version: int | None) -> None:
    assert version_in(said) == version


def test_additions_name_the_list_and_the_version() -> None:
    network = ip_network("2a02::/64")
    assert list(additions(Acl(3, True), [network], 7)) == ["add acl @7 #3 2a02::/64"]
    assert list(additions(Acl(3, False), [network])) == ["add acl #3 2a02::/64"]


def test_lines_are_as_long_as_fits_and_nothing_is_lost() -> None:
    commands = [f"add acl @1 #0 90.{n // 256}.{n % 256}.0/24" for n in range(1000)]
    groups = list(in_lines(commands))
    assert [one for group in groups for one in group] == commands
    lengths = [len(";".join(group)) + 1 for group in groups]
    assert LINE - 40 < max(lengths) <= LINE
    assert list(in_lines([])) == []


def test_the_uses_of_a_list_are_found_in_acls_with_a_name_and_without() -> None:
    text = f"""
    acl friends src -f {PATH}  # ours
    acl others src -f /etc/haproxy/others.lst
    acl later req.hdr_ip(X-Forwarded-For,-1) -f "{PATH}"
    http-request deny if !{{ src -n -f {PATH} }} || {{ path / }}
    # acl no src -f {PATH}
    tcp-request connection reject unless {{ src -f opt@{PATH} }}
    """
    found = list(uses(lines({"/c": text}), PATH))
    assert [(use.line.place, use.name, use.fetch, use.is_said) for use in found] == [
        ("/c:2", "friends", "src", False),
        ("/c:4", "later", "req.hdr_ip(X-Forwarded-For,-1)", True),
        ("/c:5", "", "src", False),
        ("/c:7", "", "src", False),
    ]


def test_a_line_that_makes_no_sense_has_no_use_that_could_be_named() -> None:
    text = (
        f"acl -f {PATH}\n-f {PATH}\nhttp-request deny if 'unless {{ src -f {PATH}\n{{ -f {PATH} }}"
    )
    found = list(uses(lines({"/c": text}), PATH))
    assert [use.fetch for use in found] == ["", "", "src", ""]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("http-request deny unless friends", True),
        ("use_backend x if !friends", True),
        ("acl friends src -f /x", False),
        ("acl both friends", False),
        ("http-request deny unless friends2", False),
        ("# http-request deny unless friends", False),
        ("", False),
    ],
)
def test_an_acl_has_an_effect_where_it_is_in_a_condition(text: str, *, asked: bool) -> None:
    assert is_in_a_condition(lines({"/c": text}), "friends") == asked


@pytest.mark.parametrize(
    ("text", "believes"),
    [
        ("http-request set-src hdr(x-forwarded-for)", True),
        ("http-request set-src req.hdr_ip(X-Real-IP)", True),
        ("http-request set-src hdr(x-forwarded-for) if { src 10.0.0.1 }", False),
        ("http-request set-src src,ipmask(24)", False),
        ("http-request set-header X-Forwarded-For %[src]", False),
        ("http-request set-src hdr(x-forwarded-for) if { hdr(x-forwarded-for) -m found }", True),
        ("http-request set-src hdr(x-forwarded-for) if { src -f /x } { hdr(y) -m found }", False),
        ("http-request set-src hdr(x-forwarded-for) if { src -f /x } or { hdr(y) -m found }", True),
        ("http-request set-src hdr(x-forwarded-for) if { src -f /x } || near", True),
        ("http-request set-src hdr(x-forwarded-for) if !{ src -f /x }", True),
        ("http-request set-src hdr(x-forwarded-for) unless { src -f /x }", True),
        ("http-request set-src hdr(x-forwarded-for) unless !{ src -f /x }", False),
        ("http-request set-src hdr(x-forwarded-for) unless !cdn or !near", True),
        ("acl cdn src /x\nhttp-request set-src hdr(x-real-ip) if cdn", False),
        ("acl cdn src /x\nhttp-request set-src hdr(x-real-ip) if !cdn", True),
        ("acl cdn hdr(host) x\nhttp-request set-src hdr(x-real-ip) if cdn", True),
        ("http-request set-src hdr(x-real-ip) if unheard-of", True),
        ("http-request set-src hdr_ip(X-Forwarded-For,1) if { src 10.0.0.1 }", True),
        ("http-request set-src hdr_ip(X-Forwarded-For,-1) if { src 10.0.0.1 }", False),
        ("http-request set-src hdr_ip(CF-Connecting-IP,1) if { src 10.0.0.1 }", False),
        ("tcp-request content set-src hdr(x-forwarded-for)", True),
        (
            "http-request set-var(txn.ip) hdr(x-ip)\nhttp-request deny if { var(txn.ip) -f /f }",
            True,
        ),
        ("http-request set-var(txn.ip) src\nhttp-request deny if { var(txn.ip) -f /f }", False),
        ("http-request set-var(txn.b) hdr(x-real-ip)\nhttp-request deny if { src -f /f }", False),
    ],
)
def test_whoever_is_believed_without_a_condition_is_anybody(text: str, *, believes: bool) -> None:
    assert bool(list(believers(lines({"/c": text}), "/f"))) == believes


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("bind :443 accept-proxy", True),
        ("bind [::]:443 accept-proxy", True),
        ("bind 127.0.0.1:81,193.99.144.80:443 ssl crt x accept-proxy", True),
        ("bind 127.0.0.1:81,unix@/run/x accept-proxy", False),
        ("bind 10.8.0.2:443,[fd00::2]:443 accept-proxy", False),
        ("bind :443", False),
        ("bind :443 accept-netscaler-cip 1", True),
        ("bind :443 accept-proxy\ntcp-request connection reject unless { src 10.0.0.1 }", False),
        ("bind :443 accept-proxy\ntcp-request connection reject", True),
        ("bind :443 accept-proxy\ntcp-request content reject unless { src 10.0.0.1 }", True),
        ("bind :443 accept-proxy\nlisten b\ntcp-request connection reject if !near", True),
        ("bind :443\ntcp-request connection expect-proxy layer4", True),
        ("bind :443\ntcp-request connection expect-proxy layer4 if { src 10.0.0.1 }", False),
        ("bind :443\ntcp-request connection expect-proxy layer4 if { dst_port 443 }", True),
    ],
)
def test_a_proxy_header_is_believed_of_anybody_unless_a_rule_asks_who_is_connected(
    text: str, *, is_open: bool
) -> None:
    assert bool(list(open_protocols(lines({"/c": f"frontend a\n{text}"})))) == is_open


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("stats socket /run/haproxy/admin.sock mode 660 level admin", False),
        ("stats socket /run/haproxy/admin.sock level admin mode 600", False),
        ("stats socket /run/haproxy/admin.sock", False),
        ("stats socket unix@/run/x mode 0640", False),
        ("stats socket /run/haproxy/admin.sock mode 666 level admin", True),
        ("stats socket /run/haproxy/admin.sock mode 777", True),
        ("stats socket /run/haproxy/admin.sock user mode", False),
        ("stats socket ipv4@127.0.0.1:9999 level user", True),
        ("stats socket *:9999", True),
        ("stats socket abns@haproxy", True),
        ("stats timeout 30s", False),
        ("stats socket", False),
    ],
)
def test_a_socket_is_open_where_others_can_connect_to_it(text: str, *, is_open: bool) -> None:
    assert bool(list(open_sockets(lines({"/c": text})))) == is_open


def made(**options: Any) -> HaproxyOptions:
    return HaproxyOptions(path=Path(PATH), **options)


def test_it_runs_as_its_packages_have_it_unless_told_otherwise() -> None:
    assert made().running == Unit("haproxy.service")
    assert made(container="edge").running == Container("edge")
    process = made(pid_file=Path("/run/haproxy.pid")).running
    assert isinstance(process, Process)
    assert process.names == ("haproxy",)


def test_its_configuration_may_be_several_files() -> None:
    assert made().command == ("haproxy", "-f", "/etc/haproxy/haproxy.cfg")
    config = (Path("/a.cfg"), Path("/b"))
    assert made(config=config, program="/opt/haproxy").command == (
        "/opt/haproxy",
        "-f",
        "/a.cfg",
        "-f",
        "/b",
    )


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"socket": Path("/run/s"), "reload": ("true",)}, "takes either socket or reload"),
        ({"socket": Path("/" + "s" * 107)}, "socket may have at most 107 bytes"),
        ({"program": "./haproxy"}, "program must start with an absolute path or a name"),
        ({"unit": "a", "container": "b"}, "a server runs in one way"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        made(**options)


def test_a_service_may_talk_to_the_socket_and_write_beside_the_file(tmp_path: Path) -> None:
    socket = tmp_path / "admin.sock"
    socket.touch()
    options = HaproxyOptions(path=tmp_path / "friends.lst", socket=socket)
    needs = TYPE.needs(options)
    assert (needs.writes, needs.commands, needs.lasting) == ((str(tmp_path),), True, True)
    by_pid = HaproxyOptions(path=tmp_path / "friends.lst", pid_file=tmp_path / "pid")
    assert "CAP_KILL" in TYPE.needs(by_pid).capabilities
    told = HaproxyOptions(path=tmp_path / "friends.lst", pid_file=tmp_path / "pid", socket=socket)
    assert "CAP_KILL" not in TYPE.needs(told).capabilities


@pytest.mark.root
@pytest.mark.usefixtures("as_root")
def test_a_socket_of_somebody_elses_takes_the_right_to_disregard_that(tmp_path: Path) -> None:
    import os

    socket = tmp_path / "admin.sock"
    socket.touch()
    options = HaproxyOptions(path=tmp_path / "friends.lst", socket=socket)
    assert TYPE.needs(options).capabilities == ()
    os.chown(socket, 65534, 65534)
    assert TYPE.needs(options).capabilities == ("CAP_DAC_OVERRIDE",)


PIECES = (b"> ", b"\n", b"\n\n", b"\n> ", b"one", b"0x1 1.2.3.4", b"\xff", b">", b" ")


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.integers(1, 4))
def test_whatever_comes_is_as_many_answers_as_asked_for_or_none_yet(
    said: bytes, asked: int
) -> None:
    try:
        found = answers(said, asked)
    except UnreadableAnswer:
        return
    if found is not None:
        assert len(found) == asked
        assert said.endswith(PROMPT)
        assert not any("\n\n" in one for one in found)


@given(st.lists(st.sampled_from(["", "bad", "one\ntwo"]), min_size=1, max_size=6), st.booleans())
def test_answers_come_apart_as_they_were_put_together(said: list[str], each: bool) -> None:
    texts = [f"{one}\n\n".encode() if one else b"\n" for one in said]
    stream = (PROMPT if each else b"").join(texts) + PROMPT
    assert answers(stream, len(said)) == said
    for length in range(len(stream)):
        assert answers(stream[:length], len(said)) is None


@given(st.lists(st.ip_addresses(), unique=True, max_size=20))
def test_what_was_added_is_what_is_shown(addresses: list[IPv4Address | IPv6Address]) -> None:
    networks = [ip_network(one) for one in addresses]
    added = [one.rpartition(" ")[2] for one in additions(Acl(0, True), networks, 1)]
    shown = "\n".join(f"0x{number:x} {one}" for number, one in enumerate(added))
    assert patterns(shown).held == set(networks)
    assert patterns(shown).odd == {}


@given(st.text(max_size=60))
def test_any_configuration_can_be_read(text: str) -> None:
    found = lines({"/c": text})
    list(uses(found, "/x"))
    list(believers(found, "/x"))
    list(open_protocols(found))
    list(open_sockets(found))
    is_in_a_condition(found, "x")
