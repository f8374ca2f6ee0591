"""`allowsync cloudflare …` as the installed program, in text and as JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FakeCloudflare, OperationDelay
from tests.support.cloudflare_api import hold_to_the_description
from tests.support.program import EXECUTABLE, ProgramResult, allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("add", "create", "delete", "export", "import", "lists", "remove", "rule", "show")


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    """One whose operations are over when they are looked at: processes wait in real time."""
    with FakeCloudflare(delay=OperationDelay(polls=0)) as serving:
        yield serving
        hold_to_the_description(serving)


@pytest.fixture
def environ(fake: FakeCloudflare, tmp_path: Path) -> dict[str, str]:
    return {
        "CLOUDFLARE": fake.token,
        "ALLOWSYNC_CONFIG": str(tmp_path / "nowhere.yaml"),
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }


def program(fake: FakeCloudflare, environ: dict[str, str], *typed: str) -> ProgramResult:
    account = ("--account-id", fake.account, "--token-env", "CLOUDFLARE", "--api-url", fake.url)
    return allowsync("cloudflare", *typed, *account, environ=environ)


def test_an_account_is_looked_after_from_beginning_to_end(
    fake: FakeCloudflare, environ: dict[str, str], tmp_path: Path
) -> None:
    fake.add_zone("example.org")
    table = tmp_path / "table.csv"
    table.write_text("198.51.100.7,the office\n")
    rule = ("rule", "--list", "friends", "--host", "jellyfin.example.org")
    for typed, said in (
        (("create", "friends", "--description", "of the server"), "friends: created"),
        (("add", "friends", "203.0.113.9", "--comment", "bob"), "1 added"),
        (("import", "friends", str(table)), "1 added"),
        (("lists",), "friends ip 2 items 0 rules of the server"),
        (("show", "friends"), "198.51.100.7 by hand the office"),
        (("export", "friends"), "203.0.113.9,bob"),
        ((*rule, "--yes"), "1 created"),
        (("rule", "--zone", "example.org"), "1 allowsync:friends: block"),
        ((*rule, "--remove", "--yes"), "1 removed"),
        (("remove", "friends", "203.0.113.9", "--yes"), "1 removed"),
        (("delete", "friends", "--yes"), "friends: deleted"),
    ):
        done = program(fake, environ, *typed)
        assert (done.code, done.err) == (0, ""), typed
        assert said in " ".join(done.out.split())
        assert fake.token not in done.out
    assert fake.lists == {}


def test_every_command_has_its_document(
    fake: FakeCloudflare, environ: dict[str, str], tmp_path: Path
) -> None:
    fake.add_zone("example.org")
    (tmp_path / "table.csv").write_text("198.51.100.7,the office\n")
    for typed in (
        ("create", "friends"),
        ("add", "friends", "203.0.113.9"),
        ("import", "friends", str(tmp_path / "table.csv")),
        ("lists",),
        ("show", "friends"),
        ("export", "friends"),
        ("rule", "--list", "friends", "--zone", "example.org", "--path", "/web", "--dry-run"),
        ("remove", "friends", "203.0.113.9", "--yes"),
        ("delete", "friends", "--yes"),
    ):
        document = program(fake, environ, *typed, "--output", "json").document
        assert document["schema"] == f"allowsync.cloudflare.{typed[0]}/1"
        assert (document["exit_code"], document["problems"]) == (0, [])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_of_eighty_columns(name: str) -> None:
    done = allowsync("cloudflare", name, "--help")
    assert (done.code, done.err) == (0, "")
    assert "--account-id" in done.out
    assert "--output [text|json]" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_help_of_the_group_names_every_command() -> None:
    done = allowsync("cloudflare", "--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in NAMES)
    assert "cloudflare  Manage the lists of a Cloudflare account." in allowsync("--help").out


def completed(*words: str) -> list[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "_ALLOWSYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["allowsync", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [EXECUTABLE], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_a_shell_completes_the_commands_and_their_options() -> None:
    assert completed("cloud") == ["cloudflare"]
    assert completed("cloudflare", "re") == ["remove"]
    assert "--comment" in completed("cloudflare", "add", "--com")


def test_a_command_line_without_an_account_is_a_usage_error(tmp_path: Path) -> None:
    done = allowsync("cloudflare", "lists", "--config", tmp_path / "no.yaml", "--output", "json")
    assert done.code == 2
    assert done.document["schema"] == "allowsync.cloudflare.lists/1"


def test_neither_help_nor_another_command_loads_what_speaks_http() -> None:
    code = (
        "import sys\nfrom allowsync.cli import run_command_line\n"
        "for typed in (['cloudflare', 'add', '--help'], ['--help'], ['backends']):\n"
        "    assert run_command_line(typed) == 0\n"
        "loaded = {'httpx', 'ssl', 'tenacity', 'asyncio'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_at_once_never_write_at_once(fake: FakeCloudflare, environ: dict[str, str]) -> None:
    fake.add_list("friends")
    account = ("--account-id", fake.account, "--token-env", "CLOUDFLARE", "--api-url", fake.url)
    running = [
        subprocess.Popen(
            [EXECUTABLE, "cloudflare", "add", "friends", f"203.0.113.{number}", *account],
            env={"PATH": os.environ["PATH"], **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in running]
    for _, err, code in ended:
        # Whoever came later may find the list changed, or added to it: never HTTP 429.
        assert code == 0 or "changed meanwhile" in err
    assert {one.status for one in fake.writes} == {200}
    assert len(fake.items("friends")) == sum(code == 0 for _, _, code in ended)
