"""What an installation comes to: which files, which commands, and what stands in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from allowsync.backend.api import Needs
from allowsync.schedule.dropin import EARLY, ServiceSpec, follow
from allowsync.schedule.files import Disk, FileState, marked
from allowsync.schedule.install import (
    STAMP,
    ConflictingFiles,
    InstallFailed,
    InstallSteps,
    installation,
    removal,
)
from allowsync.schedule.interval import Interval
from allowsync.schedule.requirements import CONFIGURATION, Requirements, SecretNames
from allowsync.schedule.units import (
    CRON,
    FOLLOW,
    FOLLOW_PATH,
    RESTORE,
    SERVICE,
    SYSUSERS,
    TIMER,
    TMPFILES,
    UNITS,
    SchedulePlan,
    Scheduler,
)

GATE = Requirements(Needs(any_user=True), (), (), ("jellyfin",), True, "")
FILE = Requirements(Needs(lasting=True), (), (), (), False, "jellyfin/file takes root")
SHAPE = ServiceSpec(GATE, "/usr/local/bin/allowsync", as_root=False)
PLAN = SchedulePlan(Scheduler.SYSTEMD, Interval(5), SHAPE, CONFIGURATION, 2)
LIVE = Disk(Path("/"))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def written(work: InstallSteps) -> list[str]:
    return [one.path.name for one in work.write]


def put(disk: Disk, plan: SchedulePlan = PLAN) -> None:
    """As an installation leaves it."""
    for piece in plan.pieces():
        disk.write(piece)
    for unit, target in ((TIMER, "timers"), (RESTORE, "sysinit")):
        link = disk.at(UNITS / f"{target}.target.wants" / unit)
        link.parent.mkdir(exist_ok=True, parents=True)
        link.symlink_to(UNITS / unit)


def test_units_are_written_before_systemd_is_told(disk: Disk) -> None:
    work = installation(PLAN, disk, force=False)
    assert written(work) == [SERVICE, TIMER, RESTORE, SYSUSERS.name, TMPFILES.name]
    assert work.before == ()
    assert work.after[-1] == ("systemctl", f"--root={disk.root}", "enable", TIMER, RESTORE)


def test_what_must_be_there_before_rules_are_loaded_has_a_unit_of_its_own(disk: Disk) -> None:
    needs = Needs(any_user=True, before=("ufw.service",), after=("ufw.service",))
    shape = replace(SHAPE, requirements=replace(GATE, needs=needs))
    plan = replace(PLAN, shape=shape)
    put(disk, plan)
    assert installation(plan, disk, force=False).after[-1][-3:] == (TIMER, RESTORE, EARLY)
    link = disk.at(UNITS / "sysinit.target.wants" / EARLY)
    link.symlink_to(UNITS / EARLY)
    assert installation(plan, disk, force=False).idle
    texts = {str(one.path.relative_to(UNITS)): one.text for one in plan.pieces()[:-2]}
    unit = texts[EARLY].splitlines()
    assert "nftables.service" not in texts[EARLY]
    assert (
        "ExecStart=/usr/local/bin/allowsync apply --offline --state /var/lib/allowsync/state.db"
        in unit
    )
    assert {"DefaultDependencies=no", "WantedBy=sysinit.target", "User=allowsync"} < set(unit)
    assert (
        texts[EARLY].partition("[Service]")[2].partition("[Install]")[0]
        == (texts[RESTORE].partition("[Service]")[2].partition("[Install]")[0])
    )
    assert "Before=ufw.service" in texts[f"{EARLY}.d/needs.conf"]
    assert f"After={EARLY} ufw.service" in texts[f"{RESTORE}.d/needs.conf"]
    # Without such a target it goes again.
    work = installation(PLAN, disk, force=False)
    assert UNITS / EARLY in work.remove
    assert work.before[0][-2:] == ("disable", EARLY)


def test_a_running_system_is_told_to_read_them_and_to_start_the_timer() -> None:
    work = installation(PLAN, LIVE, force=True)
    assert work.after == (
        ("systemd-sysusers", "allowsync.conf"),
        ("systemd-tmpfiles", "--create", "allowsync.conf"),
        ("systemctl", "daemon-reload"),
        ("systemctl", "enable", TIMER, RESTORE),
        ("systemctl", "restart", TIMER),
    )


def test_what_waits_for_a_fleet_comes_and_goes_with_the_lists_that_follow_one(disk: Disk) -> None:
    gate = replace(GATE, follower=SecretNames(("etcd",)))
    plan = replace(PLAN, shape=replace(SHAPE, requirements=gate, arguments=("--config", "/srv/a")))
    work = installation(plan, LIVE, force=True)
    assert work.after[-2:] == (
        ("systemctl", "enable", TIMER, RESTORE, FOLLOW, FOLLOW_PATH),
        ("systemctl", "restart", TIMER, FOLLOW, FOLLOW_PATH),
    )
    texts = {str(one.path.relative_to(UNITS)): one.text for one in plan.pieces()[:-2]}
    assert texts[f"{FOLLOW}.d/needs.conf"] == (
        "[Service]\nExecStart=\nExecStart=/usr/local/bin/allowsync follow "
        "--touch /run/allowsync-follow/changed --config /srv/a --state /var/lib/allowsync/state.db"
        "\nLoadCredential=etcd:/etc/credstore/etcd\n"
    )
    assert "ExecStartPre=-+rm -f /run/allowsync-follow/changed" in texts[f"{SERVICE}.d/needs.conf"]
    put(disk, plan)
    for unit, target in ((FOLLOW, "multi-user"), (FOLLOW_PATH, "paths")):
        link = disk.at(UNITS / f"{target}.target.wants" / unit)
        link.parent.mkdir(exist_ok=True, parents=True)
        link.symlink_to(UNITS / unit)
    assert installation(plan, disk, force=False).idle
    # Without such a list they go again; and with the schedule.
    assert installation(PLAN, disk, force=False).before[0][-2:] == (FOLLOW, FOLLOW_PATH)
    assert {FOLLOW, FOLLOW_PATH} <= {one.name for one in removal(disk, force=False).remove}


def test_what_waits_as_root_has_no_capabilities_either() -> None:
    needs = Needs(capabilities=("CAP_NET_ADMIN",))
    found = replace(GATE, needs=needs, follower=SecretNames((), ("PASSWORD",)))
    said = follow(ServiceSpec(found, "/usr/bin/allowsync", as_root=True)).splitlines()
    assert {
        "User=root",
        "AmbientCapabilities=",
        "EnvironmentFile=/etc/allowsync/environment",
    } < set(said)
    assert not any("CAP_" in one for one in said)
    assert follow(ServiceSpec(replace(found, follower=SecretNames()), "/a", as_root=False)) == ""


def test_a_service_that_is_root_needs_no_user(disk: Disk) -> None:
    work = installation(replace(PLAN, shape=replace(SHAPE, as_root=True)), disk, force=False)
    assert {SYSUSERS, TMPFILES}.isdisjoint({one.path for one in work.write})
    assert work.after == (("systemctl", f"--root={disk.root}", "enable", TIMER, RESTORE),)


def test_a_service_without_root_has_its_user_made(disk: Disk) -> None:
    work = installation(PLAN, disk, force=False)
    assert {one.path for one in work.write} >= {SYSUSERS, TMPFILES}
    assert work.after[:2] == (
        ("systemd-sysusers", f"--root={disk.root}", "allowsync.conf"),
        ("systemd-tmpfiles", f"--root={disk.root}", "--create", "allowsync.conf"),
    )


def test_what_is_in_place_is_left_alone(disk: Disk) -> None:
    put(disk)
    assert installation(PLAN, disk, force=False).idle


def test_a_timer_that_somebody_disabled_is_enabled_again(disk: Disk) -> None:
    put(disk)
    disk.at(UNITS / "timers.target.wants" / TIMER).unlink()
    work = installation(PLAN, disk, force=False)
    assert (work.write, work.after[-1][-2]) == ((), TIMER)


def test_a_timer_that_was_stopped_is_started_again(disk: Disk) -> None:
    put(disk)
    work = installation(PLAN, disk, force=False, stopped=True)
    assert (work.write, work.after) == ((), (("systemctl", "restart", TIMER),))


def test_another_interval_replaces_the_timer_alone(disk: Disk) -> None:
    put(disk)
    work = installation(replace(PLAN, interval=Interval(15)), disk, force=False)
    (timer,) = work.write
    assert "OnCalendar=*:0/15\n" in timer.text


def test_nothing_is_restored_where_nothing_is_lost(disk: Disk) -> None:
    put(disk)
    lasting = replace(PLAN, shape=replace(SHAPE, requirements=FILE, as_root=True))
    work = installation(lasting, disk, force=False)
    assert UNITS / RESTORE in work.remove
    assert work.before == (("systemctl", f"--root={disk.root}", "disable", RESTORE),)


@pytest.mark.parametrize(
    ("text", "found"),
    [("[Unit]\n", FileState.FOREIGN), (marked("[Unit]\n") + "# mine\n", FileState.EDITED)],
)
def test_what_somebody_wrote_is_replaced_only_by_force(
    disk: Disk, text: str, found: FileState
) -> None:
    put(disk)
    disk.at(UNITS / SERVICE).write_text(text)
    with pytest.raises(ConflictingFiles) as raised:
        installation(PLAN, disk, force=False)
    assert raised.value.paths == ((UNITS / SERVICE, found),)
    assert written(installation(PLAN, disk, force=True)) == [SERVICE]


def test_going_over_to_cron_and_back_leaves_nothing_of_the_other(disk: Disk) -> None:
    put(disk)
    cron = replace(PLAN, scheduler=Scheduler.CRON)
    work = installation(cron, disk, force=False)
    assert [one.path for one in work.write] == [CRON]
    units = {UNITS / SERVICE, UNITS / TIMER, UNITS / RESTORE}
    assert units | {SYSUSERS, TMPFILES} == set(work.remove)
    replace(work, before=()).carry_out()
    back = installation(PLAN, disk, force=False)
    assert (back.remove, written(back)[:3]) == ((CRON,), [SERVICE, TIMER, RESTORE])


def test_a_removal_takes_what_is_ours_and_nothing_else(disk: Disk) -> None:
    put(disk)
    theirs = disk.at(UNITS / f"{SERVICE}.d/override.conf")
    theirs.parent.mkdir()
    theirs.write_text("[Service]\n")
    stamps = disk.at(STAMP).parent
    stamps.mkdir(parents=True)
    for name in (STAMP.name, "stamp-other.timer"):
        (stamps / name).touch()
    disk.at(CRON).parent.mkdir()
    disk.at(CRON).write_text("# mine\n")
    work = removal(disk, force=False)
    replace(work, before=()).carry_out()
    left = {str(path.relative_to(disk.root)) for path in disk.root.rglob("*") if path.is_file()}
    assert left == {
        f"etc/systemd/system/{SERVICE}.d/override.conf",
        "etc/cron.d/allowsync",
        "var/lib/systemd/timers/stamp-other.timer",
    }
    assert removal(disk, force=False).idle


def test_the_timer_is_stopped_before_its_file_goes(disk: Disk) -> None:
    put(disk)
    work = removal(disk, force=False)
    assert work.before == (("systemctl", f"--root={disk.root}", "disable", TIMER, RESTORE),)


def test_cron_runs_at_minutes_of_this_machine(disk: Disk) -> None:
    plan = replace(PLAN, scheduler=Scheduler.CRON, offset=14, interval=Interval(10))
    (piece,) = plan.pieces()
    assert "4-59/10 * * * *   root  /usr/local/bin/allowsync apply --quiet\n" in piece.text
    assert "@reboot          root  /usr/local/bin/allowsync apply --offline --quiet\n" in piece.text


def test_cron_is_told_where_the_configuration_is() -> None:
    shape = replace(SHAPE, program="/opt/a/bin/allowsync", arguments=("--config", "/srv/a b%.yaml"))
    (piece,) = replace(PLAN, scheduler=Scheduler.CRON, shape=shape).pieces()
    lines = [one for one in piece.text.splitlines() if "  root  " in one]
    assert len(lines) == 2
    for line in lines:
        assert "/opt/a/bin/allowsync apply" in line
        assert line.endswith(" --quiet --config '/srv/a b\\%.yaml'")


def test_a_unit_names_the_program_and_the_configuration_that_are_there() -> None:
    shape = replace(SHAPE, program="/opt/a b/allowsync", arguments=("--config", "/srv/f/a.yaml"))
    plan = replace(PLAN, shape=shape, configuration=Path("/srv/f/a.yaml"))
    texts = {str(one.path): one.text for one in plan.pieces()}
    restore = texts[str(UNITS / RESTORE)]
    assert 'RequiresMountsFor=/srv/f /var/lib/allowsync "/opt/a b"\n' in restore
    assert "ConditionPathExists=/srv/f/a.yaml\n" in restore
    assert 'ExecStart="/opt/a b/allowsync" apply --offline --state ' in restore
    assert "/etc/allowsync" not in restore


def test_a_command_that_fails_ends_the_work(disk: Disk) -> None:
    work = InstallSteps(disk, write=PLAN.pieces(), before=(("false",),))
    with pytest.raises(InstallFailed, match="'false' failed with exit code 1"):
        work.carry_out()
    assert not disk.at(UNITS).exists()


def test_a_file_that_cannot_be_written_is_named(disk: Disk) -> None:
    (disk.root / "etc").write_text("")
    with pytest.raises(InstallFailed, match=r"/etc/systemd/system/allowsync\.service could not be"):
        InstallSteps(disk, write=PLAN.pieces()).carry_out()
