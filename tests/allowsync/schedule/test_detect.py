"""Where the program is, what starts it, and what it will see of the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from allowsync.config.secure_file import RefusedError
from allowsync.schedule import detect as machine
from allowsync.schedule.detect import Unsuitable

SOMEBODY = 1000


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of variables."""
    file = tmp_path / "environment"
    monkeypatch.setattr(machine, "ENVIRONMENT", str(file))
    return file


def test_a_program_off_the_path_is_run_by_its_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = program(tmp_path / "venv/bin/allowsync")
    monkeypatch.setattr(sys, "argv", [str(here), "schedule"])
    assert machine.program(Path("/")) == str(here)


def test_a_program_on_the_path_is_run_by_the_name_it_has_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = program(tmp_path / "venv/bin/allowsync")
    link = tmp_path / "bin/allowsync"
    link.parent.mkdir()
    link.symlink_to(here)
    monkeypatch.setattr(machine, "PATH", str(link.parent))
    monkeypatch.setattr(sys, "argv", [str(here)])
    assert machine.program(Path("/")) == str(link)


def test_another_program_of_that_name_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = program(tmp_path / "venv/bin/allowsync")
    program(tmp_path / "bin/allowsync")
    monkeypatch.setattr(machine, "PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "argv", [str(here)])
    assert machine.program(Path("/")) == str(here)


def test_a_program_in_a_home_cannot_be_run_by_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = program(tmp_path / "home/me/.local/bin/allowsync")
    link = tmp_path / "bin/allowsync"
    link.parent.mkdir()
    link.symlink_to(here)
    monkeypatch.setattr(machine, "HOMES", (tmp_path / "home",))
    monkeypatch.setattr(machine, "PATH", str(link.parent))
    monkeypatch.setattr(sys, "argv", [str(link)])
    with pytest.raises(Unsuitable, match="is in a home, where no service may look"):
        machine.program(Path("/"))


def test_variables_come_from_the_file_the_service_reads(variables: Path) -> None:
    variables.write_text("# secrets\n\nPING=https://hc.example.net/1\nTOKEN='a=b'\nnothing\n")
    variables.chmod(0o600)
    found = machine.environment({"HOME": "/root"}, SOMEBODY)
    assert found == {
        "HOME": "/root",
        "CREDENTIALS_DIRECTORY": "/etc/credstore",
        "PING": "https://hc.example.net/1",
        "TOKEN": "a=b",
    }


def test_without_such_a_file_the_environment_is_as_it_is(variables: Path) -> None:
    given = {"CREDENTIALS_DIRECTORY": "/run/credentials/a"}
    assert machine.environment(given, SOMEBODY) == given


@pytest.mark.root
def test_a_file_of_secrets_that_others_may_read_is_refused(as_root: None, variables: Path) -> None:
    variables.write_text("PING=https://hc.example.net/1\n")
    variables.chmod(0o644)
    with pytest.raises(RefusedError, match="others may read it"):
        machine.environment({}, 0)


def test_machines_differ_and_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    found = set()
    for number in range(20):
        (tmp_path / "etc/machine-id").write_text(f"{number:032x}\n")
        found.add(machine.offset(tmp_path))
        assert machine.offset(tmp_path) in found
    assert len({one % 5 for one in found}) == 5
    assert len(found) == 20
