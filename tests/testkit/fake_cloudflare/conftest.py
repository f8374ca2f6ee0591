"""A fake that may be asked wrong things: only what it accepted, and its answers, are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FakeCloudflare
from tests.support.cloudflare_api import (
    documented,
    objection_to_answer,
    objection_to_request,
)
from tests.support.cloudflare_asking import FakeRequests

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    with FakeCloudflare() as serving:
        yield serving
        for request in serving.requests:
            if request.name and documented(request):
                assert not objection_to_answer(request), request
            if request.name and request.accepted and documented(request):
                assert not objection_to_request(request), request


@pytest.fixture
def ask(fake: FakeCloudflare) -> FakeRequests:
    return FakeRequests(fake)
