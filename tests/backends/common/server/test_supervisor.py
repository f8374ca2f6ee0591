"""How a server runs, as a configuration says it, and the commands that follow from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from allowsync_backends.common.server.options import ServerOptions
from allowsync_backends.common.server.reader import ServerProgram, ServerReader
from allowsync_backends.common.server.service import needs
from allowsync_backends.common.server.supervisor import (
    Container,
    Process,
    ReloadMethod,
    Runtime,
    Unit,
)

from allowsync.backend.api import BackendError
from allowsync.config.schema.context import INVALID, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import Object
from allowsync.model.target import Severity

if TYPE_CHECKING:
    from allowsync_backends.common.server.supervisor import Supervisor

    from allowsync.model.target import Finding

PATH = Path("/etc/heron/friends")


class HeronOptions(ServerOptions, kw_only=True):
    UNIT: ClassVar[str] = "heron.service"
    NAMES: ClassVar[tuple[str, ...]] = ("heron",)


def read(**written: Any) -> tuple[HeronOptions | None, list[str]]:
    reading = Reading(Path("/etc/allowsync/config.yaml"), uid=0)
    found = Object(HeronOptions).parse(from_plain({"path": str(PATH), **written}), "x", reading)
    return None if found is INVALID else found, [one.what for one in reading.problems]


def options(**written: Any) -> HeronOptions:
    found, problems = read(**written)
    assert found is not None, problems
    return found


@pytest.mark.parametrize(
    ("written", "running"),
    [
        ({}, Unit("heron.service")),
        ({"unit": "heron@web.service"}, Unit("heron@web.service")),
        ({"pid_file": "/run/heron.pid"}, Process(Path("/run/heron.pid"), ("heron",))),
        ({"container": "web_1"}, Container("web_1")),
        ({"container": "web", "runtime": "podman"}, Container("web", Runtime.PODMAN)),
    ],
    ids=str,
)
def test_a_server_runs_as_it_is_said(written: dict[str, Any], running: Supervisor) -> None:
    assert options(**written).running == running


@pytest.mark.parametrize(
    "written",
    [
        {"unit": "a.service", "pid_file": "/run/a.pid"},
        {"unit": "a.service", "container": "a"},
        {"pid_file": "/run/a.pid", "container": "a"},
    ],
    ids=str,
)
def test_a_server_runs_in_one_way(written: dict[str, str]) -> None:
    found, (problem,) = read(**written)
    assert found is None
    assert problem.startswith(f"a server runs in one way, got {' and '.join(written)}")


@pytest.mark.parametrize("key", ["unit", "container"])
@pytest.mark.parametrize("name", ["-H", "--help", "a b", "a;b", "../a", "a\nb", "", "ä", "a" * 256])
def test_what_a_program_could_take_for_an_option_is_no_name(key: str, name: str) -> None:
    found, (problem,) = read(**{key: name})
    assert found is None
    assert any(word in problem for word in (key, "the name of", "control or invisible"))


@pytest.mark.parametrize("key", ["check", "reload"])
def test_programs_are_not_found_by_where_one_stands(key: str) -> None:
    _, (problem,) = read(**{key: ["bin/it"]})
    assert problem == f"{key} must start with an absolute path or a name, got 'bin/it'"


ARGV = ("heron", "-t", "--", "$HOME; rm")


@pytest.mark.parametrize(
    ("running", "argv"),
    [
        (
            Unit("heron.service"),
            ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--", *ARGV),
        ),
        (Process(Path("/run/pid"), ("heron",)), ARGV),
        (Container("web"), ("docker", "exec", "web", *ARGV)),
        (Container("web", Runtime.PODMAN), ("podman", "exec", "web", *ARGV)),
    ],
)
def test_a_program_is_run_where_the_server_is(running: Supervisor, argv: tuple[str, ...]) -> None:
    assert running.inside(ARGV) == argv


def test_a_pid_file_takes_the_right_to_see_and_tell_other_users_processes() -> None:
    assert needs(options()).capabilities == ()
    assert needs(options(container="web")).capabilities == ("CAP_SYS_PTRACE",)
    assert needs(options(container="web", reload=["true"])).capabilities == ()
    assert needs(options(pid_file="/p")).capabilities == ("CAP_KILL", "CAP_SYS_PTRACE")
    assert needs(options(pid_file="/p", reload=["true"])).capabilities == ()
    assert needs(options()).writes == ("/etc/heron",)
    assert needs(options()).commands
    assert needs(options()).lasting


FOUND: list[Finding] = []


def server(check: tuple[str, ...] = ("true",), *, renews: bool = False) -> ServerProgram:
    return ServerProgram("heron", check, ReloadMethod(("true",)), renews, lambda _: FOUND)


def never(tmp_path: Path) -> Process:
    """A server that does not run."""
    return Process(tmp_path / "pid", ("heron",))


def test_the_servers_own_check_is_asked_after_the_change(tmp_path: Path) -> None:
    reader = ServerReader(server(("sh", "-c", "echo bad line >&2; exit 3")), never(tmp_path))
    assert reader.objection_to("/draft") == ""
    assert reader.objection() == "sh failed with exit code 3 (bad line)"


def test_a_check_of_somebodys_own_takes_its_place(tmp_path: Path) -> None:
    reader = ServerReader(server(("false",)), never(tmp_path), check=("true",))
    assert (reader.objection_to("/draft"), reader.objection()) == ("", "")
    reader = ServerReader(server(("true",)), never(tmp_path), check=("false",))
    assert reader.objection() == "false failed with exit code 1"


def test_a_check_of_drafts_is_asked_before_the_change_and_not_after(tmp_path: Path) -> None:
    (tmp_path / "draft").touch()
    reader = ServerReader(server(("false",)), never(tmp_path), check=("test", "-e", "{path}"))
    assert reader.objection_to(str(tmp_path / "draft")) == ""
    assert reader.objection_to(str(tmp_path / "none")) == "test failed with exit code 1"
    assert reader.objection() == ""


def test_a_reload_of_somebodys_own_is_run_whether_the_server_is_seen_or_not(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"
    reader = ServerReader(server(), never(tmp_path), reload=("touch", str(told)))
    assert reader.take_notice() == ""
    assert told.exists()


def test_a_server_that_does_not_run_is_told_nothing(tmp_path: Path) -> None:
    assert ServerReader(server(renews=True), never(tmp_path)).take_notice() == ""
    (finding,) = ServerReader(server(), never(tmp_path)).findings(PATH)
    assert (finding.severity, finding.what) == (
        Severity.WARNING,
        f"the server of {tmp_path / 'pid'} does not run",
    )


def test_programs_that_are_missing_are_found(tmp_path: Path) -> None:
    reader = ServerReader(server(), never(tmp_path), check=("no-such-check",), reload=("true",))
    assert "no-such-check is not installed" in [one.what for one in reader.findings(PATH)]


def test_what_cannot_be_asked_is_an_error_and_never_taken_for_stopped() -> None:
    """There is no such unit, or it is not even known whether there is a systemd."""
    running = Unit("allowsync-no-such-unit.service")
    with pytest.raises(BackendError) as raised:
        running.state()
    reader = ServerReader(server(renews=True), running)
    assert reader.take_notice() == str(raised.value)
    assert [(one.severity, one.what) for one in reader.findings(PATH)] == [
        (Severity.ERROR, str(raised.value))
    ]
