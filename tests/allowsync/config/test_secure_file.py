"""Files that decide who gets in: what root believes, and what nobody can read."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from allowsync.config import ConfigError, load
from allowsync.config.secure_file import ROOT, FileRequirements, RefusedError, read_checked
from tests.support.configuring import HOME, MINIMAL, SOMEBODY, loaded, problems, written

if TYPE_CHECKING:
    from allowsync.config import Problem


@pytest.fixture
def folder(tmp_path: Path, as_root: None) -> Path:
    """A folder of root's, with a configuration that root believes."""
    written(tmp_path, MINIMAL)
    return tmp_path


def said_to_root(folder: Path) -> str:
    (problem,) = refusal(folder / "config.yaml", ROOT)
    assert problem.where == str(folder / "config.yaml")
    return problem.what


def refusal(path: Path, uid: int = SOMEBODY) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as raised:
        load(path, environ=HOME, uid=uid)
    return raised.value.problems


@pytest.mark.root
def test_root_believes_its_own_file(folder: Path) -> None:
    assert load(folder / "config.yaml", environ={}, uid=ROOT).allowlists.keys() == {"web"}


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_root_refuses_a_file_that_others_may_write(folder: Path, mode: int) -> None:
    (folder / "config.yaml").chmod(mode)
    assert said_to_root(folder).startswith(f"others may write it (mode {mode:04o}): chmod go-w ")


@pytest.mark.root
def test_root_refuses_a_file_of_somebody_else(folder: Path) -> None:
    os.chown(folder / "config.yaml", SOMEBODY, -1)
    assert said_to_root(folder).startswith(f"belongs to user {SOMEBODY}")


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_root_refuses_a_folder_that_others_may_write(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert f"(mode {mode:04o})" in said_to_root(folder)


@pytest.mark.root
def test_root_refuses_a_folder_of_somebody_else(folder: Path) -> None:
    os.chown(folder, SOMEBODY, -1)
    assert f"belongs to user {SOMEBODY}" in said_to_root(folder)


@pytest.mark.root
def test_nobody_can_replace_a_file_of_root_in_a_sticky_folder(folder: Path) -> None:
    folder.chmod(0o1777)
    assert load(folder / "config.yaml", environ={}, uid=ROOT).hosts


@pytest.mark.root
def test_root_looks_at_the_folder_behind_a_link_too(folder: Path) -> None:
    behind = folder / "behind"
    behind.mkdir()
    (folder / "config.yaml").rename(behind / "real.yaml")
    (folder / "config.yaml").symlink_to(behind / "real.yaml")
    assert load(folder / "config.yaml", environ={}, uid=ROOT).hosts
    behind.chmod(0o777)
    assert f"{behind} (mode 0777)" in said_to_root(folder)


@pytest.mark.root
def test_not_one_byte_of_a_refused_file_is_believed(folder: Path) -> None:
    path = written(folder, "hosts: [broken\n")
    path.chmod(0o666)
    assert "YAML" not in said_to_root(folder)


@pytest.mark.root
def test_somebody_else_may_have_any_mode(folder: Path) -> None:
    (folder / "config.yaml").chmod(0o666)
    assert load(folder / "config.yaml", environ=HOME, uid=SOMEBODY).hosts


@pytest.mark.root
def test_root_refuses_a_secret_that_others_may_read(folder: Path) -> None:
    secret = folder / "token"
    secret.write_text("x")
    for mode in (0o640, 0o604, 0o644, 0o610):
        secret.chmod(mode)
        with pytest.raises(RefusedError, match=f"others may read it \\(mode {mode:04o}\\)"):
            read_checked(secret, FileRequirements(ROOT, 100, secret=True))
        assert read_checked(secret, FileRequirements(SOMEBODY, 100, secret=True)) == b"x"
        assert read_checked(secret, FileRequirements(ROOT, 100, secret=True, vouched=True)) == b"x"
    secret.chmod(0o600)
    assert read_checked(secret, FileRequirements(ROOT, 100, secret=True)) == b"x"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = refusal(tmp_path / "gone.yaml")
    assert str(problem) == (f"{tmp_path}/gone.yaml: file not found")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (problem,) = refusal(tmp_path)
    assert str(problem) == f"{tmp_path}: this is a folder, not a file"


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (problem,) = refusal(tmp_path / "pipe")
    assert "this is a pipe, not a file" in str(problem)


def test_a_device_is_no_file() -> None:
    (problem,) = refusal(Path("/dev/zero"))
    assert "this is a device, not a file" in str(problem)


def test_a_file_that_fails_while_it_is_read() -> None:
    (problem,) = refusal(Path("/proc/self/mem"))
    assert "cannot be read: " in str(problem)


def test_a_socket_cannot_be_opened(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        (problem,) = refusal(tmp_path / "s")
    assert "cannot be opened" in str(problem)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    (problem,) = refusal(tmp_path / name)
    assert "cannot be opened: " in str(problem)
    assert str(problem).isprintable()


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (problem,) = refusal(tmp_path / "loop")
    assert "cannot be opened" in str(problem)


def test_a_file_that_is_too_large_is_not_read_on(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**40)
    (problem,) = refusal(path)
    assert "larger than 16 MiB" in str(problem)
    with pytest.raises(RefusedError, match="larger than 64 KiB"):
        read_checked(path, FileRequirements(SOMEBODY, 64 * 1024))


def test_the_place_of_a_problem_is_safe_to_show(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31mb"
    folder.mkdir()
    (said,) = problems(folder, "")
    assert said.isprintable()


def test_what_is_relative_starts_at_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    written(tmp_path / "conf", MINIMAL + "state: state.db\n")
    monkeypatch.chdir(tmp_path)
    config = load(Path("conf/config.yaml"), environ=HOME, uid=SOMEBODY)
    assert config.state == tmp_path / "conf/state.db"


def test_reading_changes_nothing(tmp_path: Path) -> None:
    loaded(tmp_path)
    before = [(path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()]
    load(tmp_path / "config.yaml", environ=HOME, uid=SOMEBODY)
    assert before == [(path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()]
