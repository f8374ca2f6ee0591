"""Telling real servers through the real Apprise: over HTTP and SMTP, and when nobody listens."""

from __future__ import annotations

import json
import sys
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller

from allowsync.config.channels import NotifyChannel
from allowsync.config.secrets import Secret
from allowsync.notify.apprise_client import Sent, send
from allowsync.notify.outbox import Message
from tests.support.listener import PortListener
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGE = Message(
    "allowsync on box: 2 notices", "alice: moved\n<b>web</b> & *file*: {boom}", "warning"
)
LOOK = Message("", "", "info")
NOWHERE = "json://127.0.0.1:9/"


def channel(url: str) -> NotifyChannel:
    return NotifyChannel(url=Secret(url))


@pytest.fixture
def listener() -> Iterator[PortListener]:
    with PortListener() as listener:
        yield listener


def test_each_channel_gets_the_message_as_it_stands(listener: PortListener) -> None:
    urls = (f"json://u:p@{listener.place}/json", f"form://{listener.place}/form")
    assert send([(channel(url), MESSAGE) for url in urls]) == [Sent.TOLD, Sent.TOLD]
    heard = {one.path.rstrip("/"): one.body for one in listener.heard}
    told = json.loads(heard["/json"])
    assert Message(told["title"], told["message"], told["type"]) == MESSAGE
    assert parse_qs(heard["/form"])["message"] == [MESSAGE.body]


class Inbox:
    """Takes every mail."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope.content)
        return "250 OK"


def test_a_mail_arrives() -> None:
    inbox = Inbox()
    port = unused_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}/?from=fw@example.org&to=admin@example.org"
        assert send([(channel(url), MESSAGE)]) == [Sent.TOLD]
    finally:
        controller.stop()
    (mail,) = (message_from_bytes(one, policy=policy.default) for one in inbox.mails)
    assert mail["Subject"] == MESSAGE.title
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "alice: moved" in body.get_content()


def test_who_cannot_be_reached_hinders_nobody_else(listener: PortListener) -> None:
    urls = (NOWHERE, "tgram://x", "nosuch://x", f"json://{listener.place}/")
    assert send([(channel(url), MESSAGE) for url in urls]) == [
        Sent.FAILED, Sent.UNFIT, Sent.UNFIT, Sent.TOLD,
    ]  # fmt: skip
    assert len(listener.heard) == 1


def test_a_server_that_refuses_was_not_told(listener: PortListener) -> None:
    listener.status = 500
    assert send([(channel(f"json://{listener.place}/"), MESSAGE)]) == [Sent.FAILED]


def test_a_server_that_hangs_is_left_behind(listener: PortListener) -> None:
    with PortListener(silent=True) as silent:
        urls = (f"json://{silent.place}/?rto=60", f"json://{listener.place}/")
        sent = send([(channel(url), MESSAGE) for url in urls], seconds=8.0)
        assert sent == [Sent.FAILED, Sent.TOLD]


def test_looking_at_a_url_sends_nothing(listener: PortListener) -> None:
    urls = (f"json://{listener.place}/", "nosuch://x")
    assert send([(channel(url), LOOK) for url in urls]) == [Sent.TOLD, Sent.UNFIT]
    assert listener.heard == []


def interpreter(folder: Path, script: str) -> str:
    """A program that is started instead of Python."""
    place = folder / "python"
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return str(place)


def test_without_apprise_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = (
        "import sys; sys.modules['apprise'] = None; "
        "from allowsync.notify.apprise_worker import main; main()"
    )
    script = f'exec {sys.executable} -c "{without}"'
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, script))
    assert send([(channel(NOWHERE), MESSAGE)]) == [Sent.MISSING]


def test_what_a_plug_in_prints_is_no_answer(
    listener: PortListener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = (
        "import apprise, os; notify = apprise.Apprise.notify; "
        "apprise.Apprise.notify = lambda *a, **k: (os.write(1, b'[]'), notify(*a, **k))[1]; "
        "from allowsync.notify.apprise_worker import main; main()"
    )
    script = f'exec {sys.executable} -c "{noisy}"'
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, script))
    assert send([(channel(f"json://{listener.place}/"), MESSAGE)]) == [Sent.TOLD]


@pytest.mark.parametrize("script", ["exit 1", "echo '[\"what\"]'", "kill -9 $$", "echo"])
def test_a_process_that_breaks_told_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, script))
    assert send([(channel(NOWHERE), MESSAGE)]) == [Sent.FAILED]


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, "sleep 100"))
    monkeypatch.setattr("allowsync.notify.apprise_client.STARTING", 0.3)
    assert send([(channel(NOWHERE), MESSAGE)], seconds=0.2) == [Sent.FAILED]
