"""Which command lines a glance is for, and what it may start."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from allowsync.fastpath import command_probe as children
from allowsync.fastpath.check import _listing, nothing_to_do, places_of
from allowsync.fastpath.command_probe import Child
from allowsync.fastpath.dns_probe import Asking
from allowsync.system import search_path as programs
from allowsync.system.fingerprint import of_file, of_output

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text("hosts: {}\nstate: /var/x/state.db  # here\n")
    return path


@pytest.mark.parametrize("words", [[], ["-q"], ["--quiet", "--no-color"]])
def test_a_plain_apply_is_looked_at(configuration: Path, words: list[str]) -> None:
    found = places_of(["apply", "--config", str(configuration), *words])
    assert found == (str(configuration), "/var/x/state.db")
    assert places_of(["apply", f"--config={configuration}", *words]) == found


@pytest.mark.parametrize(
    "words",
    [
        [], ["status"], ["apply", "--dry-run"], ["apply", "--force"], ["apply", "--offline"],
        ["apply", "--only", "web"], ["apply", "--output", "json"], ["apply", "-v"],
        ["apply", "--help"], ["apply", "extra"], ["--version"], ["apply", "--config"],
    ],
)  # fmt: skip
def test_anything_else_is_not(configuration: Path, words: list[str]) -> None:
    assert places_of([*words[:1], "--config", str(configuration), *words[1:]]) is None or (
        words == [] or words[-1] == "--config"
    )
    assert not nothing_to_do([*words, "--config", str(configuration)])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("state: /a/b.db", "/a/b.db"),
        ("state: '/a/b.db'", "/a/b.db"),
        ('"state": "/a/b.db",', "/a/b.db"),
        (' "state": "/a/b.db"', "/a/b.db"),
        ("state: b.db", "{folder}/b.db"),
    ],
)
def test_the_state_is_where_the_configuration_says(
    configuration: Path, line: str, expected: str
) -> None:
    configuration.write_text(f"hosts: {{}}\n{line}\n")
    found = places_of(["apply", "--config", str(configuration)])
    assert found is not None
    assert found[1] == expected.format(folder=configuration.parent)


def test_a_state_given_on_the_command_line_wins(configuration: Path) -> None:
    found = places_of(["apply", "--state", "/x/y.db", "--config", str(configuration)])
    assert found == (str(configuration), "/x/y.db")


def test_without_a_configuration_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    assert places_of(["apply", "--config", str(tmp_path / "none")]) is None
    assert not nothing_to_do(["apply", "--config", str(tmp_path / "none")])


@pytest.mark.parametrize(
    "words",
    [
        ["rm", "-rf", "/"], ["nft", "flush", "ruleset"], ["nft", "-s", "-j", "flush", "ruleset"],
        ["nft", "-s", "-j", "list", "table", "-f", "x"], ["/tmp/nft", "-s", "-j", "list"], [],
        ["ipset", "flush", "x"], ["ipset", "list", "-file", "x"], ["ipset", "-n", "destroy"],
        ["iptables", "-w", "10", "-t", "mangle", "-F"], ["iptables", "-t", "mangle", "-S"],
        ["iptables", "-w", "10", "-t", "mangle", "-S", "-F"], ["ip6tables-x", "-w", "10", "-S"],
    ],
)  # fmt: skip
def test_only_listings_are_started(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^"):
        _listing("\0".join(words))


@pytest.mark.parametrize(
    "words",
    [
        ["nft", "-s", "-j", "list", "table", "inet", "allowsync_web"],
        ["ipset", "-n", "list"], ["ipset", "list", "allowsync-web-4"],
        ["ip6tables-legacy", "-w", "10", "-t", "mangle", "-S"],
    ],
)  # fmt: skip
def test_a_listing_is_a_listing(words: list[str]) -> None:
    assert _listing("\0".join(words)) == words


def test_a_child_gives_what_it_wrote_and_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "x")
    assert Child(["env"]).output() == f"PATH={programs.PATH}\nLC_ALL=C\n".encode()
    assert len(Child(["head", "-c", "3000000", "/dev/zero"]).output()) == 3_000_000


def test_a_child_that_fails_is_no_output() -> None:
    with pytest.raises(OSError, match="failed"):
        Child(["false"]).output()
    with pytest.raises(FileNotFoundError):
        Child(["no-such-program-here"])
    with pytest.raises(FileNotFoundError):
        Child(["/no/such/program"])


def test_a_child_that_never_ends_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "TIMEOUT", 0.05)
    child = Child(["sleep", "60"])
    with pytest.raises(TimeoutError):
        child.output()
    with pytest.raises(ProcessLookupError):
        os.kill(child._pid, 0)


def test_nobody_there_is_not_the_same() -> None:
    def ask() -> bool:
        with ExitStack() as stack:
            asking = Asking([("127.0.0.1", 9, b"\x01a\x00\x00\x01\x00\x01", True, b"", ())] * 2)
            stack.callback(asking.close)
            return asking.all_the_same()

    with pytest.raises(ConnectionRefusedError):
        ask()


def test_a_sight_of_a_file_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    missing = of_file(path)
    path.write_text("a")
    first = of_file(path)
    assert (missing.numbers, first.settled) == ((), False)
    path.chmod(0o600)
    assert of_file(path) != first
    folder = of_file(tmp_path)
    (tmp_path / "g").touch()
    assert of_file(tmp_path) == folder, "what is in a folder is not the folder"


def test_a_sight_of_an_output_is_what_was_written_unless_that_is_large() -> None:
    assert of_output(("nft",), "a") != of_output(("nft",), "b")
    assert of_output(("nft",), "a").settled
    assert not of_output(("nft",), "a" * 300_000).settled
