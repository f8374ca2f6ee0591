"""The whole program among hostile files, names and programs: refused, unseen, never executed."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.behaviours import Records
from testkit.fake_dns.forgeries import Garbage
from testkit.fake_dns.nameserver import NameServer
from tests.hostile.corpus import configurations
from tests.support.program import EXECUTABLE, Installation, ProgramResult, allowsync
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "planted-token-5f2c91d7"
FIRST = ["81.2.69.1/32"]


@pytest.fixture
def zones() -> dict[str, object]:
    return {"alice.example.org": ["81.2.69.1"]}


@pytest.fixture
def here(tmp_path: Path, zones: dict[str, object]) -> Iterator[Installation]:
    tmp_path.chmod(0o700)
    with NameServer(zones) as server:
        alice = {"hostname": "alice.example.org", "families": ["ipv4"]}
        yield Installation(tmp_path, server, hosts={"alice": alice})


def clean(done: ProgramResult) -> ProgramResult:
    """The same, once it is known that nothing in it can harm a terminal or hides a traceback."""
    assert "internal error" not in done.err
    for text in (done.out, done.err):
        assert all(char.isprintable() or char == "\n" for char in text), ascii(text)
    return done


SAMPLE = [
    "a hostname: terminal control",
    "a host's name: a second line",
    "a file: a path upwards",
    "a command: a command in parentheses",
    "a port: an option",
    "a span: more time than there is",
    "an end: the last day of all",
    "an unknown key: right to left",
    "the whole file: laughter",
    "the whole file: a hundred thousand brackets",
    "the whole file: a Python object",
    "the whole file: zeros",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_configuration_that_means_harm_is_exit_code_2(tmp_path: Path, name: str) -> None:
    planted = tmp_path / "planted"
    path = tmp_path / "config.yaml"
    path.write_bytes(configurations(str(planted))[name])
    path.chmod(0o600)
    done = clean(allowsync("config", "show", "--config", path))
    assert done.code in ((0, 2) if name.startswith(("a file", "a command")) else (2,))
    assert not planted.exists()
    record("hostile_inputs", where="the program", count=1, tracebacks=0)


def test_a_configuration_others_may_write_is_refused_by_root(
    here: Installation, as_root: None
) -> None:
    here.write()
    here.freeze = True
    for mode in (0o666, 0o620, 0o602):
        here.path.chmod(mode)
        done = clean(here("apply"))
        assert (done.code, here.file.exists(), here.state.exists()) == (2, False, False)
        assert "others may write it" in done.err


def test_a_configuration_in_a_folder_others_may_write_is_refused_by_root(
    here: Installation, as_root: None
) -> None:
    here.write()
    here.freeze = True
    here.folder.chmod(0o777)
    done = clean(here("apply"))
    assert (done.code, here.file.exists()) == (2, False)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (what, kind)
        for what in ("state", "lock", "output")
        for kind in ("link", "dangling link", "folder", "pipe")
        if (what, kind) != ("lock", "pipe")  # a lock on a pipe is as good as one on a file
    ],
)
def test_what_stands_in_the_way_is_neither_followed_nor_overwritten(
    here: Installation, what: str, kind: str
) -> None:
    here.state.parent.mkdir(mode=0o700)
    place = {
        "state": here.state,
        "lock": here.state.with_name("state.db.lock"),
        "output": here.file,
    }[what]
    precious = here.folder / "precious"
    if kind == "link":
        precious.write_text("precious\n")
    if kind in ("link", "dangling link"):
        place.symlink_to(precious)
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    done = clean(here("apply"))
    assert done.code == 1
    assert str(place) in done.err
    assert precious.exists() is (kind == "link")
    assert kind != "link" or precious.read_text() == "precious\n"


def test_a_pipe_for_a_lock_keeps_nobody_waiting(here: Installation) -> None:
    here.state.parent.mkdir(mode=0o700)
    os.mkfifo(here.state.with_name("state.db.lock"))
    assert (clean(here("apply")).code, here.allowed) == (0, FIRST)


def test_nothing_temporary_is_left_for_others_to_find(here: Installation) -> None:
    clean(here("apply"))
    kept = here.folder / ".config.yaml.kept"  # root's valid configuration, of which one is kept
    lasting = {"config.yaml", kept.name, "state", "allowed.txt"}
    assert {one.name for one in here.folder.iterdir()} == lasting
    assert kept.stat().st_mode & 0o777 == 0o600


def test_programs_and_modules_in_the_way_are_not_executed(here: Installation) -> None:
    planted = here.folder / "planted"
    trap = here.folder / "bin"
    trap.mkdir()
    for program in ("nft", "ipset", "iptables", "ufw", "sh", "systemctl", "id", "ip"):
        (trap / program).write_text(f"#!/bin/sh\n: > {planted}\n")
        (trap / program).chmod(0o755)
    for module in ("dns", "yaml", "sqlite3", "click", "allowsync_backends"):
        (trap / f"{module}.py").write_text(f"open({str(planted)!r}, 'w')\n")
    here.write()
    for words in (["backends"], ["check"], ["apply"], ["status"], ["config", "show"]):
        where = [] if words == ["backends"] else ["--config", str(here.path)]
        done = subprocess.run(
            [str(EXECUTABLE), *words, *where],
            env={"PATH": str(trap), "HOME": str(trap), "LD_LIBRARY_PATH": str(trap)},
            cwd=trap,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert b"Traceback" not in done.stderr
    assert here.allowed == FIRST
    assert not planted.exists()


NAMES = {
    "control characters in an alias": Records(
        (r"@ 60 IN CNAME \027[2J\007.example.org.", r"\027[2J\007.example.org. 60 IN A 10.0.0.1")
    ),
    "a text of escapes": Records((r'@ 60 IN TXT "\027[2J"', "@ 60 IN A 10.0.0.1")),
    "an owner of escapes": Records((r"\027]0\;owned\007. 60 IN A 81.2.69.66",)),
    "garbage of escapes": Garbage(b"\x1b[2J\x07" * 20),
}


@pytest.mark.parametrize("value", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("command", ["apply", "check", "resolve", "status", "apply --output json"])
def test_what_the_dns_says_reaches_no_terminal_unseen(
    here: Installation, zones: dict[str, object], command: str, value: object
) -> None:
    clean(here("apply"))
    zones["alice.example.org"] = value
    here.resolver = {"timeout": "300ms", "attempts": 1}
    clean(here(command))
    assert here.allowed == FIRST


def test_a_secret_is_nowhere_to_be_found(here: Installation) -> None:
    here.more = {
        "heartbeat": f"https://127.0.0.1:9/{TOKEN}",
        "notify": [f"json://user:{TOKEN}@localhost/"],
    }
    commands = (
        "apply --dry-run", "apply -v", "apply", "status", "check", "resolve", "config show",
        "apply --output json", "status --output json", "check --output json", "clear --yes",
    )  # fmt: skip
    for command in commands:
        done = clean(here(command, environ={"ALLOWSYNC_TRACEBACK": "1"}))
        assert TOKEN not in done.out + done.err, command
    files = [one for one in here.folder.rglob("*") if one.is_file() and one != here.path]
    assert files
    assert all(TOKEN.encode() not in one.read_bytes() for one in files)


@pytest.mark.parametrize(
    "more",
    [
        {"heartbeat": f"ftp://{TOKEN}"},
        {"heartbeat": [TOKEN]},
        {"heartbeat": f"https://x/{TOKEN}\x1b"},
        {"heartbeat": f"//{TOKEN}@example.org"},
        {"notify": TOKEN},
        {"notify": [f"{TOKEN}"]},
        {"notify": [{TOKEN: 1}]},
    ],
    ids=str,
)
def test_a_secret_that_is_wrong_is_not_shown_either(
    here: Installation, more: dict[str, object]
) -> None:
    here.more = more
    for words in ("config show", "apply", "apply --output json"):
        done = clean(here(words))
        assert done.code == 2
        assert TOKEN not in done.out + done.err


@pytest.mark.parametrize(
    "line",
    [
        f'heartbeat: "https://x/{TOKEN}',
        f"heartbeat: https://x/{TOKEN}: {TOKEN}",
        f"notify: [https://x/{TOKEN}",
        f"heartbeat: {TOKEN}\nheartbeat: {TOKEN}",
    ],
)
def test_a_secret_in_a_line_that_is_no_yaml_is_not_shown(here: Installation, line: str) -> None:
    here.write()
    here.freeze = True
    here.path.write_text(f"{line}\nhosts: {{}}\n")
    done = clean(here("config show"))
    assert done.code == 2
    assert TOKEN not in done.out + done.err


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_secret_is_in_no_programs_arguments(here: Installation) -> None:
    here.more = {"heartbeat": f"https://127.0.0.1:9/{TOKEN}"}
    here.targets = [
        {"file": {"path": str(here.file), "check": ["/bin/true"], "reload": ["/bin/true", "x"]}}
    ]
    here.write()
    trace = here.folder / "trace"
    command = ["strace", "-f", "-s", "4096", "-v", "-e", "trace=execve", "-o", str(trace)]
    subprocess.run(
        [*command, str(EXECUTABLE), "apply", "--config", str(here.path)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = trace.read_text()
    assert "/bin/true" in said
    assert TOKEN not in said
