"""What is run on a schedule are commands that exist, by whom it should be, and not too early."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING

import click
import pytest

from allowsync.cli.group import cli
from allowsync.model.outcome import ExitCode
from tests.support.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CRON = ROOT / "cron"
FOLLOWER = CRON / "allowsync-follow.service"
SERVICES = sorted(set(CRON.glob("*.service")) - {FOLLOWER})
CODES = {code.value for code in ExitCode}


class Unit(configparser.RawConfigParser):
    """A unit file. A key that stands there twice keeps its last value."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(name: str) -> Unit:
    parser = Unit(strict=False, interpolation=None)
    parser.read_string((CRON / name).read_text())
    return parser


def cron_lines() -> list[str]:
    lines = (CRON / "allowsync.cron").read_text().splitlines()
    return [line for line in lines if line and not re.match(r"#|[A-Z]+=", line)]


def assert_exists(words: list[str]) -> None:
    assert words.pop(0).split("/")[-1] == "allowsync"
    assert isinstance(cli, click.Group)
    command = cli.get_command(click.Context(cli), words.pop(0))
    assert command is not None
    _, left, _ = command.make_parser(click.Context(command)).parse_args(words)
    assert left == []


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_runs_a_command_that_exists(path: Path) -> None:
    service = unit(path.name)["Service"]
    assert_exists(service["ExecStart"].split())
    assert {int(code) for code in service["SuccessExitStatus"].split()} <= CODES


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_may_change_the_packet_filter_and_little_else(path: Path) -> None:
    service = unit(path.name)["Service"]
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == "CAP_NET_ADMIN"
    assert service["User"] == service["Group"] == "allowsync"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()
    assert service["StateDirectory"] == "allowsync"


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_the_user_of_a_service_is_made_and_may_read_and_write(path: Path) -> None:
    service = unit(path.name)["Service"]
    user = service["User"]
    assert f"u {user} " in (CRON / "allowsync.sysusers.conf").read_text()
    tmpfiles = (CRON / "allowsync.tmpfiles.conf").read_text()
    assert f"Z /var/lib/{service['StateDirectory']} - {user} " in tmpfiles
    assert f"z /etc/allowsync/config.yaml 0640 root {user} " in tmpfiles
    # Outside of the walls; and where it fails, the run itself says what it lacks.
    assert service["ExecStartPre"] == "-+systemd-tmpfiles --create allowsync.conf"


def test_what_waits_for_a_fleet_has_the_user_of_the_runs_and_no_rights() -> None:
    service, run = (unit(name)["Service"] for name in (FOLLOWER.name, "allowsync.service"))
    assert_exists(service["ExecStart"].split())
    assert (service["CapabilityBoundingSet"], service["AmbientCapabilities"]) == ("", "")
    assert service["User"] == service["Group"] == run["User"]
    assert service["RestrictAddressFamilies"] == "AF_INET AF_INET6"
    assert "StateDirectory" not in service
    touched = service["ExecStart"].split()[-1]
    assert touched.startswith(f"/run/{service['RuntimeDirectory']}/")
    path = unit("allowsync-follow.path")["Path"]
    assert (path["PathExists"], path["Unit"]) == (touched, "allowsync.service")


def test_what_was_known_last_is_restored_before_the_network_and_after_the_rules_are_loaded() -> (
    None
):
    restore = unit("allowsync-restore.service")
    assert "--offline" in restore["Service"]["ExecStart"].split()
    assert restore["Unit"]["DefaultDependencies"] == "no"
    assert "network-pre.target" in restore["Unit"]["Before"].split()
    assert "nftables.service" in restore["Unit"]["After"].split()


def test_the_timer_starts_the_service_every_five_minutes() -> None:
    timer = unit("allowsync.timer")["Timer"]
    assert timer["OnCalendar"] == "*:0/5"
    assert int(timer["RandomizedDelaySec"]) < 5 * 60
    assert (CRON / "allowsync.service").exists()


def test_cron_runs_commands_that_exist_as_root() -> None:
    lines = cron_lines()
    assert len(lines) == 2
    for line in lines:
        _, user, command = re.split(r"\s{2,}", line)
        assert user == "root"
        assert_exists(command.split())
