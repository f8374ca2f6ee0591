"""Hosts in JSON Lines: valid as those of the configuration are, or the file is not used at all."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.config import ConfigError, hosts_file, load, show
from tests.allowsync.config.test_cache import Kept
from tests.support.configuring import SOMEBODY, problems, written

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.settings import Config

WEB = "allowlists: {web: {targets: [file: {path: out.txt}]}}\n"
TEXT = f"hosts_from: {{jsonlines: customers.jsonl}}\n{WEB}"
BOTH = f"hosts: {{anna: anna.example.org}}\n{TEXT}"
FULL: dict[str, Any] = {
    "hostname": ["carol.example.org", "carol.example.net"],
    "networks": ["192.0.2.0/24"],
    "families": ["ipv4"],
    "ipv4_prefix": 24,
    "until": "2027-01-31T00:00:00+00:00",
    "max_addresses": 2,
}


def lines(*hosts: object) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in hosts)


BOB = {"name": "bob", "hostname": "bob.example.org"}


def held(folder: Path, content: str | bytes, text: str = TEXT) -> Config:
    say(folder, content)
    return load(written(folder, text), environ={"HOME": str(folder)}, uid=SOMEBODY)


def say(folder: Path, content: str | bytes) -> None:
    path = folder / "customers.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)


def said(folder: Path, content: str | bytes, text: str = TEXT) -> list[str]:
    say(folder, content)
    return problems(folder, text)


def test_a_line_says_what_a_host_of_the_configuration_can_say(tmp_path: Path) -> None:
    lists = "lists: {office: {file: office.txt}}\n"
    full = {**FULL, "lists": ["office"]}
    config = held(tmp_path, lines(BOB, {"name": "carol", **full}), lists + TEXT)
    hosts = {"bob": "bob.example.org", "carol": full}
    same = load(
        written(tmp_path, f"hosts: {json.dumps(hosts)}\n{lists}{WEB}"),
        environ={"HOME": str(tmp_path)},
        uid=SOMEBODY,
    )
    assert config.hosts == same.hosts
    assert config.allowlists["web"].hosts == ("bob", "carol")


def test_hosts_of_the_file_come_behind_those_of_the_configuration(tmp_path: Path) -> None:
    config = held(tmp_path, lines(BOB), BOTH)
    assert list(config.hosts) == ["anna", "bob"]
    assert config.allowlists["web"].hosts == ("anna", "bob")
    shown = show(config)
    assert list(shown["hosts"]) == ["anna"]
    assert shown["hosts_from"] == {"jsonlines": str(tmp_path / "customers.jsonl")}


def test_an_allowlist_may_name_some_of_them(tmp_path: Path) -> None:
    web = "allowlists: {web: {hosts: [bob], targets: [file: {path: out.txt}]}}\n"
    carol = {**BOB, "name": "carol"}
    config = held(tmp_path, lines(carol, BOB), TEXT.replace(WEB, web))
    assert config.allowlists["web"].hosts == ("bob",)
    assert said(tmp_path, lines(carol), TEXT.replace(WEB, web)) == [
        "config.yaml:2: allowlists.web.hosts: 'bob' is not among hosts; under hosts: carol"
    ]


def test_blank_lines_a_mark_and_other_line_ends_are_no_problem(tmp_path: Path) -> None:
    bare = json.dumps({**BOB, "name": "c"})
    content = "\ufeff" + lines(BOB).replace("\n", "\r\n") + "\n  \n" + bare
    assert list(held(tmp_path, content).hosts) == ["bob", "c"]


WRONG = {
    '{"name": "bob"}': "customers.jsonl:2: bob: needs a hostname, networks or lists",
    '{"hostname": "bob.example.org"}': "customers.jsonl:2: 'name' is missing: expected a name of "
    "1 to 40 of a-z, 0-9, `_`, `.` and `-` that begins with a letter or digit",
    '{"name": "bob", "hostname": "bob"}': "customers.jsonl:2: bob: 'bob' is not a whole hostname: "
    "names are resolved as written, without a search list, so write the domain too, such as "
    "nas.home.arpa",
    '{"name": "bob", "networks": ["0.0.0.0/0"]}': "customers.jsonl:2: bob.networks: 0.0.0.0/0: "
    "/16 is the widest that may be granted: a /0 is 4,294,967,296 addresses, and all but one "
    "belong to strangers",
    '{"name": "bob", "hostnames": "bob.example.org"}': "customers.jsonl:2: bob.hostnames: unknown "
    "key 'hostnames' (did you mean 'hostname'?)",
    '{"name": "BOB", "hostname": "bob.example.org"}': "customers.jsonl:2: name: expected a name of "
    "1 to 40 of a-z, 0-9, `_`, `.` and `-` that begins with a letter or digit, got 'BOB'",
    '["bob"]': "customers.jsonl:2: expected an object with `name`, got a list",
    "12": "customers.jsonl:2: expected an object with `name`, got 12",
    '{"name": "bob", "hostname': "customers.jsonl:2: not valid JSON: Unterminated string starting "
    "at (column 17)",
    '{"name": "bob", "name": "bob"}': "customers.jsonl:2: not valid JSON: a key stands there twice",
    '{"name": "bob", "ipv4_prefix": NaN}': "customers.jsonl:2: not valid JSON: NaN is no number",
    '{"name": "anna", "hostname": "a.example.org"}': "customers.jsonl:2: 'anna' is a duplicate: "
    "the configuration has it under hosts",
    '{"name": "first", "hostname": "a.example.org"}': "customers.jsonl:2: 'first' is a duplicate "
    "(first in line 1)",
    '{"name": "bob", "lists": ["office"]}': "customers.jsonl:2: bob.lists: there is no list "
    "'office'; in lists: none",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_line_that_is_wrong_is_named_and_no_other_is_used(tmp_path: Path, line: str) -> None:
    first = lines({"name": "first", "hostname": "first.example.org"})
    assert said(tmp_path, f"{first}{line}\n", BOTH) == [WRONG[line]]


def test_deep_and_long_lines_are_refused(tmp_path: Path) -> None:
    deep = '{"name": "bob", "hostname": ' + "[" * 30_000 + "]" * 30_000 + "}"
    (what,) = said(tmp_path, deep)
    assert what.startswith("customers.jsonl:1: ")
    assert said(tmp_path, " " * 70_000 + "x") == [
        "customers.jsonl:1: a line of more than 65536 characters"
    ]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_a_file_without_hosts_is_not_used(tmp_path: Path, content: str) -> None:
    assert said(tmp_path, content) == ["customers.jsonl: expected at least one host"]


def test_a_file_that_is_no_text_is_not_used(tmp_path: Path) -> None:
    content = lines(BOB).encode() + b"\n\xff\n"
    assert said(tmp_path, content) == ["customers.jsonl:3: not UTF-8 text (byte 0xff)"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, TEXT) == [
        "config.yaml:1: hosts_from.jsonlines: customers.jsonl: file not found"
    ]
    assert problems(tmp_path, f"hosts_from: null\n{WEB}") == ["config.yaml:1: 'hosts' is missing"]


def test_root_believes_no_file_that_others_may_write(tmp_path: Path) -> None:
    say(tmp_path, lines(BOB))
    (tmp_path / "customers.jsonl").chmod(0o666)
    (what,) = problems(tmp_path, TEXT, uid=0)
    assert ("others may write it" in what) == (os.geteuid() == 0)


def test_there_are_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [{"name": f"c{n}", "hostname": f"c{n}.example.org"} for n in range(5)]
    monkeypatch.setattr(hosts_file, "MOST_HOSTS", 4)
    assert said(tmp_path, lines(*many)) == ["customers.jsonl: more than 4 hosts"]
    assert len(said(tmp_path, "x\n" * 50)) == hosts_file.MOST_PROBLEMS


def test_other_problems_are_told_along(tmp_path: Path) -> None:
    text = f"{TEXT}limits: {{allow_empty: 3}}\n"
    assert len(said(tmp_path, "x", text)) == 2


@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_content_is_more_than_wrong(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with suppress(ConfigError):
        assert held(folder, content).hosts


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    say(tmp_path, lines(BOB))
    one = Kept(tmp_path, TEXT)
    one.load()
    return one


def test_it_is_kept_for_the_content_of_the_file(tmp_path: Path, kept: Kept) -> None:
    assert kept.cached() == kept.load()
    say(tmp_path, lines({**BOB, "hostname": "bob.example.net"}))
    assert kept.cached() is None
    assert kept.load().hosts["bob"].hostnames == ("bob.example.net",)
    assert kept.cached() == kept.load()


BROKEN = {"cut short": lines(BOB)[:-5], "empty": "", "one line more": lines(BOB, {"name": "eve"})}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_hosts_stay_as_they_were_while_the_file_is_wrong(
    tmp_path: Path, kept: Kept, content: str
) -> None:
    before = kept.load()
    say(tmp_path, content)
    now = kept.load()
    assert now.hosts == before.hosts
    (notice,) = now.hosts_trouble
    assert notice.where.startswith(f"{tmp_path}/customers.jsonl")
    assert notice.what.endswith("; the hosts that the file held before stay; repair it")
    assert kept.load(keep=False).hosts_trouble == now.hosts_trouble
    say(tmp_path, lines(BOB))
    assert kept.load() == before


def test_hosts_stay_as_they_were_while_there_is_no_file(tmp_path: Path, kept: Kept) -> None:
    (tmp_path / "customers.jsonl").unlink()
    now = kept.load()
    assert list(now.hosts) == ["bob"]
    (notice,) = now.hosts_trouble
    assert "customers.jsonl: file not found" in notice.what


def test_what_is_kept_of_another_text_stands_for_nothing(tmp_path: Path, kept: Kept) -> None:
    say(tmp_path, "")
    kept.config.write_text(BOTH)
    with pytest.raises(ConfigError):
        kept.load()
    kept.config.write_text(TEXT)
    assert list(kept.load().hosts) == ["bob"]


def test_what_was_kept_before_a_target_broke_stands_for_nothing(tmp_path: Path) -> None:
    target = (
        "cloudflare: {account_id: 0123456789abcdef0123456789abcdef, list: web, api_token_env: T}"
    )
    text = TEXT.replace("file: {path: out.txt}", target)
    say(tmp_path, lines(BOB))
    kept = Kept(tmp_path, text, T="hunter2hunter2")
    kept.load()
    kept.environ = {}
    say(tmp_path, lines(BOB, {**BOB, "name": "carol"}))
    kept.load()
    say(tmp_path, "")
    with pytest.raises(ConfigError):
        kept.load()
