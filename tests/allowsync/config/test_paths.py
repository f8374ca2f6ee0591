"""Where the configuration and the state are when nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from allowsync.config import locate
from allowsync.config import paths as places
from allowsync.config.paths import SYSTEM_CONFIGURATION, SYSTEM_STATE
from tests.support.configuring import MINIMAL, SOMEBODY, problems

OWN = {"HOME": "/home/bob"}


@pytest.fixture
def no_system_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A system whose configuration is not there yet; returns where it would be."""
    path = tmp_path / "etc-config.yaml"
    monkeypatch.setattr(places, "SYSTEM_CONFIGURATION", path)
    return path


def test_what_is_given_wins() -> None:
    environ = {"ALLOWSYNC_CONFIG": "/b.yaml"}
    assert locate(Path("a.yaml"), environ, 0) == Path("a.yaml")
    assert locate(None, environ, 0) == Path("/b.yaml")


def test_an_empty_variable_says_nothing() -> None:
    assert locate(None, {"ALLOWSYNC_CONFIG": ""}, 0) == SYSTEM_CONFIGURATION


def test_root_has_the_configuration_of_the_system(no_system_configuration: Path) -> None:
    environ = {"XDG_CONFIG_HOME": "/x", **OWN}
    assert locate(None, environ, 0) == no_system_configuration


def test_somebody_has_the_configuration_of_the_system_where_there_is_one(
    no_system_configuration: Path,
) -> None:
    no_system_configuration.touch()
    assert locate(None, OWN, SOMEBODY) == no_system_configuration


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CONFIG_HOME": "/x", **OWN}, "/x/allowsync/config.yaml"),
        ({"XDG_CONFIG_HOME": "", **OWN}, "/home/bob/.config/allowsync/config.yaml"),
        ({"XDG_CONFIG_HOME": "relative", **OWN}, "/home/bob/.config/allowsync/config.yaml"),
        (OWN, "/home/bob/.config/allowsync/config.yaml"),
    ],
)
def test_somebody_has_one_of_their_own_otherwise(
    no_system_configuration: Path, environ: dict[str, str], expected: str
) -> None:
    assert locate(None, environ, SOMEBODY) == Path(expected)


def test_the_state_of_root_and_of_somebody() -> None:
    assert places.state({"XDG_STATE_HOME": "/x"}, 0) == SYSTEM_STATE
    assert places.state({"XDG_STATE_HOME": "/x"}, SOMEBODY) == Path("/x/allowsync/state.db")
    assert places.state(OWN, SOMEBODY) == Path("/home/bob/.local/state/allowsync/state.db")


def test_somebody_without_a_home_has_no_place_of_their_own(
    no_system_configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nowhere)
    assert places.state({}, SOMEBODY) is None
    assert locate(None, {}, SOMEBODY) == no_system_configuration


def test_somebody_without_a_home_must_say_where_the_state_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "state", lambda environ, uid: None)
    (said,) = problems(tmp_path, MINIMAL)
    assert said == "config.yaml: state: there is no home folder to keep it in: write a path"
    assert problems(tmp_path, MINIMAL + "state: here.db\n") == []
