"""Questions on a terminal: what takes something away is shown, and only done when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from testkit.fake_cloudflare import FakeCloudflare


@pytest.mark.parametrize(
    ("answer", "code", "left"), [("y\n", 0, []), ("n\n", 130, ["203.0.113.9"])]
)
def test_a_removal_is_shown_and_only_done_when_it_is_wanted(
    fake: FakeCloudflare, tmp_path: Path, answer: str, code: int, left: list[str]
) -> None:
    fake.add_list("friends", {"203.0.113.9": "bob"})
    environ = {
        "CLOUDFLARE": fake.token,
        "ALLOWSYNC_CONFIG": str(tmp_path / "nowhere.yaml"),
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }
    account = ("--account-id", fake.account, "--token-env", "CLOUDFLARE", "--api-url", fake.url)
    typed = ("cloudflare", "remove", "friends", "203.0.113.9", *account)
    with Terminal(*typed, environ=environ) as terminal:
        shown = terminal.until("Change the list 'friends' so? [y/N]")
        assert "- 203.0.113.9             bob" in shown
        assert "1 to remove" in shown
        assert fake.writes == []
        terminal.type(answer)
        assert terminal.end() == code
    assert list(fake.items("friends")) == left
