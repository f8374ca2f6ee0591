"""What a configuration may say of a Cloudflare target, and that it costs nothing where none is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare import CloudflareOptions

from allowsync.config import ConfigError, load
from testkit.fake_dns.nameserver import NameServer
from tests.support.program import Installation

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-of-forty-characters-0123456789ab"
NEEDED = f"account_id: {ACCOUNT}\n          list: friends\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret = tmp_path / "cloudflare.token"
    secret.touch(mode=0o600)
    secret.write_text(f"{TOKEN}\n")
    return tmp_path


def options(folder: Path, text: str, **environ: str) -> CloudflareOptions:
    """The options of a target that is written so."""
    file = folder / "config.yaml"
    file.touch(mode=0o600)
    file.write_text(
        "hosts:\n  alice: alice.example.org\nallowlists:\n  web:\n    targets:\n"
        f"      - cloudflare:\n          {text.strip()}\n"
    )
    config = load(file, environ={"HOME": "/nonexistent", **environ}, uid=os.getuid())
    (target,) = config.targets
    assert isinstance(target.options, CloudflareOptions)
    return target.options


def refusal(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        options(folder, text, **environ)
    return str(caught.value)


def lines(*more: str) -> str:
    return NEEDED + "".join(f"          {one}\n" for one in more)


FILE = "api_token_file: cloudflare.token"


def test_the_rest_is_as_most_people_need_it(folder: Path) -> None:
    made = options(folder, lines(FILE))
    assert (made.account_id, made.list, made.token.value) == (ACCOUNT, "friends", TOKEN)
    assert (made.create, made.exclusive, made.owner, made.max_items) == (True, False, None, 10_000)
    assert made.api_url == "https://api.cloudflare.com/client/v4"


def test_the_token_may_come_from_the_environment_or_a_credential(folder: Path) -> None:
    made = options(folder, lines("api_token_env: CF"), CF=TOKEN)
    assert made.token.value == TOKEN
    named = lines("api_token_credential: cloudflare.token")
    assert options(folder, named, CREDENTIALS_DIRECTORY=str(folder)).token.value == TOKEN


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "none is given"),
        ((FILE, "api_token_env: CF"), "2 are given"),
    ],
)
def test_there_is_one_token(folder: Path, more: tuple[str, ...], said: str) -> None:
    assert said in refusal(folder, lines(*more), CF=TOKEN)


@pytest.mark.parametrize(
    "line",
    [
        "owner: Attic",
        "owner: a:b",
        f"owner: {'x' * 33}",
        "create: sometimes",
        "exclusive: 1",
        "max_items: 0",
        "max_items: 500001",
        "api_url: http://api.example.org",
        "api_url: https://user:word@api.example.org",
        "api_url: http://127.0.0.1@api.example.org",
        "api_url: http://localhost.example.org",
        "api_url: https://api.example.org/?x",
        "api_url: ftp://api.example.org",
        "zone: example.org",
    ],
)
def test_what_cannot_be_is_refused_with_its_line(folder: Path, line: str) -> None:
    said = refusal(folder, lines(FILE, line))
    assert "config.yaml:10: allowlists.web.targets.cloudflare." in said
    assert line.partition(":")[0] in said


@pytest.mark.parametrize(
    "url",
    ["https://api.example.org", "http://127.0.0.1:8080/v4", "http://[::1]", "http://localhost"],
)
def test_the_api_may_be_elsewhere_but_in_the_clear_only_on_this_machine(
    folder: Path, url: str
) -> None:
    assert options(folder, lines(FILE, f"api_url: '{url}'")).api_url == url


@pytest.mark.parametrize("account", ["0" * 31, "0" * 33, "G" * 32, "A" * 32])
def test_an_account_has_32_hexadecimal_digits(folder: Path, account: str) -> None:
    text = f"account_id: '{account}'\n          list: friends\n          {FILE}\n"
    assert "32 hexadecimal digits" in refusal(folder, text)


@pytest.mark.parametrize("name", ["Friends", "a-b", "", "x" * 51, "é"])
def test_a_list_is_named_as_rules_can_name_it(folder: Path, name: str) -> None:
    text = f"account_id: {ACCOUNT}\n          list: '{name}'\n          {FILE}\n"
    assert "1 to 50 of a-z, 0-9" in refusal(folder, text)


def test_the_token_is_in_no_text_made_of_options(folder: Path) -> None:
    made = options(folder, lines(FILE))
    assert TOKEN not in f"{made} {made!r} {made.token} {made.token!r}"


def test_targets_in_one_list_are_told_apart_by_their_mark(folder: Path) -> None:
    shared = options(folder, lines(FILE))
    attic = options(folder, lines(FILE, "owner: attic"))
    place, mine = shared.places("web")
    assert place.shared
    assert (place, mine) != attic.places("web") != shared.places("ssh")
    assert mine not in {*attic.places("web"), *shared.places("ssh")}
    alone = options(folder, lines(FILE, "exclusive: true"))
    assert alone.places("web") == alone.places("ssh") == (place._replace(shared=False),)


UNWANTED = ("httpx", "httpcore", "tenacity", "ssl", "allowsync_backends.cloudflare.client")


def test_the_program_brings_no_httpx() -> None:
    code = "import sys, allowsync.cli; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [one for one in UNWANTED if f"'{one}'" in done.stdout]
    assert "'allowsync.cli'" in done.stdout


def test_a_run_without_a_cloudflare_target_brings_no_httpx(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from allowsync.cli import run_command_line\n"
        "code = run_command_line(sys.argv[1:])\n"
        "print(code, sorted(sys.modules), file=sys.stderr)\n"
    )
    with NameServer({"alice.example.org": ["81.2.69.1"]}) as server:
        here = Installation(tmp_path, server, {"alice": "alice.example.org"}, {"canary": False})
        here.write()
        typed = ["apply", "--config", str(here.path)]
        done = subprocess.run(
            [sys.executable, "-c", code, *typed], capture_output=True, text=True, check=True
        )
    assert done.stderr.startswith("0 "), done.stderr
    assert here.allowed == ["81.2.69.1/32"]
    assert not [one for one in UNWANTED[:3] if f"'{one}'" in done.stderr]
