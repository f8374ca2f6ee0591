"""The page as a file: whole or not at all, for its owner, and never through a link."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from allowsync.inspect.status import look
from allowsync.report.html_publish import keep_current, publish
from tests.support.values import found
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def published(world: World, path: Path) -> str:
    return publish(path, world.config, look(world.config, world.instant))


def test_a_page_is_for_its_owner_alone(world: World, tmp_path: Path) -> None:
    world.run()
    assert published(world, tmp_path / "who.html") == ""
    assert stat.S_IMODE((tmp_path / "who.html").stat().st_mode) == 0o600
    assert "alice.example.org" in (tmp_path / "who.html").read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lib", "who.html"]


def test_permissions_that_somebody_gave_last_but_nobody_may_run_a_page(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "who.html"
    path.write_text("old")
    path.chmod(0o755)
    assert published(world, path) == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_text().startswith("<!DOCTYPE html>")


def test_a_link_is_replaced_and_where_it_leads_stays(world: World, tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "who.html"
    precious.write_text("precious")
    precious.chmod(0o644)
    link.symlink_to(precious)
    assert published(world, link) == ""
    assert precious.read_text() == "precious"
    assert not link.is_symlink()
    assert stat.S_IMODE(link.stat().st_mode) == 0o600


def test_the_page_tells_of_moves_that_are_on_record(world: World, tmp_path: Path) -> None:
    world.run()
    world.says["alice.example.org"] = found("81.2.69.77")
    world.run()
    published(world, tmp_path / "who.html")
    assert "+ allowed from 81.2.69.77" in (tmp_path / "who.html").read_text()


def test_a_page_that_cannot_be_written_is_said_once(world: World, tmp_path: Path) -> None:
    config = replace(world.config, report=tmp_path / "missing" / "who.html")
    (notice,) = keep_current(config, look(config, world.instant))
    assert str(notice.where) == str(config.report)
    advice = "create it, or choose another path"
    what = f"folder {tmp_path / 'missing'} does not exist; {advice}"
    assert notice.what == f"the page could not be written: {what}"


def test_where_no_page_is_configured_none_is_written(world: World, tmp_path: Path) -> None:
    assert list(keep_current(world.config, look(world.config, world.instant))) == []
    assert list(tmp_path.rglob("*.html")) == []
