"""A secret that scheduled runs cannot read is told to root, who can."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from allowsync.config.channels import Heartbeat
from allowsync.config.hosts_from import HostsFrom
from allowsync.config.secrets import KeptSecret, Secret
from allowsync.model.value import replace
from allowsync.schedule.files import INSTALL, Disk
from allowsync.schedule.service_user import (
    broken_targets,
    closed_channels,
    closed_hosts_file,
    service_user,
    unread_files,
)
from allowsync.schedule.units import SERVICE, UNITS
from tests.allowsync.schedule.test_diagnostics import NFTABLES, configuration, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.root

ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def token(as_root: None) -> Iterator[Path]:
    """A token in a folder that everyone may look into."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "token")
        path.write_text("t" * 40)
        path.chmod(0o600)
        yield path


def served_by(folder: Path, user: str) -> Disk:
    """A schedule whose service has that user."""
    disk = installed(folder, NFTABLES)
    needs = disk.at(UNITS / f"{SERVICE}.d/needs.conf")
    needs.parent.mkdir(exist_ok=True)
    needs.write_text(f"[Service]\nUser={user}\n")
    return disk


def test_a_token_for_root_alone_breaks_the_target_of_another_user(
    tmp_path: Path, token: Path
) -> None:
    cloud = f"cloudflare: {{account_id: {ACCOUNT}, list: web, api_token_file: {token}}}"
    config = configuration(tmp_path, NFTABLES, cloud)
    disk = served_by(tmp_path, "nobody")
    (only,) = broken_targets(config, disk)
    assert only.where == "web/cloudflare"
    assert only.what == (
        f"scheduled runs cannot serve it: their user nobody cannot read {token}; {INSTALL}"
    )
    token.chmod(0o644)
    assert list(broken_targets(config, disk)) == []


def test_a_template_and_a_kubeconfig_for_root_alone_break_their_targets(
    tmp_path: Path, token: Path
) -> None:
    file = f"file: {{path: {tmp_path}/out.txt, template: {token}}}"
    kubernetes = f"kubernetes: {{kind: GlobalNetworkSet, kubeconfig: {token}}}"
    config = configuration(tmp_path, file, kubernetes)
    told = [(one.where, one.what) for one in broken_targets(config, served_by(tmp_path, "nobody"))]
    assert [where for where, _ in told] == ["web/file", "web/kubernetes"]
    assert all(f"their user nobody cannot read {token}" in what for _, what in told)
    assert list(unread_files(config)) == []


def test_a_template_that_is_not_there_is_told_without_any_service(
    tmp_path: Path, token: Path
) -> None:
    file = f"file: {{path: {tmp_path}/out.txt, template: {token}}}"
    config = configuration(tmp_path, NFTABLES, file)
    token.unlink()
    (only,) = unread_files(config)
    assert only.where == "web/file"
    assert only.what == f"runs cannot serve it: {token}: file not found"


@pytest.mark.parametrize(("make", "sort"), [(Path.mkdir, "folder"), (os.mkfifo, "pipe")])
def test_a_template_that_is_no_file_is_told(
    tmp_path: Path, token: Path, make: Callable[[Path], None], sort: str
) -> None:
    config = configuration(tmp_path, f"file: {{path: {tmp_path}/out.txt, template: {token}}}")
    token.unlink()
    make(token)
    (only,) = unread_files(config)
    assert only.what == f"runs cannot serve it: {token}: this is a {sort}, not a file"


def test_root_may_read_it_and_where_there_is_no_service_nothing_is_told(
    tmp_path: Path, token: Path
) -> None:
    cloud = f"cloudflare: {{account_id: {ACCOUNT}, list: web, api_token_file: {token}}}"
    config = configuration(tmp_path, cloud)
    assert list(broken_targets(config, served_by(tmp_path, "root"))) == []
    assert list(broken_targets(config, Disk(tmp_path / "none"))) == []


def test_a_user_that_does_not_exist_is_not_guessed(tmp_path: Path, as_root: None) -> None:
    assert service_user(served_by(tmp_path, "no-such-user")) is None


def test_a_secret_that_cannot_be_read_here_is_told_as_it_is(tmp_path: Path, token: Path) -> None:
    gone = token.with_name("gone")
    cloud = f"cloudflare: {{account_id: {ACCOUNT}, list: web, api_token_file: {gone}}}"
    config = configuration(tmp_path, NFTABLES, cloud)
    (only,) = broken_targets(config, Disk(tmp_path / "none"))
    assert (only.where, f"'{gone}': file not found" in only.what) == ("web/cloudflare", True)


def test_a_heartbeat_that_only_root_can_read_is_told(tmp_path: Path, token: Path) -> None:
    token.write_text("https://hc.example.net/ping/0123")
    beat = Heartbeat(url_file=KeptSecret(str(token), Secret(token.read_text())))
    config = replace(configuration(tmp_path, NFTABLES), heartbeat=beat)
    (only,) = closed_channels(config, served_by(tmp_path, "nobody"))
    assert (only.where, f"their user nobody cannot read {token}" in only.what) == (
        "heartbeat",
        True,
    )
    assert list(closed_channels(config, served_by(tmp_path, "root"))) == []


def test_a_file_of_hosts_that_only_root_can_read_is_told(tmp_path: Path, token: Path) -> None:
    config = replace(configuration(tmp_path, NFTABLES), hosts_from=HostsFrom(token))
    disk = served_by(tmp_path, "nobody")
    (only,) = closed_hosts_file(config, disk)
    assert only.where == "hosts_from.jsonlines"
    assert only.what == (
        f"scheduled runs cannot use it: their user nobody cannot read {token}; "
        "give its group access to file and folder (chgrp, chmod g+r)"
    )
    assert list(closed_hosts_file(config, served_by(tmp_path, "root"))) == []
    token.chmod(0o644)
    assert list(closed_hosts_file(config, disk)) == []
