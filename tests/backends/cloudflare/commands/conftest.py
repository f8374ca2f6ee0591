"""The commands on a fake Cloudflare, called as the program calls them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from allowsync.cli import run_command_line
from tests.support.program import ProgramResult

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare


@dataclass
class Commands:
    """Runs `allowsync cloudflare …` in this process, on the fake's account.

    Attributes:
        access: What says which account is meant, at the end of each command.
    """

    fake: FakeCloudflare
    folder: Path
    capsys: pytest.CaptureFixture[str]
    access: list[str] = field(default_factory=list)

    def __call__(self, *typed: str) -> ProgramResult:
        self.capsys.readouterr()
        code = run_command_line(["cloudflare", *typed, *self.access])
        return ProgramResult(code, *self.capsys.readouterr())

    def json(self, *typed: str) -> ProgramResult:
        return self(*typed, "--output", "json")

    @property
    def token(self) -> Path:
        return self.folder / "token"


@pytest.fixture
def run(
    fake: FakeCloudflare,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Commands:
    # Nobody waits here: an operation is looked at again at once, a refusal tried again at once.
    monkeypatch.setattr("allowsync_backends.cloudflare.operations.POLLS", (0.01,))
    monkeypatch.setattr("allowsync_backends.cloudflare.transport.PAUSES", (0.01,))
    monkeypatch.setattr("allowsync_backends.cloudflare.transport._FIRST_PAUSE", 0.01)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("ALLOWSYNC_CONFIG", str(tmp_path / "nowhere.yaml"))
    commands = Commands(fake, tmp_path, capsys)
    commands.token.touch(mode=0o600)
    commands.token.write_text(f"{fake.token}\n")
    given = {"account-id": fake.account, "token-file": commands.token, "api-url": fake.url}
    commands.access = [f"--{name}={value}" for name, value in given.items()]
    assert os.environ["STATE_DIRECTORY"]
    return commands
