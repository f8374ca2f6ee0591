"""Requests and what can become of them: refusals, trouble, cuts, pages of HTML, and silence."""

from __future__ import annotations

import gzip
import json
import os
import traceback
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare import transport
from allowsync_backends.cloudflare.client import connect
from allowsync_backends.cloudflare.errors import (
    AMBIGUOUS,
    CloudflareError,
    NoReply,
    NotFound,
    NotPermitted,
    RequestRefused,
    ServerTrouble,
    TokenRefused,
    TooMany,
    UnreadableReply,
    Unsent,
)

from allowsync.config.secrets import Secret
from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    FakeCloudflare,
    OperationFails,
    OrderedFault,
    RateLimited,
    Slow,
    TruncatedReply,
    Unsuccessful,
    Wrong,
    WrongType,
)
from tests.support.cloudflare_client import Answer, Hours, causes, connected
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync_backends.cloudflare.client import CloudflareClient

EMPTY = {"success": True, "errors": [], "messages": [], "result": []}
HTML = b"<!DOCTYPE html><html><body>Attention Required!</body></html>"
SUCCESS = json.dumps(EMPTY).encode()
AGAIN = [0.5, 1.0, 2.0]

BROKEN: list[tuple[OrderedFault, type[CloudflareError], bool]] = [
    # What goes wrong, what it is called, and whether to ask again may help.
    (RateLimited(), TooMany, True),
    (RateLimited("7"), TooMany, True),
    (FailedCall(500), ServerTrouble, True),
    (FailedCall(503), ServerTrouble, True),
    (FailedCall(502, html=True), UnreadableReply, True),
    (FailedCall(520, html=True), UnreadableReply, True),
    (TruncatedReply(), UnreadableReply, True),
    (TruncatedReply(cut=True), NoReply, True),
    (CutConnection(), NoReply, True),
    (CutConnection(applied=True), NoReply, True),
    (Answer(HTML, content_type="text/html"), UnreadableReply, True),
    (Answer(b""), UnreadableReply, True),
    (Answer(b"[" * 100_000), UnreadableReply, True),
    (Answer(b"\xff\xfe"), UnreadableReply, True),
    (Answer(b"9" * 5000), UnreadableReply, True),
    (Answer(b'{"result": []}'), UnreadableReply, True),
    (Answer(b'{"success": "true", "result": []}'), UnreadableReply, True),
    (Answer(SUCCESS, 302, headers=(("Location", "/client/v4/ips"),)), UnreadableReply, False),
    (Answer(HTML, 400), UnreadableReply, False),
    (Answer(HTML, 404), UnreadableReply, False),
    (Answer(HTML, 401), TokenRefused, False),
    (Answer(HTML, 403), NotPermitted, False),
    (Unsuccessful(), RequestRefused, False),
    (Unsuccessful(status=400), RequestRefused, False),
    (Unsuccessful(9109, status=400), TokenRefused, False),
    (Unsuccessful(9109, status=403), TokenRefused, False),
    (Unsuccessful(10000, status=403), NotPermitted, False),
    (Unsuccessful(status=401), TokenRefused, False),
    (Unsuccessful(status=403), NotPermitted, False),
    (Unsuccessful(status=404), NotFound, False),
    (Answer(SUCCESS, 400), RequestRefused, False),
]


def named(value: object) -> str | None:
    return repr(value)[:60] if isinstance(value, OrderedFault) else None


@pytest.mark.parametrize(("fault", "kind", "again"), BROKEN, ids=named)
def test_what_keeps_going_wrong_when_asking_is_an_error_of_its_class(
    fake: FakeCloudflare,
    client: CloudflareClient,
    hours: Hours,
    fault: OrderedFault,
    kind: type[CloudflareError],
    again: bool,
) -> None:
    fake.faults.add(fault, times=None)
    with pytest.raises(CloudflareError) as caught:
        client.lists()
    assert type(caught.value) is kind
    assert bool(hours.slept) == again
    if again and kind is not TooMany:
        assert hours.slept == AGAIN


@pytest.mark.parametrize(
    "fault", [fault for fault, _, again in BROKEN if again], ids=named
)  # fmt: skip
def test_what_goes_wrong_once_when_asking_is_asked_again(
    fake: FakeCloudflare, client: CloudflareClient, fault: OrderedFault
) -> None:
    fake.add_list("friends")
    fake.faults.add(fault)
    assert [one.name for one in client.lists()] == ["friends"]
    assert len(fake.requests) == 2


@pytest.mark.parametrize(("fault", "kind", "again"), BROKEN, ids=named)
def test_a_write_is_sent_again_only_if_nothing_was_changed(
    fake: FakeCloudflare,
    client: CloudflareClient,
    fault: OrderedFault,
    kind: type[CloudflareError],
    again: bool,
) -> None:
    fake.faults.add(fault, times=None)
    with pytest.raises(CloudflareError) as caught:
        client.create("friends")
    assert type(caught.value) is kind
    assert (len(fake.writes) > 1) == (kind is TooMany)
    # What may have been carried out despite the error is of a class that leaves it open.
    assert isinstance(caught.value, AMBIGUOUS) or "friends" not in fake.lists


