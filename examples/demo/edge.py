"""Cloudflare, as far as the demo needs one: allowsync's own stand-in, on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from people import ALLOWLIST

from testkit.fake_cloudflare import FakeCloudflare, OperationDelay

if TYPE_CHECKING:
    from pathlib import Path

TOKEN: Final = "cloudflare.token"


@dataclass(frozen=True, slots=True)
class Edge:
    """An account with an empty list, and the token for it in a file.

    Attributes:
        cloud: What serves the API, once it is entered.
    """

    cloud: FakeCloudflare

    @property
    def target(self) -> str:
        """The list as a target, as the configuration says it."""
        account, url = self.cloud.account, self.cloud.url
        options = f"account_id: {account}, list: {ALLOWLIST}, api_token_file: {TOKEN}"
        return f"cloudflare: {{{options}, api_url: '{url}'}}"

    @property
    def target_name(self) -> str:
        """The list as allowsync calls it."""
        return f"{ALLOWLIST}/cloudflare"

    @property
    def held(self) -> list[str]:
        """What is in the list, sorted; nothing where there is no list."""
        return sorted(self.cloud.items(ALLOWLIST)) if ALLOWLIST in self.cloud.lists else []


def edge(folder: Path) -> Edge:
    """A Cloudflare that listens where this is called."""
    cloud = FakeCloudflare(delay=OperationDelay(polls=0))
    token = folder / TOKEN
    token.touch(mode=0o600)
    token.write_text(f"{cloud.token}\n")
    return Edge(cloud)
