"""What has to be so after days in which nothing was amiss: friends are in, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.policy.screening import network_of
from tests.model.answers import addresses, covered, quorum
from tests.model.installation import Dns

if TYPE_CHECKING:
    from tests.model.installation import Installation
    from tests.model.promises import Account


def check_quiet(account: Account, at: Installation) -> None:
    """Check that firewalls let in what answers give, and nothing beside it."""
    for name, store in at.stores.items():
        wanted = set()
        for host in account.live(at, name):
            wanted |= set(host.networks)
            for query in host.queries:
                wanted |= {network_of(one, host) for one in quorum(at, query)}
        beyond = {one for one in store.networks if not covered(one, wanted)}
        assert not beyond, f"{name} lets in {beyond} for good"
    for hostname in at.labels:
        if hostname not in account.doubted:
            check_let_in(account, at, hostname)


def check_let_in(account: Account, at: Installation, hostname: str) -> None:
    """Check that what a hostname gives is let in wherever its host is listed."""
    for name, store in at.stores.items():
        for host in account.live(at, name):
            for query in (one for one in host.queries if one.hostname == hostname):
                first = addresses(Dns(at.zones).first(query))
                given = {network_of(one, host) for one in quorum(at, query).intersection(first)}
                out = {one for one in given - at.pages if not covered(one, store.networks)}
                assert not out, f"{name} does not let in {out}, which {hostname} gives"
