"""Holds what passed through the fake Cloudflare to a description of the API that is not the fake's.

The description is `tests/backends/cloudflare/openapi.yaml`; openapi-core compares.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testkit.fake_cloudflare import FakeCloudflare, LoggedRequest

DESCRIPTION: Final = Path(__file__).parents[1] / "backends" / "cloudflare" / "openapi.yaml"

# An identifier, a time, the port of a fake: what is alike but for these is compared once.
_DIFFERS: Final = re.compile(
    r"\b[0-9a-f]{32}\b|\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|127\.0\.0\.1:\d+"
)
_known: dict[str, list[str]] = {}


@cache
def description() -> dict[str, Any]:
    """The description as a document."""
    loaded: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
    return loaded


@cache
def _api() -> OpenAPI:
    return OpenAPI.from_dict(description())


def objection_to_request(request: LoggedRequest) -> str:
    """What the description has against a request, or nothing."""
    return _objection(lambda: _api().validate_request(_asked(request)))


def objection_to_answer(request: LoggedRequest) -> str:
    """What the description has against its answer, or nothing."""
    answered = MockResponse(
        request.answer,
        status_code=request.status or 0,
        headers=request.answer_headers,
        content_type=request.content_type,
    )
    return _objection(lambda: _api().validate_response(_asked(request), answered))


def hold_to_the_description(fake: FakeCloudflare) -> None:
    """Assert that a client asked only what the API knows, and was answered as the API answers.

    An answer that was meant to be broken (`Truncated`, `WrongType`, a page of HTML) is let pass.
    """
    assert not objections(fake.requests)


def objections(requests: Iterable[LoggedRequest]) -> list[str]:
    """What there is against these requests and their answers."""
    found = []
    for request in requests:
        said = _said_of(request)
        found += [f"{request}: {one}" for one in said]
    return found


def _said_of(request: LoggedRequest) -> list[str]:
    """The same of requests that differ in nothing but identifiers and times: comparing is slow."""
    parts = (
        *(request.method, request.path, request.query, request.headers, request.body),
        *(request.status, request.content_type, request.answer_headers, request.answer),
        documented(request),
    )
    alike = _DIFFERS.sub("0", repr(parts))
    if alike not in _known:
        said = [objection_to_request(request)]
        if documented(request) and (answer := objection_to_answer(request)):
            said.append(f"answer: {answer}")
        _known[alike] = [one for one in said if one]
    return _known[alike]


def documented(request: LoggedRequest) -> bool:
    """Whether the answer is one that the description can say something of."""
    if request.status is None or not request.content_type.startswith("application/json"):
        return False
    if request.fault is None:
        return True
    # 200 with "success": false is documented nowhere, and happens.
    return request.fault.proper


def _asked(request: LoggedRequest) -> MockRequest:
    return MockRequest(
        "http://api.example",
        request.method.lower(),
        request.path,
        args=dict(request.query),
        headers=dict(request.headers),
        data=request.body or None,
        content_type=request.headers.get("content-type", ""),
    )


def _objection(validate: Any) -> str:
    try:
        validate()
    except OpenAPIError as error:
        cause = error.__cause__
        details = [str(each).splitlines()[0] for each in getattr(cause, "schema_errors", ())]
        return " ".join([str(error), *([str(cause)] if cause else []), *details])
    return ""
