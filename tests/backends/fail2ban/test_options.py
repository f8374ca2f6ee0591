"""What a configuration may say about a Fail2ban target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common.server.supervisor import Container, Runtime
from allowsync_backends.fail2ban import TYPE, Fail2banOptions

from allowsync.model.target import Place
from tests.support.configuring import HOSTS, loaded, problems

if TYPE_CHECKING:
    from pathlib import Path


def written(options: str) -> str:
    return f"{HOSTS}allowlists:\n  web:\n    targets:\n      - fail2ban: {options}\n"


def test_jails_are_enough(tmp_path: Path) -> None:
    (target,) = loaded(tmp_path, written("{jails: [sshd, jellyfin]}")).targets
    assert target.options == Fail2banOptions(jails=("sshd", "jellyfin"))
    assert target.places == (Place("file", ("/etc/fail2ban/jail.d/allowsync-web.local",)),)


def test_a_container_is_spoken_to_in_there() -> None:
    options = Fail2banOptions(jails=("sshd",), container="f2b", runtime=Runtime.PODMAN)
    assert options.inside == Container("f2b", Runtime.PODMAN)
    assert Fail2banOptions(jails=("sshd",)).inside is None


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("{}", "'jails' is missing: expected a list of at least 1, each the name of a jail"),
        ("{jails: []}", "expected a list of at least 1, each the name of a jail, got none"),
        ("{jails: [-x]}", "expected the name of a jail, got '-x'"),
        ('{jails: ["a b"]}', "expected the name of a jail, got 'a b'"),
        ("{jails: [a, a]}", "'a' is a duplicate"),
        ("{jails: [default]}", "jails: default is a section of Fail2ban, but no jail"),
        ("{jails: [a], container: --all}", "expected the name of a container, got '--all'"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, options: str, what: str) -> None:
    (problem,) = problems(tmp_path, written(options))
    assert problem.endswith(what)


def test_two_allowlists_may_share_a_jail_but_no_file(tmp_path: Path) -> None:
    path = "{jails: [sshd], path: /etc/fail2ban/jail.d/x.local}"
    other = "  ssh:\n    targets:\n      - fail2ban: "
    loaded(tmp_path, written("{jails: [sshd]}") + other + "{jails: [sshd]}\n")
    (problem,) = problems(tmp_path, written(path) + other + path + "\n")
    assert "the file /etc/fail2ban/jail.d/x.local" in problem


def test_a_service_has_to_write_to_the_folder_and_to_speak_to_the_socket(tmp_path: Path) -> None:
    needs = TYPE.needs(Fail2banOptions(jails=("sshd",), config=tmp_path))
    assert (needs.writes, needs.commands, needs.lasting) == ((f"{tmp_path}/jail.d",), True, True)
