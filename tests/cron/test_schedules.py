"""What is run on a schedule are commands that exist, as root, and not too early."""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING

import click
import pytest

from allowsync.cli import cli
from allowsync.outcome import ExitCode
from tests.support.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CRON = ROOT / "cron"
SERVICES = sorted(CRON.glob("*.service"))
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
    assert set(words) <= {name for one in command.params for name in one.opts}


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_runs_a_command_that_exists(path: Path) -> None:
    service = unit(path.name)["Service"]
    assert_exists(service["ExecStart"].split())
    assert {int(code) for code in service["SuccessExitStatus"].split()} <= CODES


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_may_change_the_packet_filter_and_little_else(path: Path) -> None:
    service = unit(path.name)["Service"]
    assert service["CapabilityBoundingSet"] == "CAP_NET_ADMIN"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()
    assert service["StateDirectory"] == "allowsync"


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