def test_the_type_that_a_reply_is_called_by_does_not_matter(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    fake.add_list("friends")
    fake.faults.add(WrongType())
    assert len(client.lists()) == 1


@pytest.mark.parametrize(
    ("said", "pauses"),
    [
        (None, [5.0, 10.0, 20.0]),
        ("7", [7.0, 7.0, 7.0]),
        ("0", [0.5, 0.5, 0.5]),
        ("Fri, 01 Jan 1999 00:00:00 GMT", [0.5, 0.5, 0.5]),
        ("-5", [5.0, 10.0, 20.0]),
        ("soon", [5.0, 10.0, 20.0]),
    ],
)
def test_a_refusal_for_now_is_waited_out_as_long_as_it_says(
    fake: FakeCloudflare,
    client: CloudflareClient,
    hours: Hours,
    said: str | None,
    pauses: list[float],
) -> None:
    fake.faults.add(RateLimited(said), times=3)
    client.create("friends")
    assert hours.slept == pauses
    assert "friends" in fake.lists


def test_a_refusal_that_outlasts_the_work_is_not_waited_for(
    fake: FakeCloudflare, client: CloudflareClient, hours: Hours
) -> None:
    fake.faults.add(RateLimited("999999"))
    with pytest.raises(TooMany) as caught:
        client.create("friends")
    assert caught.value.retry_after == 3600.0
    assert (len(fake.requests), hours.slept) == (1, [])


def test_refusals_for_now_end_with_the_patience(fake: FakeCloudflare, hours: Hours) -> None:
    fake.faults.add(RateLimited(), times=None)
    with connected(fake, hours, patience=100) as client, pytest.raises(TooMany):
        client.create("friends")
    assert hours.slept == [5.0, 10.0, 20.0, 40.0]


def test_asking_ends_with_the_patience(fake: FakeCloudflare, hours: Hours) -> None:
    fake.faults.add(FailedCall(500), times=None)
    with connected(fake, hours, patience=1) as client, pytest.raises(ServerTrouble):
        client.lists()
    assert hours.slept == [0.5]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_follows_no_redirect(hours: Hours, status: int) -> None:
    with FakeCloudflare() as elsewhere, FakeCloudflare() as fake:
        where = f"{elsewhere.url}/ips"
        fake.faults.add(Answer(b"", status, headers=(("Location", where),)), times=None)
        with connected(fake, hours) as client:
            with pytest.raises(UnreadableReply, match=f"HTTP {status}"):
                client.lists()
            with pytest.raises(UnreadableReply, match=f"HTTP {status}"):
                client.create("friends")
        assert elsewhere.requests == []
        assert len(fake.requests) == 2


def test_a_body_that_is_too_large_is_not_read_to_its_end(
    fake: FakeCloudflare,
    client: CloudflareClient,
    hours: Hours,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake.faults.add(Wrong({**EMPTY, "messages": ["x" * 100_000]}), on="lists.list", times=None)
    assert client.lists() == ()
    monkeypatch.setattr(transport, "LARGEST_BODY", 50_000)
    with (
        connected(fake, hours) as less,
        pytest.raises(UnreadableReply, match="a body that is too large"),
    ):
        less.lists()


def test_a_small_body_that_unpacks_to_a_large_one_is_too_large(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    packed = gzip.compress(b" " * (transport.LARGEST_BODY + 1))
    assert len(packed) < 20_000
    fake.faults.add(Answer(packed, headers=(("Content-Encoding", "gzip"),)), times=None)
    with pytest.raises(UnreadableReply, match="a body that is too large"):
        client.lists()


def test_a_body_that_cannot_be_unpacked_is_no_reply(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    fake.faults.add(Answer(b"no gzip", headers=(("Content-Encoding", "gzip"),)), times=None)
    with pytest.raises(NoReply):
        client.lists()


def test_a_slow_reply_is_a_reply(fake: FakeCloudflare, client: CloudflareClient) -> None:
    fake.add_list("friends")
    fake.faults.add(Slow(pause=0.01))
    assert len(client.lists()) == 1


def test_a_reply_that_trickles_in_is_given_up(fake: FakeCloudflare) -> None:
    # Each look at the clock finds it a second later: the last pieces come too late.
    hours = Hours(a_look=1.0)
    fake.add_list("friends")
    fake.faults.add(Slow(pause=0.01, parts=40), times=None)
    with connected(fake, hours, patience=1e6) as client, pytest.raises(NoReply, match="in time"):
        client.create("family")
    assert len(fake.requests) == 1


def test_a_reply_that_does_not_begin_is_given_up(
    fake: FakeCloudflare, client: CloudflareClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REPLY_TIMEOUT", 1.0)
    fake.faults.add(Slow(pause=3.0, parts=1))
    with pytest.raises(NoReply, match="it was not received in time"):
        client.create("friends")
    assert len(fake.requests) == 1


def test_where_nobody_listens_nothing_was_sent_and_it_is_tried_again(hours: Hours) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    with connect(url, Secret("x"), "0" * 32, clock=hours.clock) as client, pytest.raises(Unsent):
        client.create("friends")
    assert hours.slept == AGAIN


def test_where_nothing_is_heard_for_long_it_is_not_tried_again() -> None:
    """Each look at the clock finds it two seconds later, as where each attempt takes its time."""
    hours = Hours(a_look=2.0)
    url = f"http://127.0.0.1:{unused_port()}"
    with connect(url, Secret("x"), "0" * 32, clock=hours.clock) as client, pytest.raises(Unsent):
        client.lists()
    assert 0 < len(hours.slept) < len(AGAIN)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "https://a..invalid",
        f"https://{'a' * 70}.invalid",
        "https://ä..invalid",
        "https://[bad",
        "https://a\x7f.invalid",
    ],
)
def test_a_url_that_cannot_be_one_is_an_error_of_ours(hours: Hours, url: str) -> None:
    with (
        pytest.raises(Unsent, match="no connection to the API"),
        connect(url, Secret("x"), "0" * 32, clock=hours.clock) as client,
    ):
        client.lists()


def test_text_that_cannot_be_sent_was_not_sent(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    with pytest.raises(Unsent):
        client.create("friends", "half a character: \ud800")
    assert fake.requests == []


def test_what_is_sent_names_us_and_what_we_take(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    client.create("friends")
    (request,) = fake.requests
    assert request.headers["user-agent"].startswith("allowsync/")
    assert request.headers["accept"] == "application/json"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer hidden"


def test_a_slash_at_the_end_of_the_url_changes_nothing(fake: FakeCloudflare, hours: Hours) -> None:
    token = Secret(fake.token)
    with connect(f"{fake.url}/", token, fake.account, clock=hours.clock) as client:
        assert client.lists() == ()


def test_without_a_token_none_is_sent(fake: FakeCloudflare, hours: Hours) -> None:
    with connect(fake.url, None, fake.account, clock=hours.clock) as client:
        client.published_ranges()
    assert all("authorization" not in one.headers for one in fake.requests)


def test_nothing_of_the_environment_is_heeded(
    fake: FakeCloudflare, hours: Hours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
        monkeypatch.setenv(name.upper(), nowhere)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("API_TOKEN", "API_KEY", "EMAIL", "BASE_URL", "ACCOUNT_ID"):
        monkeypatch.setenv(f"CLOUDFLARE_{name}", nowhere)
    with connected(fake, hours) as client:
        client.create("friends")
    with connect(fake.url, None, fake.account, clock=hours.clock) as client:
        client.published_ranges()
    assert [one.status for one in fake.requests] == [200, 200]
    assert fake.requests[0].headers["authorization"] == "Bearer hidden"
    assert "authorization" not in fake.requests[1].headers
    assert not {name for one in fake.requests for name in one.headers} & {"x-auth-key", "cookie"}


PLANTED = "planted-token-0123456789-abcdefghijklmno"
ECHO = Unsuccessful(message=f"\x1b[2J{PLANTED[:5]}\r\n\x9b31m\u202e", status=400)


@pytest.mark.parametrize(
    "fault", [*(fault for fault, *_ in BROKEN), OperationFails("\x1b]0;x\x07"), ECHO], ids=named
)
def test_no_error_holds_the_token_or_acts_on_a_terminal(
    fake: FakeCloudflare, hours: Hours, fault: OrderedFault
) -> None:
    fake.tokens[PLANTED] = fake.tokens[fake.token]
    friends = fake.add_list("friends", ["203.0.113.9"])
    mine = next(iter(fake.lists["friends"].items.values())).id
    fake.faults.add(fault, times=None)
    with connected(fake, hours, token=PLANTED) as client, pytest.raises(CloudflareError) as caught:
        client.remove(friends, [mine])
    for error in causes(caught.value):
        assert PLANTED not in f"{error} {error!r} {error.args!r} {vars(error)!r}"
    assert PLANTED not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "é", "\x00", "tab\t", "\ud800"])
def test_a_token_that_none_can_be_is_never_sent(
    fake: FakeCloudflare, hours: Hours, token: str
) -> None:
    with (
        connected(fake, hours, token=token) as client,
        pytest.raises(Unsent, match="the API token holds characters that no token has") as caught,
    ):
        client.lists()
    assert fake.requests == []
    assert not token or all(token not in str(error) for error in causes(caught.value))


def test_a_client_shows_no_token(fake: FakeCloudflare, client: CloudflareClient) -> None:
    shown = (
        f"{client!r} {client.transport!r} {vars(client.transport)!r} {client.transport.budget!r}"
    )
    assert fake.token not in shown
    assert fake.token not in os.environ.values()
