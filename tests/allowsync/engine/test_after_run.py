"""What a run leaves for those who watch, in real files and over real HTTP."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from allowsync.config.channels import Heartbeat
from allowsync.config.secrets import Secret
from allowsync.engine.after_run import broke, leave
from allowsync.engine.options import Request
from allowsync.inspect.diagnostics import about_file
from allowsync.model.notification import HeartbeatKind
from allowsync.system.files import replace_file, require_replaceable
from tests.support.listener import PortListener
from tests.support.values import SERVFAIL
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.plan.result import RunReport


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def left(world: World, report: RunReport, **fields: object) -> list[str]:
    config = replace(world.config, **fields)  # type: ignore[arg-type]
    return [f"{one.where}: {one.what}" for one in leave(config, report, report.exit_code)]


def test_the_metrics_are_there_for_everybody_to_read(world: World, tmp_path: Path) -> None:
    file = tmp_path / "allowsync.prom"
    before = os.umask(0o077)
    try:
        assert left(world, world.run(), metrics=file) == []
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert "allowsync_last_run_exit_code 0\n" in file.read_text()
    assert "allowsync_last_success_timestamp_seconds" in file.read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["allowsync.prom", "lib"]


def test_the_last_success_stays_through_failures(world: World, tmp_path: Path) -> None:
    file = tmp_path / "allowsync.prom"
    good = world.run().started
    world.store.fail_read = "boom"
    left(world, world.run(), metrics=file)
    line = f"allowsync_last_success_timestamp_seconds {good.timestamp():.0f}"
    assert line in file.read_text()


def test_metrics_that_cannot_be_written_are_said(world: World, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "allowsync.prom"
    assert left(world, world.run(), metrics=file) == [
        f"{file}: the metrics could not be written: No such file or directory"
    ]


def test_a_link_in_the_place_of_a_file_is_replaced_and_never_followed(tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "x.prom"
    precious.write_text("precious")
    link.symlink_to(precious)
    (tmp_path / ".x.prom.new").symlink_to(precious)
    replace_file(link, b"new")
    assert (precious.read_text(), link.read_text(), link.is_symlink()) == ("precious", "new", False)
    assert not (tmp_path / ".x.prom.new").exists()


def test_no_device_pipe_or_socket_is_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "x.prom"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a device, pipe or socket is not replaced; name a file"):
        replace_file(pipe, b"new")
    assert (pipe.is_fifo(), list(tmp_path.iterdir())) == (True, [pipe])
    for one in ("/dev/null", "/dev/stdout"):
        with pytest.raises(OSError, match="a device, pipe or socket is not replaced"):
            require_replaceable(one)


def test_a_file_that_cannot_be_replaced_stays_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "x.prom").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "x.prom", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["x.prom"]


def about(path: Path) -> list[str]:
    return [str(one) for one in about_file("report", path)]


def test_check_says_where_a_file_cannot_be_written(tmp_path: Path) -> None:
    there = tmp_path / "x.html"
    assert about(there) == []
    there.write_text("as it was")
    assert about(there) == []
    advice = "create it, or choose another path"
    missing = tmp_path / "missing"
    assert about(missing / "x.html") == [f"report: folder {missing} does not exist; {advice}"]
    assert about(tmp_path) == [f"report: {tmp_path} is a folder, not a file; choose another path"]


def heartbeat(
    listener: PortListener, kind: HeartbeatKind = HeartbeatKind.HEALTHCHECKS
) -> Heartbeat:
    return Heartbeat(url=Secret(f"http://{listener.place}/ping/hunter2"), kind=kind)


def test_a_monitor_is_told_how_a_run_ended_and_of_no_friend(world: World) -> None:
    with PortListener() as listener:
        assert left(world, world.run(), heartbeat=heartbeat(listener)) == []
        world.says["alice.example.org"] = SERVFAIL
        left(world, world.run(), heartbeat=heartbeat(listener))
        world.store.fail_read = "alice at 81.2.69.1"
        left(world, world.run(), heartbeat=heartbeat(listener))
    assert [(one.path[-2:], one.body) for one in listener.heard] == [
        ("/0", "1 target in sync"),
        ("/0", "1 target in sync\n1 host using the last known address"),
        ("/1", "web/memory: failed\n1 host using the last known address"),
    ]


def test_a_monitor_that_cannot_be_told_is_said_without_its_url(world: World) -> None:
    with PortListener(status=404) as listener:
        said = left(world, world.run(), heartbeat=heartbeat(listener))
    assert said == ["heartbeat: the ping failed: the answer was HTTP status 404"]


def test_a_defect_is_told_as_a_failure(world: World) -> None:
    with PortListener() as listener:
        broke(replace(world.config, heartbeat=heartbeat(listener)))
        broke(world.config)
    assert listener.paths == ["POST /ping/hunter2/1"]


def test_only_whole_runs_that_asked_the_dns_are_watched() -> None:
    assert Request().watched
    assert Request(force=True).watched
    for request in (Request(only=("web",)), Request(offline=True), Request(dry_run=True)):
        assert not request.watched
