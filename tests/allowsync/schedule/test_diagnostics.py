"""Whoever adds a target is told that the service is not allowed to serve it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allowsync.model.outcome import Notice
from allowsync.schedule.diagnostics import about_schedule
from allowsync.schedule.dropin import EARLY, ServiceSpec
from allowsync.schedule.files import INSTALL, Disk
from allowsync.schedule.interval import Interval
from allowsync.schedule.requirements import CONFIGURATION, requirements
from allowsync.schedule.units import FOLLOW, SERVICE, UNITS, SchedulePlan, Scheduler
from tests.support.configuring import HOSTS, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.config.settings import Config

NFTABLES = "nftables: {ports: [443/tcp]}"
FILE = "file: {path: /srv/friends.txt}"
UFW = "ufw: {ports: [443/tcp]}"
IPSET = "ipset: {ports: [443/tcp], iptables: nft}"


def configuration(folder: Path, *targets: str) -> Config:
    listed = ", ".join(f"{{{one}}}" for one in targets)
    state = "state: /var/lib/allowsync/state.db"
    return loaded(folder, f"{HOSTS}allowlists:\n  web: {{targets: [{listed}]}}\n{state}\n")


def installed(folder: Path, *targets: str) -> Disk:
    """A system on which a schedule was installed for some targets."""
    found = requirements(configuration(folder, *targets), CONFIGURATION)
    shape = ServiceSpec(found, "/usr/bin/allowsync", as_root=bool(found.root_because))
    disk = Disk(folder / "root")
    for piece in SchedulePlan(Scheduler.SYSTEMD, Interval(5), shape, CONFIGURATION).pieces():
        disk.write(piece)
    return disk


def said(folder: Path, disk: Disk, *targets: str) -> list[str]:
    config = configuration(folder, *targets)
    return [str(one) for one in about_schedule(config, CONFIGURATION, disk)]


@pytest.mark.parametrize("targets", [(NFTABLES,), (UFW,), (NFTABLES, FILE, UFW), (IPSET,)])
def test_what_was_just_installed_fits(tmp_path: Path, targets: tuple[str, ...]) -> None:
    assert said(tmp_path, installed(tmp_path, *targets), *targets) == []


def test_a_target_that_was_added_is_told(tmp_path: Path) -> None:
    (only,) = said(tmp_path, installed(tmp_path, NFTABLES), NFTABLES, FILE)
    assert only == (
        "allowsync.service: the service lacks permissions for ReadWritePaths=-/srv, User=root; "
        + INSTALL
    )


def test_what_is_said_of_its_user_already_is_not_told_again(tmp_path: Path) -> None:
    disk, config = installed(tmp_path, NFTABLES), configuration(tmp_path, NFTABLES, FILE)
    unserved = [Notice("web/cloudflare", "its user cannot read the token")]
    (only,) = map(str, about_schedule(config, CONFIGURATION, disk, unserved))
    assert "ReadWritePaths=-/srv; run" in only


def test_a_schedule_of_an_older_version_lacks_what_comes_early(tmp_path: Path) -> None:
    disk = installed(tmp_path, IPSET)
    disk.remove(UNITS / EARLY)
    (only,) = said(tmp_path, disk, IPSET)
    assert only == (
        "allowsync-early.service: is not installed: saved rules that name our sets would not be "
        f"loaded at boot; {INSTALL}"
    )
    assert said(tmp_path, disk, NFTABLES) == []


def test_a_list_that_follows_a_fleet_is_not_heard_without_what_waits_for_it(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """\
        allowlists:
          web: {follow: true, targets: [{nftables: {ports: [443/tcp]}}]}
        fleet:
          name: home
          store: {https: {url: https://decisions.example.org/}}
          keys: ["ed25519:gqwaH2GqfzRpYjH1Ksx4uHZ1Lk1OoxjCEtfrsn1GPWc="]
        state: /var/lib/allowsync/state.db
        """,
    )
    disk = installed(tmp_path, NFTABLES)
    (only,) = map(str, about_schedule(config, CONFIGURATION, disk))
    assert only == (
        "allowsync-follow.service: is not installed: a decision of the fleet waits for the "
        f"next run of the timer; {INSTALL}"
    )
    shape = ServiceSpec(requirements(config, CONFIGURATION), "/usr/bin/allowsync", as_root=False)
    for piece in SchedulePlan(Scheduler.SYSTEMD, Interval(5), shape, CONFIGURATION).pieces():
        disk.write(piece)
    assert disk.at(UNITS / FOLLOW).exists()
    assert list(about_schedule(config, CONFIGURATION, disk)) == []


def test_where_nothing_is_installed_nothing_is_told(tmp_path: Path) -> None:
    assert said(tmp_path, Disk(tmp_path), UFW) == []


def test_a_service_of_ones_own_is_nobody_elses_business(tmp_path: Path) -> None:
    disk = installed(tmp_path, NFTABLES)
    disk.at(UNITS / SERVICE).write_text("[Service]\nExecStart=/srv/mine\n")
    assert said(tmp_path, disk, UFW) == []


def test_units_copied_by_hand_lack_what_the_targets_need(tmp_path: Path) -> None:
    disk = installed(tmp_path, NFTABLES)
    disk.remove(UNITS / f"{SERVICE}.d/needs.conf")
    assert said(tmp_path, disk, NFTABLES) == []
    assert "ProcSubset=all" in said(tmp_path, disk, UFW)[0]
