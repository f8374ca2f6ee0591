"""What a run looks at."""

from __future__ import annotations

import pytest

from allowsync.engine.options import Request


@pytest.mark.parametrize(
    ("only", "targets", "allowlists"),
    [
        ((), {"web/nftables", "web/file", "web2/file"}, {"web", "web2"}),
        (("web",), {"web/nftables", "web/file"}, {"web"}),
        (("web/file",), {"web/file"}, {"web"}),
        (("web/file", "web2"), {"web/file", "web2/file"}, {"web", "web2"}),
        (("web/fil", "file"), set(), {"web"}),
        (("web2/file",), {"web2/file"}, {"web2"}),
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


def test_nothing_is_asked_for_unasked() -> None:
    special = (
        *(Request(("web",)), Request(force=True), Request(offline=True)),
        *(Request(dry_run=True), Request(confirming=True)),
    )
    asked = {(one.force, one.offline, one.dry_run, one.confirming) for one in special}
    assert len(asked) == 5
    assert not any(one == Request() for one in special)


def test_who_forces_or_is_there_to_confirm_insists() -> None:
    assert Request(force=True).insists
    assert Request(confirming=True).insists
    assert not Request(offline=True).insists
