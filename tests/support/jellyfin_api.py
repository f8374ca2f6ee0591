"""Holds what passed through the fake Jellyfin to a description of the API that is not the fake's.

The description is `tests/backends/jellyfin/openapi.yaml`; openapi-core compares.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testkit.fake_jellyfin import FakeJellyfin, LoggedCall

DESCRIPTION: Final = Path(__file__).parents[1] / "backends" / "jellyfin" / "openapi.yaml"


@cache
def description() -> dict[str, Any]:
    """The description as a document."""
    loaded: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
    return loaded


@cache
def _api() -> OpenAPI:
    return OpenAPI.from_dict(description())


def objections(fake: FakeJellyfin) -> list[str]:
    """What the description has against what passed through a fake, but for ordered faults."""
    found = []
    for call in _different(fake.calls):
        if call.status != 404:
            found += _objections_to_request(fake, call)
        if call.fault is None and call.status:
            found += _objections_to_answer(fake, call)
    return found


def _different(calls: Iterable[LoggedCall]) -> Iterator[LoggedCall]:
    """One of those that are alike: comparing is slow."""
    seen = set()
    for call in calls:
        alike = repr(call)
        if alike not in seen:
            seen.add(alike)
            yield call


def _objections_to_request(fake: FakeJellyfin, call: LoggedCall) -> list[str]:
    if call.status in (400, 401, 415):
        return []
    try:
        _api().validate_request(_asked(fake, call))
    except OpenAPIError as error:
        return [f"{call.method} {call.path}: {error} {error.__cause__ or ''}"]
    return []


def _objections_to_answer(fake: FakeJellyfin, call: LoggedCall) -> list[str]:
    answered = MockResponse(
        call.answer, status_code=call.status, content_type=call.answer_type.partition(";")[0]
    )
    try:
        _api().validate_response(_asked(fake, call), answered)
    except OpenAPIError as error:
        return [f"{call.method} {call.path} {call.status}: {error} {error.__cause__ or ''}"]
    return []


def _asked(fake: FakeJellyfin, call: LoggedCall) -> MockRequest:
    return MockRequest(
        "http://127.0.0.1:8096",
        call.method.lower(),
        call.path.removeprefix(fake.base),
        headers={"Authorization": "MediaBrowser"},
        data=call.body or None,
        content_type=call.content_type.partition(";")[0] or "application/json",
    )
