"""The description of the API is one, knows the routes of the fake, and objects where it should."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import openapi_spec_validator
import pytest

from testkit.fake_cloudflare import TruncatedReply, WrongType
from testkit.fake_cloudflare.routes import ROUTES
from tests.support.cloudflare_api import (
    description,
    hold_to_the_description,
    objection_to_answer,
    objection_to_request,
    objections,
)

if TYPE_CHECKING:
    from testkit.fake_cloudflare import FakeCloudflare, LoggedRequest
    from tests.support.cloudflare_asking import FakeRequests


def test_it_is_a_valid_document() -> None:
    openapi_spec_validator.validate(description())


def test_it_describes_every_route_of_the_fake_and_no_other() -> None:
    described = {
        operation["operationId"]: (method.upper(), path.count("{"))
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    assert described == {route.name: (route.method, route.template.count("{")) for route in ROUTES}


WRONG: list[tuple[str, str, Any]] = [
    ("POST", "", {"name": "No", "kind": "ip"}),
    ("POST", "", {"name": "friends"}),
    ("POST", "", {"name": "friends", "kind": "ip", "colour": "red"}),
    ("POST", "/{list}/items", {"ip": "203.0.113.7"}),
    ("POST", "/{list}/items", []),
    ("POST", "/{list}/items", [{"ip": "203.0.113.7/7"}]),
    ("POST", "/{list}/items", [{"ip": "2001:db8::/11"}]),
    ("POST", "/{list}/items", [{"ip": "alice.example.org"}]),
    ("PUT", "/{list}/items", [{"ip": "203.0.113.7", "comment": "x" * 501}]),
    ("DELETE", "/{list}/items", {"items": []}),
    ("DELETE", "/{list}/items", ["0" * 32]),
    ("GET", "/{list}/items?per_page=501", None),
    ("GET", "/{list}/items?per_page=0", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRONG)
def test_it_refuses_what_the_fake_refuses(
    fake: FakeCloudflare, ask: FakeRequests, method: str, path: str, body: Any
) -> None:
    identifier = fake.add_list("friends")
    assert ask(method, ask.lists + path.replace("{list}", identifier), body).status == 400
    (request,) = fake.requests
    assert objection_to_request(request)
    with pytest.raises(AssertionError):
        hold_to_the_description(fake)


def test_it_misses_credentials(fake: FakeCloudflare, ask: FakeRequests) -> None:
    ask("GET", ask.lists, Authorization="")
    assert objection_to_request(fake.requests[0])


def test_it_knows_no_other_paths(fake: FakeCloudflare, ask: FakeRequests) -> None:
    ask("GET", "/user/tokens/verify")
    assert objections(fake.requests)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_items", "1"),
        ("num_items", -1),
        ("id", "friends"),
        ("created_on", "yesterday"),
        ("kind", "ipv4"),
        ("colour", "red"),
        ("name", None),
    ],
)
def test_it_objects_to_an_answer_the_api_does_not_give(
    fake: FakeCloudflare, ask: FakeRequests, key: str, value: object
) -> None:
    fake.add_list("friends")
    ask("GET", ask.lists)
    (request,) = fake.requests
    assert not objection_to_answer(request)
    told = json.loads(request.answer)
    told["result"][0][key] = value
    assert objection_to_answer(_answering(request, told))


@pytest.mark.parametrize(
    "told",
    [
        {"success": False, "errors": [], "messages": [], "result": None},
        {"success": True, "errors": [], "messages": []},
        {"result": []},
        [],
    ],
)
def test_it_objects_to_an_envelope_that_is_none(
    fake: FakeCloudflare, ask: FakeRequests, told: object
) -> None:
    ask("GET", ask.lists)
    assert objection_to_answer(_answering(fake.requests[0], told))


def test_a_broken_answer_is_let_pass_where_it_was_ordered(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.faults.add(TruncatedReply())
    fake.faults.add(WrongType())
    ask("GET", ask.lists)
    ask("GET", ask.lists)
    assert objections(fake.requests) == []
    fake.requests[0].fault = None
    assert objections(fake.requests)
    fake.requests[0].fault = TruncatedReply()


def _answering(request: LoggedRequest, told: object) -> LoggedRequest:
    return dataclasses.replace(request, answer=json.dumps(told).encode())
