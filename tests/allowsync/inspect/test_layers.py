"""What `check` finds where the layers of a configuration do not fit each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from allowsync.config import load
from allowsync.inspect.layers import about_layers

if TYPE_CHECKING:
    from pathlib import Path

EDGE = "hosts: {alice: alice.example.org, edge: {networks: [cloudflare]}}\n"
ONLY_EDGE = "hosts: {edge: {networks: [cloudflare]}}\n"
FILE = "targets: [{file: {path: /run/friends.lst}}]"


def found(tmp_path: Path, text: str) -> list[str]:
    """What is found in a configuration, which is read twice: the second time as it was kept."""
    path = tmp_path / "config.yaml"
    path.write_text(f"{text}\nstate: {tmp_path / 'state.db'}\n")
    path.chmod(0o600)
    configs = [load(path, environ={}, uid=os.geteuid(), keep=True) for _ in range(2)]
    first, again = ([str(one) for one in about_layers(config)] for config in configs)
    assert first == again
    return first


def test_a_cdn_among_the_friends_of_an_allowlist_of_every_host_is_found(tmp_path: Path) -> None:
    (said,) = found(tmp_path, EDGE + f"allowlists: {{jellyfin: {{{FILE}}}}}")
    assert said == (
        "allowlists.jellyfin: names no hosts, so edge is on it, too: everyone who comes through "
        "the published networks of cloudflare gets in; "
        "name its hosts, and edge in an allowlist of its own"
    )


@pytest.mark.parametrize(
    ("hosts", "members"),
    [
        (EDGE, "hosts: [alice], "),
        (EDGE, "hosts: [edge], "),
        (EDGE, "hosts: [alice, edge], "),
        (ONLY_EDGE, ""),
    ],
)
def test_an_allowlist_that_names_a_cdn_or_has_nothing_else_is_right(
    tmp_path: Path, hosts: str, members: str
) -> None:
    assert found(tmp_path, hosts + f"allowlists: {{jellyfin: {{{members}{FILE}}}}}") == []
