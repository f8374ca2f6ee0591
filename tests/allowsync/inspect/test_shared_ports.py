"""What `check` says of ports that several allowlists guard, before anything was ever applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.inspect.shared_ports import about_shared_ports
from tests.support.configuring import HOSTS, loaded

if TYPE_CHECKING:
    from pathlib import Path


def found(folder: Path, first: str, second: str) -> list[tuple[str, str]]:
    """Where and what, of an allowlist of alice and one of other hosts."""
    text = (
        f"{HOSTS}  bob: bob.example.org\nallowlists:\n"
        f"  web: {{hosts: [alice], targets: [{{{first}}}]}}\n  media: {second}\n"
    )
    return [(one.where, one.finding.what) for one in about_shared_ports(loaded(folder, text))]


GATE = "nftables: {ports: [8096/tcp]}"
WITH_ALICE = "{{hosts: [alice, bob], targets: [{{{}}}]}}"
BOB = "{{hosts: [bob], targets: [{{{}}}]}}"


@pytest.mark.parametrize(
    ("first", "second", "ports", "who"),
    [
        (GATE, BOB.format("nftables: {ports: [8090-8099/tcp]}"), "8096/tcp", "no host can"),
        (GATE, BOB.format("ipset: {ports: [8096/tcp]}"), "8096/tcp", "no host can"),
        (GATE, WITH_ALICE.format("ipset: {ports: [8096/tcp]}"), "8096/tcp", "only alice can"),
        ("ufw: {ports: [8096/tcp]}", BOB.format(GATE), "8096/tcp", "no host can"),
        (
            "nftables: {ports: [1-9/udp]}",
            BOB.format("nftables: {ports: [5-20/udp]}"),
            "5-9/udp",
            "no host can",
        ),
    ],
)
def test_two_gates_with_other_hosts_on_one_port_are_named(
    tmp_path: Path, first: str, second: str, ports: str, who: str
) -> None:
    ((where, what),) = found(tmp_path, first, second)
    assert where.startswith("web/")
    assert what.startswith(f"{ports} is guarded by media/")
    assert what.endswith(f"a packet has to pass both, and {who}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (GATE, BOB.format("nftables: {ports: [8097-8099/tcp]}")),
        (GATE, BOB.format("nftables: {ports: [8096/udp]}")),
        (GATE, "{hosts: [alice], targets: [ipset: {ports: [8096/tcp]}]}"),
        ("ufw: {ports: [8096/tcp]}", BOB.format("ufw: {ports: [8096/tcp]}")),
        (GATE, BOB.format("file: {path: /srv/friends.txt}")),
    ],
)
def test_gates_that_do_not_get_in_each_others_way_are_not(
    tmp_path: Path, first: str, second: str
) -> None:
    assert found(tmp_path, first, second) == []
