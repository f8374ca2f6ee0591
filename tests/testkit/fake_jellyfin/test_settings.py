"""The fake Jellyfin is as strict as the server, and has a description of its own."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import openapi_spec_validator
import pytest

from testkit.fake_jellyfin import FakeJellyfin, JellyfinFault
from tests.support.jellyfin_api import description, objections

if TYPE_CHECKING:
    from collections.abc import Iterator

NETWORK = "/System/Configuration/network"


@pytest.fixture
def fake() -> Iterator[FakeJellyfin]:
    with FakeJellyfin() as serving:
        yield serving


def ask(fake: FakeJellyfin, method: str, path: str, body: Any = None, **headers: str) -> int:
    """The status of an answer."""
    sent = {
        "Authorization": f'MediaBrowser Client="x", Token="{fake.key}"',
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    connection = HTTPConnection(fake.url.removeprefix("http://"))
    try:
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_description_is_a_valid_document() -> None:
    openapi_spec_validator.validate(description())


def test_what_it_does_not_know_is_lost_and_what_lacks_is_as_new(fake: FakeJellyfin) -> None:
    fake.store(BaseUrl="/media", KnownProxies=["10.0.0.1"])
    assert ask(fake, "POST", NETWORK, {"KnownProxies": ["10.0.0.2"], "Later": 1}) == 204
    assert fake.settings["KnownProxies"] == ["10.0.0.2"]
    assert fake.settings["BaseUrl"] == ""
    assert "Later" not in fake.settings
    assert objections(fake) != [], "the description asks for the whole document"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"KnownProxies": "10.0.0.1"},
        {"KnownProxies": [1]},
        {"EnableRemoteAccess": "yes"},
        {"EnableRemoteAccess": 1},
        {"PublicHttpPort": True},
    ],
)
def test_what_is_no_document_is_refused(fake: FakeJellyfin, body: Any) -> None:
    before = dict(fake.settings)
    assert ask(fake, "POST", NETWORK, body) == 400
    assert fake.settings == before
    assert objections(fake) == []


def test_a_body_of_another_type_is_refused(fake: FakeJellyfin) -> None:
    assert ask(fake, "POST", NETWORK, fake.settings, Content_Type="text/plain") == 415


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "authorization", ["", "Bearer {}", 'MediaBrowser Token="x{}"', "MediaBrowser {}"]
)
def test_without_a_key_nothing_is_told(fake: FakeJellyfin, method: str, authorization: str) -> None:
    header = authorization.format(fake.key)
    assert ask(fake, method, NETWORK, fake.settings, Authorization=header) == 401
    assert ask(fake, "GET", "/System/Info/Public", Authorization=header) == 200


def test_a_user_reads_and_does_not_write(fake: FakeJellyfin) -> None:
    header = f'MediaBrowser Token="{fake.user_token}"'
    assert ask(fake, "GET", NETWORK, Authorization=header) == 200
    assert ask(fake, "POST", NETWORK, fake.settings, Authorization=header) == 403
    assert ask(fake, "POST", "/System/Restart", Authorization=header) == 403


def test_whom_the_filter_shuts_out_gets_no_answer_of_the_api(fake: FakeJellyfin) -> None:
    fake.store(RemoteIPFilter=["203.0.113.7"])
    fake.peer = "203.0.113.8"
    assert ask(fake, "GET", NETWORK) == 503
    fake.peer = "203.0.113.7"
    assert ask(fake, "GET", NETWORK) == 200
    assert objections(fake) == []


def test_an_emptied_filter_stays_in_force_until_the_next_start(fake: FakeJellyfin) -> None:
    fake.store(RemoteIPFilter=["203.0.113.7"])
    fake.store(RemoteIPFilter=[])
    assert not fake.lets_in("203.0.113.8")
    fake.boot()
    assert fake.lets_in("203.0.113.8")


def test_a_restart_takes_a_while(fake: FakeJellyfin) -> None:
    fake.store(KnownProxies=["10.0.0.1"])
    assert not fake.rules.forwarding
    assert ask(fake, "POST", "/System/Restart") == 204
    for _ in range(fake.slow_starts):
        with pytest.raises(ConnectionError):
            ask(fake, "GET", "/System/Info/Public")
    assert ask(fake, "GET", "/System/Info/Public") == 200
    assert fake.rules.forwarding


@pytest.mark.parametrize("fault", list(JellyfinFault))
def test_a_fault_is_of_one_request_and_does_what_it_says(
    fake: FakeJellyfin, fault: JellyfinFault
) -> None:
    fake.faults["POST"] = [fault]
    try:
        status = ask(fake, "POST", NETWORK, {**fake.settings, "BaseUrl": "/media"})
    except ConnectionError:
        status = 0
    assert status in (0, 200, 302, 500, 502, 503)
    assert (fake.settings["BaseUrl"] == "/media") is fault.done
    assert ask(fake, "POST", NETWORK, fake.settings) == 204
