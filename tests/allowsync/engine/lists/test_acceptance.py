"""Whether what a list says takes the place of what is in force, for hosts and for others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.engine.lists.acceptance import accepted, refused
from allowsync.engine.lists.in_force import complaint
from allowsync.model.list_source import ListFormat, ListSource
from allowsync.model.value import replace
from allowsync.policy.list_formats import read_list_content
from allowsync.state.lists import KeptList, identity
from tests.support.values import T0

SOURCE = ListSource(url="https://lists.example.net/office.txt")
HOUR = timedelta(hours=1)
NEVER = KeptList("office", T0)


def said(before: KeptList, *networks: str, grants: bool = True, force: bool = False) -> KeptList:
    content = read_list_content("\n".join(networks).encode(), ListFormat.TEXT, None)
    return accepted(content, SOURCE, before, T0 + HOUR, grants=grants, force=force)


KNOWN = said(NEVER, "81.2.70.0/24", "81.2.72.1")

UNFIT = {
    "loopback": ("127.0.0.1", "no packet can come"),
    "multicast": ("224.1.0.0/24", "no packet can come"),
    "too wide": ("81.0.0.0/12", "/16 is the widest"),
    "too wide for IPv6": ("2a00::/32", "/48 is the widest"),
    "all behind NAT64": ("64:ff9b::/96", "behind NAT64"),
    "mapped": ("::ffff:81.2.70.1", "mapped into IPv6"),
}


@pytest.mark.parametrize("written", UNFIT.values(), ids=UNFIT)
def test_hosts_have_nothing_that_networks_could_not_name(written: tuple[str, str]) -> None:
    network, why = written
    found = said(KNOWN, "81.2.70.0/24", network)
    assert why in found.trouble
    assert found.networks() == KNOWN.networks()
    others = said(KNOWN, "81.2.70.0/24", network, grants=False)
    assert others.trouble == ""
    assert others.networks() != KNOWN.networks()
    assert why in complaint(SOURCE, others, T0, grants=True)
    assert complaint(SOURCE, others, T0, grants=False) == ""


def test_what_is_believed_is_in_force() -> None:
    assert (KNOWN.count, KNOWN.fetched, KNOWN.trouble) == (2, T0 + HOUR, "")
    assert KNOWN.is_known
    assert complaint(SOURCE, KNOWN, T0 + 30 * HOUR, grants=True) == ""


def test_a_list_from_elsewhere_is_not_compared() -> None:
    elsewhere = replace(KNOWN, source=identity(ListSource(url="https://elsewhere.example.net")))
    many = [f"81.3.{one}.0/25" for one in range(20)]
    assert "more than 3 times" in said(KNOWN, *many).trouble
    assert said(elsewhere, *many).count == 20


def test_what_is_refused_leaves_what_was_in_force() -> None:
    found = refused(refused(KNOWN, "no answer", T0, SOURCE), "no\nanswer", T0, SOURCE)
    assert (found.failures, found.fetched, found.count) == (2, KNOWN.fetched, 2)
    assert "\n" not in found.trouble
    assert not refused(NEVER, "no answer", T0, SOURCE).is_known


def test_a_list_that_does_not_come_is_told_once_it_is_old() -> None:
    silent = refused(KNOWN, "no answer", T0, SOURCE)
    assert complaint(SOURCE, silent, T0 + 36 * HOUR, grants=True) == ""
    told = complaint(SOURCE, silent, T0 + 38 * HOUR, grants=True)
    assert told.startswith("no version newer than ")
    assert told.endswith("its 2 networks stay: no answer")
    assert "not fetched yet" in complaint(SOURCE, NEVER, T0, grants=True)
