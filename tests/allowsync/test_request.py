"""What a run looks at."""

from __future__ import annotations

import pytest

from allowsync.request import Request


@pytest.mark.parametrize(
    ("only", "targets", "allowlists"),
    [
        ((), {"web/nftables", "web/file", "web2/file"}, {"web", "web2"}),
        (("web",), {"web/nftables", "web/file"}, {"web"}),
        (("web/file",), {"web/file"}, {"web"}),
        (("web/file", "web2"), {"web/file", "web2/file"}, {"web", "web2"}),
        (("web/fil", "file"), set(), {"web"}),
    ],
)
def test_an_allowlist_or_a_single_target_may_be_asked_for(
    only: tuple[str, ...], targets: set[str], allowlists: set[str]
) -> None:
    request = Request(only)
    every = {"web": ("web/nftables", "web/file"), "web2": ("web2/file",)}
    covered = {one for name, own in every.items() for one in own if request.covers(name, one)}
    assert covered == targets
    assert {name for name in every if request.covers(name)} == allowlists
