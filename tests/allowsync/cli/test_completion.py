"""What a shell completes, typed at real shells."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.program import EXECUTABLE, ProgramResult, allowsync
from tests.support.shells import Shell

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """\
hosts:
  alice: alice.example.org
  bob: {networks: [203.0.113.9/32]}
allowlists:
  jellyfin: {targets: [file: {path: friends.txt}]}
  ssh: {hosts: [bob], targets: [file: {path: ssh.txt}]}
"""

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='ready> '\r"),
    "zsh": (["zsh", "-f", "-i"], "PS1='ready> '; autoload -U compinit; compinit -D -u\r"),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIGURATION)
    path.chmod(0o600)
    return path


@pytest.fixture
def environ(config: Path, tmp_path: Path) -> dict[str, str]:
    path = f"{EXECUTABLE.parent}:/usr/bin:/bin"
    return {
        "PATH": path,
        "HOME": str(tmp_path),
        "ALLOWSYNC_CONFIG": str(config),
        "LC_ALL": "C.UTF-8",
    }


def offered(words: str, environ: dict[str, str]) -> list[str]:
    """What is offered for the last word, as click tells bash."""
    asked = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "_ALLOWSYNC_COMPLETE": "bash_complete",
    }
    lines = allowsync(environ={**environ, **asked}).out.split()
    return [line.partition(",")[2] for line in lines]


@pytest.mark.parametrize("shell", START)
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("allowsync sta\t", "allowsync status"),
        ("allowsync apply --only jel\t", "allowsync apply --only jellyfin"),
        ("allowsync apply --only jellyfin/\t", "allowsync apply --only jellyfin/file"),
        ("allowsync --no-color resolve bo\t", "allowsync --no-color resolve bob"),
        ("allowsync apply --detailed\t", "allowsync apply --detailed-exitcode"),
    ],
)
def test_a_key_completes_what_was_begun(
    shell: str, typed: str, completed: str, environ: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "completion"
    script.write_text(allowsync("completion", shell).out)
    argv, prepare = START[shell]
    with Shell(argv, environ) as terminal:
        terminal.type(f"{prepare}source {script}; echo pre''pared\r", until="prepared")
        # Ctrl-A goes to the beginning: the line is shown by echo instead of being run.
        terminal.type(typed, until=completed)
        assert terminal.type("\x01echo '<'\x05'>'\r", until=f"\n<{completed}")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("sta", ["status"]), ("apply --only ", ["jellyfin", "ssh"]), ("approve a", ["alice"])],
)
def test_fish_completes_with_what_it_is_about(
    typed: str, completed: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "allowsync.fish"
    script.write_text(allowsync("completion", "fish").out)
    command = f"source {script}; complete --do-complete 'allowsync {typed}'"
    done = subprocess.run(
        ["fish", "--no-config", "--command", command],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    offers = dict(line.partition("\t")[::2] for line in done.stdout.splitlines())
    assert list(offers) == completed
    assert offers.get("jellyfin", "jellyfin/file") == "jellyfin/file"


@pytest.mark.parametrize(
    "words", ["apply --only ", "adopt --only ", "clear --only ", "host add carol --on "]
)
def test_allowlists_are_offered_where_one_is_expected(words: str, environ: dict[str, str]) -> None:
    assert offered(f"allowsync {words}", environ) == ["jellyfin", "ssh"]


@pytest.mark.parametrize("command", ["apply", "clear"])
@pytest.mark.parametrize(
    ("begun", "offers"),
    [
        ("jellyfin", ["jellyfin", "jellyfin/file"]),
        ("ssh/", ["ssh/file"]),
        ("ssh/n", []),
    ],
)
def test_targets_are_offered_below_their_allowlist(
    command: str, begun: str, offers: list[str], environ: dict[str, str]
) -> None:
    assert offered(f"allowsync {command} --only {begun}", environ) == offers


@pytest.mark.parametrize(
    ("begun", "offers"),
    [
        ("help con", ["config"]),
        ("help host a", ["add"]),
        ("help apply x", []),
        ("backends nf", ["nftables"]),
        ("host --no-color rem", ["remove"]),
    ],
)
def test_commands_and_backends_are_offered(
    begun: str, offers: list[str], environ: dict[str, str]
) -> None:
    assert offered(f"allowsync {begun}", environ) == offers


@pytest.mark.parametrize("command", ["approve", "explain", "history", "host remove", "resolve"])
def test_hosts_are_offered_where_one_is_expected(command: str, environ: dict[str, str]) -> None:
    assert offered(f"allowsync {command} ", environ) == ["alice", "bob"]


def test_names_come_from_the_configuration_that_is_named(
    environ: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CONFIGURATION.replace("jellyfin", "movies"))
    other.chmod(0o600)
    for words in (f"apply --config {other}", f"--config {other} apply"):
        assert offered(f"allowsync {words} --only ", environ) == ["movies", "ssh"]


@pytest.mark.parametrize("text", ["", "hosts: [", "hosts: {alice: 7}"])
def test_a_configuration_that_is_wrong_has_no_names_and_no_message(
    text: str, environ: dict[str, str], config: Path
) -> None:
    config.write_text(text)
    asked = {
        "COMP_WORDS": "allowsync resolve ",
        "COMP_CWORD": "2",
        "_ALLOWSYNC_COMPLETE": "bash_complete",
    }
    assert allowsync(environ={**environ, **asked}) == ProgramResult(0, "\n", "")


def test_programs_get_the_script_in_a_document() -> None:
    done = allowsync("completion", "bash", "--output", "json")
    document = json.loads(done.out)
    assert document["schema"] == "allowsync.completion/1"
    assert document["script"] + "\n" == allowsync("completion", "bash").out


def test_a_shell_that_is_not_known_is_a_usage_error() -> None:
    assert allowsync("completion", "tcsh").code == 2
