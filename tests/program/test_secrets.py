"""A target whose secret cannot be used fails alone, before any request; every command says why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FakeCloudflare
from testkit.fake_dns.nameserver import NameServer
from tests.support.program import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
COMMANDS = ("apply", "check", "status", "schedule show")


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with FakeCloudflare(token=TOKEN) as serving:
        serving.add_list("friends")
        yield serving


@pytest.fixture
def here(tmp_path: Path, fake: FakeCloudflare) -> Iterator[Installation]:
    """A file and a list, with a token beside the configuration."""
    with NameServer({}) as server:
        one = Installation(tmp_path, server, {"office": {"networks": ["203.0.113.0/24"]}})
        secret(one, {"api_token_file": "./token"}, fake)
        yield one


def secret(here: Installation, kept: dict[str, str], fake: FakeCloudflare) -> None:
    account = {"account_id": fake.account, "list": "friends", "api_url": fake.url}
    here.targets = [{"cloudflare": {**account, **kept}}, {"file": {"path": str(here.file)}}]


def put(path: Path, text: str, mode: int = 0o600) -> None:
    path.touch()
    path.chmod(mode)
    path.write_text(text)


def fails_alone(
    here: Installation,
    what: str,
    environ: dict[str, str] | None = None,
    commands: tuple[str, ...] = ("status",),
) -> None:
    """Each command names the target and the reason, with exit code 1; the file is kept."""
    done = here("apply", "--output", "json", environ=environ)
    assert done.code == 1
    listed, filed = done.document["targets"]
    assert (listed["outcome"], filed["outcome"]) == ("failed", "applied")
    assert what in listed["reason"]
    assert here.allowed == ["203.0.113.0/24"]
    for command in commands:
        done = here(command, environ=environ)
        assert done.code == 1, command
        said = " ".join((done.out + done.err).split())
        assert "web/cloudflare" in said
        assert what in said, command
        assert TOKEN not in said


FORMS = {
    "Bearer": (f"Bearer {TOKEN}\n", "write the token alone"),
    "quotes": (f'"{TOKEN}"\n', "there are quotes around it"),
    "a blank": (f"{TOKEN} \n", "there are blanks around it"),
    "two lines": (f"{TOKEN}\n{TOKEN}\n", "more than one line"),
    "nothing": ("", "it is empty"),
    "a key": ("0123456789abcdef0123456789abcdef01234\n", "a Global API Key, not an API token"),
}


@pytest.mark.parametrize(("written", "what"), FORMS.values(), ids=FORMS)
def test_a_token_of_the_wrong_form_is_named_before_any_request(
    here: Installation, fake: FakeCloudflare, written: str, what: str
) -> None:
    put(here.folder / "token", written)
    fails_alone(here, what)
    assert fake.requests == []


def test_a_token_that_is_spoilt_after_a_good_run_is_named_too(
    here: Installation, fake: FakeCloudflare
) -> None:
    put(here.folder / "token", TOKEN)
    assert here("apply").code == 0
    fake.forget()
    here.file.unlink()
    put(here.folder / "token", f"Bearer {TOKEN}")
    fails_alone(here, "write the token alone", commands=COMMANDS)
    assert fake.requests == []


def test_a_file_that_cannot_be_read_fails_alone(here: Installation) -> None:
    path = here.folder / "token"
    fails_alone(here, "file not found", commands=COMMANDS)
    here.file.unlink()
    os.mkfifo(path)
    fails_alone(here, "this is a pipe, not a file")
    here.file.unlink()
    path.unlink()
    path.mkdir()
    fails_alone(here, "this is a folder, not a file")


def test_a_file_that_others_could_read_or_change_fails_alone(
    as_root: None, here: Installation
) -> None:
    path = here.folder / "token"
    put(path, TOKEN, 0o644)
    fails_alone(here, "others may read it (mode 0644): chmod 600")
    here.file.unlink()
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    fails_alone(here, "belongs to user 65534")


def test_a_secret_of_the_environment_or_of_systemd_fails_alone(
    here: Installation, fake: FakeCloudflare
) -> None:
    secret(here, {"api_token_env": "CF_TOKEN"}, fake)
    fails_alone(here, "this environment variable is not set", commands=COMMANDS)
    here.file.unlink()
    fails_alone(here, "there are quotes around it", {"CF_TOKEN": f"'{TOKEN}'"})
    here.file.unlink()
    secret(here, {"api_token_credential": "cf"}, fake)
    fails_alone(here, "systemd passes no credentials")
    here.file.unlink()
    credentials = {"CREDENTIALS_DIRECTORY": str(here.folder)}
    fails_alone(here, "file not found", credentials)
    here.file.unlink()
    put(here.folder / "cf", f"{TOKEN}\n{TOKEN}\n")
    fails_alone(here, "more than one line", credentials)


def test_a_token_that_is_refused_is_not_said_to_lack_a_permission(
    here: Installation, fake: FakeCloudflare
) -> None:
    put(here.folder / "token", TOKEN)
    fake.cloud.filtered[TOKEN] = "81.2.69.160"
    for command in ("apply", "check", "status"):
        done = here(command)
        said = " ".join((done.out + done.err).split())
        assert done.code == 1, command
        assert "the API token is refused: Cannot use the access token from location" in said
        assert "Client IP Address Filtering" in said
        assert "lacks a permission" not in said
    assert here.allowed == ["203.0.113.0/24"]
