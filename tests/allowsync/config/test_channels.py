"""Whom a run tells: URLs as they stand, or kept elsewhere, and never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from allowsync.config import show
from allowsync.model.notification import Event, HeartbeatKind
from tests.support.configuring import HOME, MINIMAL, loaded, problems

if TYPE_CHECKING:
    from pathlib import Path

URL = "ntfys://user:hunter2@ntfy.example.net/friends"
PING = "https://hc.example.net/ping/hunter2"


def test_a_url_alone_is_told_of_everything_but_moves(tmp_path: Path) -> None:
    (channel,) = loaded(tmp_path, MINIMAL + f"notify: ['{URL}']").notify
    assert channel.secret.value == URL
    assert set(Event) - set(channel.events) == {Event.MOVED}


@pytest.mark.parametrize("key", ["url_file", "url_env", "url_credential"])
def test_a_url_may_be_kept_elsewhere(tmp_path: Path, key: str) -> None:
    (tmp_path / "kept").write_text(f"{URL}\n")
    places = {"url_file": "./kept", "url_env": "ALLOWSYNC_URL", "url_credential": "kept"}
    environ = {**HOME, "ALLOWSYNC_URL": URL, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    text = MINIMAL + f"notify: [{{{key}: {places[key]}, events: [moved]}}]"
    config = loaded(tmp_path, text, environ=environ)
    (channel,) = config.notify
    assert (channel.secret.value, channel.events) == (URL, (Event.MOVED,))
    shown = show(config)["notify"]
    assert "hunter2" not in json.dumps(shown) + repr(config)
    assert list(shown[0]) == [key, "events"]


def test_a_heartbeat_may_be_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(PING)
    text = MINIMAL + "heartbeat: {url_file: ./kept, kind: healthchecks}"
    config = loaded(tmp_path, text)
    assert config.heartbeat is not None
    assert (config.heartbeat.secret.value, config.heartbeat.kind) == (
        PING,
        HeartbeatKind.HEALTHCHECKS,
    )
    assert show(config)["heartbeat"] == {
        "url_file": str(tmp_path / "kept"),
        "kind": "healthchecks",
    }


WRONG = {
    "two places": (f"notify: [{{url: '{URL}', url_env: X}}]", "needs one of url, url_file"),
    "no place": ("notify: [{events: [moved]}]", "needs one of url, url_file"),
    "no event": (f"notify: [{{url: '{URL}', events: []}}]", "at least 1"),
    "an event twice": (f"notify: [{{url: '{URL}', events: [moved, moved]}}]", "is a duplicate"),
    "no such event": (f"notify: [{{url: '{URL}', events: [moves]}}]", "did you mean 'moved'?"),
    "an unknown key": ("notify: [{hunter2: x}]", "not shown"),
    "the URL for a file": (f"notify: [{{url_file: '{URL}'}}]", "not shown"),
    "the URL for a variable": (f"notify: [{{url_env: '{URL}'}}]", "not shown"),
    "nothing": ("notify: [{url: }]", "not shown"),
    "a kind": (f"heartbeat: {{url: '{PING}', kind: kuma}}", "one of auto, healthchecks"),
}


@pytest.mark.parametrize(("line", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_without_the_url(tmp_path: Path, line: str, said: str) -> None:
    (problem,) = problems(tmp_path, MINIMAL + line)
    assert said in problem
    assert "hunter2" not in problem


UNREADABLE = {
    "no URL in the variable": ("notify: [{url_env: X}]", "what is kept there is not an Apprise"),
    "a missing variable": ("notify: [{url_env: Y}]", "is not set"),
    "a missing file": ("heartbeat: {url_file: ./gone}", "file not found"),
    "another scheme": ("heartbeat: {url_env: F}", "what is kept there is not a URL such as"),
}


@pytest.mark.parametrize(("line", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_url_that_cannot_be_read_breaks_its_channel_alone(
    tmp_path: Path, line: str, said: str
) -> None:
    environ = {**HOME, "X": "hunter2", "F": "ftp://hunter2"}
    config = loaded(tmp_path, MINIMAL + line, environ=environ)
    (broken,) = config.broken_channels
    assert (broken.where, said in broken.what) == (
        "notify, item 1" if line.startswith("notify") else "heartbeat",
        True,
    )
    assert "hunter2" not in broken.what + json.dumps(show(config)) + repr(config)
