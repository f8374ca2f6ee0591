"""History is pruned in an installation where nothing ever changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.engine.options import Request
from allowsync.engine.run import run
from allowsync.state.changes import PRUNED_EVERY
from tests.support.world import Dns, World

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.plan.result import RunReport

ALMOST_A_DAY = timedelta(hours=23)
KEPT = timedelta(days=30)
RUNS = 80


def one_more(world: World) -> RunReport:
    world.instant += ALMOST_A_DAY
    config = replace(world.config, history=KEPT)
    return run(config, Request(), Dns(world), world.instant)


def test_history_is_pruned_where_nothing_ever_changes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run()
    before = world.held
    for _ in range(RUNS):
        report = one_more(world)
        assert not report.has_changes
        assert not report.exit_code
    oldest = int((world.instant - KEPT - PRUNED_EVERY).timestamp() * 1_000_000)
    with closing(sqlite3.connect(world.state)) as raw:
        first, count = raw.execute("SELECT min(started), count(*) FROM runs").fetchone()
        assert first >= oldest
        assert KEPT / ALMOST_A_DAY < count < KEPT / ALMOST_A_DAY + 3
        for table in ("answers", "changes"):
            assert raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        assert raw.execute("SELECT count(*) FROM stays WHERE ended IS NULL").fetchone() > (0,)
    assert world.held == before
    assert not one_more(world).has_changes
