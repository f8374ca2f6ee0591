"""A Cloudflare on loopback, and the promise that nothing but its API was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FakeCloudflare
from tests.support.cloudflare_api import hold_to_the_description
from tests.support.cloudflare_client import Hours, connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync_backends.cloudflare.client import CloudflareClient


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    """At the end, everything that passed through it is held to the description of the API."""
    with FakeCloudflare() as serving:
        yield serving
        hold_to_the_description(serving)


@pytest.fixture
def hours() -> Hours:
    """Time for the client to go by."""
    return Hours()


@pytest.fixture
def client(fake: FakeCloudflare, hours: Hours) -> Iterator[CloudflareClient]:
    """A client of the fake's account. It waits without any time passing."""
    with connected(fake, hours) as ours:
        yield ours
