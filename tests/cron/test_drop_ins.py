"""The drop-ins in the repository are what would be installed; all of it is tight and verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from allowsync.schedule.dropin import EARLY, ServiceSpec, restore, service
from allowsync.schedule.files import Disk
from allowsync.schedule.interval import Interval
from allowsync.schedule.requirements import CONFIGURATION, requirements
from allowsync.schedule.units import (
    FOLLOW,
    FOLLOW_PATH,
    RESTORE,
    SERVICE,
    TIMER,
    UNITS,
    SchedulePlan,
    Scheduler,
)
from tests.support.configuring import HOME, HOSTS, loaded
from tests.support.documents import ROOT
from tests.support.units import analyzed, exposure

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "/usr/local/bin/allowsync"
DROP_INS = ROOT / "cron/drop-ins"
TOOLS = ("touch", "rm", "sleep", "systemd-tmpfiles")
TARGETS = (
    *("basic", "shutdown", "sysinit", "timers", "paths", "multi-user"),
    *("network-online", "network-pre"),
)


@dataclass(frozen=True)
class Example:
    """A drop-in that is shown, the configuration it is for, and the worst it may score."""

    targets: str
    exposure: float
    at_boot: float
    more: str = ""


EXAMPLES = {
    "nftables": Example("{nftables: {ports: [443/tcp]}}", 1.6, 1.4),
    "ipset": Example("{ipset: {ports: [443/tcp], iptables: nft}}", 1.6, 1.6),
    "ufw": Example("{ufw: {ports: [443/tcp]}}", 1.9, 1.9),
    "file": Example(
        "{file: {path: /etc/haproxy/friends.txt, reload: [systemctl, reload, haproxy]}}", 2.1, 2.1
    ),
    "fail2ban": Example("{fail2ban: {jails: [sshd]}}", 2.1, 2.1),
    "credential": Example(
        "{nftables: {ports: [443/tcp]}}", 1.6, 1.4, "heartbeat: {url_credential: ping}"
    ),
    "metrics": Example(
        "{nftables: {ports: [443/tcp]}}",
        1.9,
        1.9,
        "metrics: /var/lib/prometheus/node-exporter/allowsync.prom",
    ),
    "follow": Example(
        "{nftables: {ports: [443/tcp]}}",
        1.6,
        1.4,
        "  ssh: {follow: true, targets: [{nftables: {ports: [22/tcp]}}]}\n"
        "fleet:\n  name: home\n  store: {https: {url: https://decisions.example.org/}}\n"
        '  keys: ["ed25519:gqwaH2GqfzRpYjH1Ksx4uHZ1Lk1OoxjCEtfrsn1GPWc="]',
    ),
}


def shape(folder: Path, name: str) -> ServiceSpec:
    example = EXAMPLES[name]
    (folder / "ping").write_text("https://hc.example.net/ping/1")
    text = f"{HOSTS}allowlists:\n  web: {{targets: [{example.targets}]}}\n{example.more}\n"
    environ = {**HOME, "CREDENTIALS_DIRECTORY": str(folder)}
    config = loaded(folder, f"{text}state: /var/lib/allowsync/state.db\n", environ=environ)
    found = requirements(config, CONFIGURATION)
    return ServiceSpec(found, PROGRAM, as_root=bool(found.root_because))


@pytest.fixture(params=EXAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def system(tmp_path: Path, name: str) -> Path:
    """A root with the schedule of an example in it, and what its units refer to."""
    root = tmp_path / "root"
    plan = SchedulePlan(Scheduler.SYSTEMD, Interval(5), shape(tmp_path, name), CONFIGURATION)
    for piece in plan.pieces():
        Disk(root).write(piece)
    for program in (PROGRAM, *(f"/usr/bin/{one}" for one in TOOLS)):
        file = root / program.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for one in TARGETS:
        (units / f"{one}.target").write_text("[Unit]\n")
    return root


def test_the_service_is_as_tight_as_its_targets_let_it_be(system: Path, name: str) -> None:
    assert exposure(system, SERVICE) <= EXAMPLES[name].exposure
    for unit in (RESTORE, EARLY, FOLLOW):
        if Disk(system).at(UNITS / unit).exists():
            assert exposure(system, unit) <= EXAMPLES[name].at_boot


@pytest.mark.parametrize(("unit", "most"), [(SERVICE, 1.6), (RESTORE, 1.4)])
def test_the_units_are_tight_as_they_are_shipped(tmp_path: Path, unit: str, most: float) -> None:
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / unit).write_text((ROOT / "cron" / unit).read_text())
    assert exposure(tmp_path, unit) <= most


def test_systemd_has_nothing_to_say_against_it(system: Path) -> None:
    units = [
        one
        for one in (SERVICE, TIMER, RESTORE, EARLY, FOLLOW, FOLLOW_PATH)
        if Disk(system).at(UNITS / one).exists()
    ]
    assert analyzed("verify", system, *units) == ""


def test_the_drop_ins_that_are_shown_are_those_that_are_installed(
    tmp_path: Path, name: str
) -> None:
    made = {f"{name}.conf": service(shape(tmp_path, name))}
    if shape(tmp_path, name).requirements.restored:
        made[f"{name}-restore.conf"] = restore(shape(tmp_path, name))
    kept = {path.name: path.read_text() for path in DROP_INS.glob(f"{name}*.conf")}
    assert kept == {name: text for name, text in made.items() if text}
