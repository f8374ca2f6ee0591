"""`allowsync schedule` as people call it, on the root of a system that does not run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from allowsync.schedule.files import INSTALL
from tests.support.program import ProgramResult, allowsync

CONFIGURATION = """\
hosts:
  alice: alice.example.org
allowlists:
  web:
    targets: [{nftables: {ports: [443/tcp]}}]
state: /var/lib/allowsync/state.db
"""
TIMER = "etc/systemd/system/allowsync.timer"
NOBODY = 65534
AS_NOBODY = f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"'
# A folder that holds an entry of ours, in the place of the system's.
ITS_CRON = (
    "mount -t tmpfs none /etc/cron.d; "
    "cp cron/allowsync.cron /etc/cron.d/allowsync; chmod 644 /etc/cron.d/allowsync"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with cron, with the program, and with a configuration."""
    for folder in ("etc/allowsync", "etc/cron.d", "usr/local/bin", "usr/lib/systemd"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/local/bin/allowsync").symlink_to("/opt/allowsync/bin/allowsync")
    config = tmp_path / "etc/allowsync/config.yaml"
    config.write_text(CONFIGURATION)
    config.chmod(0o600)
    return tmp_path


@pytest.fixture
def booting(root: Path) -> Path:
    """The same with systemd."""
    (root / "usr/lib/systemd/systemd").touch()
    return root


def schedule(root: Path, *words: str) -> ProgramResult:
    return allowsync("schedule", *words, "--root", root)


def everything(root: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in root.rglob("*") if one.is_file()}


def test_without_systemd_it_is_cron(root: Path) -> None:
    done = schedule(root, "install")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == [
        "wrote /etc/cron.d/allowsync",
        "a run every 5m, started by cron",
    ]
    entry = (root / "etc/cron.d/allowsync").read_text()
    assert entry.startswith("# Written by 'allowsync schedule install'")
    assert "root  /usr/local/bin/allowsync apply --quiet\n" in entry


def test_a_second_time_there_is_nothing_to_do(root: Path) -> None:
    schedule(root, "install")
    before = everything(root)
    assert schedule(root, "install").out == "nothing to do: all is in place\n"
    assert everything(root) == before


def test_a_dry_run_says_all_that_would_be_written_and_writes_nothing(booting: Path) -> None:
    before = everything(booting)
    done = schedule(booting, "install", "--dry-run", "--interval", "15m")
    assert done.code == 0
    assert everything(booting) == before
    assert "would write /etc/systemd/system/allowsync.timer\n" in done.out
    assert "\n    OnCalendar=*:0/15\n" in done.out
    assert (
        f"would run systemctl --root={booting} enable allowsync.timer allowsync-restore.service\n"
        in done.out
    )


def test_the_same_is_told_to_programs(booting: Path) -> None:
    document = schedule(booting, "install", "--dry-run", "--output", "json").document
    assert (document["schema"], document["exit_code"]) == ("allowsync.schedule/1", 0)
    assert (document["action"], document["dry_run"]) == ("install", True)
    paths = [one["path"] for one in document["write"]]
    assert f"/{TIMER}" in paths
    assert "/etc/sysusers.d/allowsync.conf" in paths
    timer = next(one for one in document["write"] if one["path"] == f"/{TIMER}")
    assert "[Timer]\n" in timer["content"]
    assert document["commands"][-1][0] == "systemctl"


@pytest.mark.root
def test_systemd_finds_the_units_enabled(as_root: None, booting: Path) -> None:
    done = schedule(booting, "install", "--as-root")
    assert (done.code, done.err) == (0, "")
    assert f"ran systemctl --root={booting} enable" in done.out
    assert (booting / "etc/systemd/system/timers.target.wants/allowsync.timer").is_symlink()
    shown = schedule(booting, "show")
    assert shown.out.splitlines() == [
        "/etc/systemd/system/allowsync.service: in place",
        "/etc/systemd/system/allowsync.service.d/needs.conf: in place",
        "/etc/systemd/system/allowsync.timer: in place",
        "/etc/systemd/system/allowsync-restore.service: in place",
        "/etc/systemd/system/allowsync-restore.service.d/needs.conf: in place",
    ]
    removed = schedule(booting, "remove", "--yes")
    assert removed.code == 0
    assert "removed /etc/systemd/system/allowsync.timer\n" in removed.out
    assert not list((booting / "etc/systemd").rglob("allowsync*"))


SECRETS = """\
heartbeat: {url_file: ping.url}
notify: [{url_env: NTFY}, {url_credential: letters}, {url_file: /srv/mail.url}]
metrics: metrics/allowsync.prom
"""


def put(path: Path, secret: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(secret)
    path.chmod(0o600)


def test_an_image_has_its_secrets_and_its_paths_within(booting: Path) -> None:
    config = booting / "etc/allowsync/config.yaml"
    config.write_text(config.read_text() + SECRETS)
    letters = "ntfy://ntfy.example.net/a\n"
    put(booting / "etc/allowsync/environment", f"NTFY={letters}")
    put(booting / "etc/credstore/letters", letters)
    put(booting / "srv/mail.url", letters)
    assert "etc/allowsync/config.yaml:" in schedule(booting, "install", "--dry-run").err
    put(booting / "etc/allowsync/ping.url", "https://hc.example.net/ping/1\n")
    done = schedule(booting, "install", "--dry-run")
    assert (done.code, done.err) == (0, "")
    said = done.out.splitlines()
    assert "    ReadWritePaths=-/etc/allowsync/metrics" in said
    assert "    LoadCredential=letters:/etc/credstore/letters" in said
    assert "    EnvironmentFile=/etc/allowsync/environment" in said
    assert "the service runs as root: only root may read /srv/mail.url" in said
    assert str(booting) not in done.out.replace(f"--root={booting}", "")


def test_what_somebody_changed_is_not_replaced_unasked(root: Path) -> None:
    schedule(root, "install")
    entry = root / "etc/cron.d/allowsync"
    entry.write_text(entry.read_text().replace("--quiet", "--verbose"))
    done = schedule(root, "install")
    assert done.code == 2
    assert done.err.startswith("/etc/cron.d/allowsync: was changed by hand; keep your changes")
    assert "--verbose" in entry.read_text()
    assert "/etc/cron.d/allowsync: changed by hand\n" in schedule(root, "show").out
    assert schedule(root, "remove", "--yes").code == 2
    assert schedule(root, "install", "--force").code == 0
    assert "--verbose" not in entry.read_text()


def test_what_somebody_wrote_is_not_replaced_unasked(root: Path) -> None:
    entry = root / "etc/cron.d/allowsync"
    entry.write_text("# mine\n")
    done = schedule(root, "install")
    assert (done.code, entry.read_text()) == (2, "# mine\n")
    assert "is not a file of 'allowsync schedule'; --force replaces it" in done.err
    assert schedule(root, "remove", "--yes").out == "nothing to do: all is in place\n"


def test_removing_asks_first(root: Path) -> None:
    schedule(root, "install")
    done = schedule(root, "remove")
    assert done.code == 2
    assert "without a terminal for the question, pass --yes" in done.err
    assert (root / "etc/cron.d/allowsync").exists()
    assert schedule(root, "remove", "--yes").code == 0
    assert not (root / "etc/cron.d/allowsync").exists()
    assert (root / "etc/cron.d").is_dir()


def test_nothing_is_installed_for_a_configuration_that_is_not_valid(booting: Path) -> None:
    (booting / "etc/allowsync/config.yaml").write_text("hosts: {}\n")
    before = everything(booting)
    done = schedule(booting, "install", "--output", "json")
    assert (done.code, done.document["exit_code"]) == (2, 2)
    assert done.document["problems"]
    assert everything(booting) == before


def test_an_interval_that_no_clock_divides_is_a_mistake(root: Path) -> None:
    done = schedule(root, "install", "--interval", "7m")
    assert done.code == 2
    assert "does not divide an hour or a day: 1m, 2m" in done.err


def test_a_system_without_either_is_told_so(tmp_path: Path, root: Path) -> None:
    (root / "etc/cron.d").rmdir()
    done = schedule(root, "install")
    assert done.code == 2
    assert "neither systemd runs here nor is there /etc/cron.d" in done.err


def test_a_system_without_the_program_is_told_so(root: Path) -> None:
    (root / "usr/local/bin/allowsync").unlink()
    done = schedule(root, "install")
    assert done.code == 2
    assert f"there is no allowsync in {root}" in done.err


def test_where_nothing_is_installed_show_says_what_would_change_that(root: Path) -> None:
    assert schedule(root, "show").out == f"no schedule is installed; {INSTALL}\n"
    document = schedule(root, "show", "--output", "json").document
    assert (document["scheduler"], document["files"]) == (None, [])


@pytest.mark.root
def test_a_user_is_told_to_install_it_with_sudo(as_root: None) -> None:
    with TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        done = allowsync("schedule", "show", "--root", folder, prefix=["sh", "-c", AS_NOBODY, "sh"])
    assert done.out == "no schedule is installed; run 'sudo allowsync schedule install'\n"


@pytest.mark.root
@pytest.mark.parametrize("words", [["install", "--cron"], ["remove", "--yes"]])
def test_without_root_it_says_what_helps_before_anything_is_tried(
    as_root: None, words: list[str]
) -> None:
    with TemporaryDirectory() as folder:  # not below a folder that root alone may enter
        config = Path(folder, "config.yaml")
        config.write_text(CONFIGURATION)
        for one in (folder, config):
            os.chown(one, NOBODY, NOBODY)
        namespace = ["unshare", "--mount", "sh", "-c", f"{ITS_CRON}; {AS_NOBODY}", "sh"]
        done = allowsync("schedule", *words, "--config", config, prefix=namespace)
    assert (done.code, done.out) == (1, "")
    (said,) = done.err.splitlines()
    assert re.fullmatch(
        rf"schedule: not {words[0].removesuffix('e')}ed: only root may do that; nothing was "
        rf"changed; run: sudo allowsync schedule {' '.join(words)} --config {config}",
        said,
    )
