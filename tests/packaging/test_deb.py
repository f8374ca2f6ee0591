"""The Debian package: what is in it, and what it does to a Debian."""

from __future__ import annotations

import re
import subprocess
import sys
from email import message_from_string
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from allowsync import __version__
from allowsync.cli.group import cli
from tests.packaging.conftest import build
from tests.support.boot import Machine
from tests.support.documents import ROOT

if TYPE_CHECKING:
    from email.message import Message

FROM_DEBIAN = {"pyyaml": "6.0"}
EXTRAS = ("", "doh", "cloudflare", "notify")
CONFIGURATION = """\
hosts: {office: {networks: [203.0.113.0/24]}}
allowlists: {web: {targets: [nftables: {ports: [443/tcp]}]}}
notify: [{url: "json://localhost:9/"}]
"""
LIFE = """
say() { printf '\\n== %s\\n' "$*"; }
enabled() { systemctl is-enabled allowsync.timer allowsync-restore.service; }
say backends; allowsync backends
say shipped; enabled
say by the shipped unit; systemctl start allowsync.service || exit
nft list table inet allowsync_web; systemctl show -p User -p Result allowsync.service
stat -c '%U %a' /var/lib/allowsync/state.db /etc/allowsync/config.yaml
say scheduled; allowsync schedule install && enabled && systemctl is-active allowsync.timer
systemctl cat allowsync.service | grep ^ExecStart
say checked; allowsync check
say started again; systemctl stop allowsync.timer; allowsync status
allowsync schedule install; systemctl is-active allowsync.timer
say cleared; printf 'y\\ny\\n' | script -qec 'allowsync clear' /dev/null
systemctl is-active allowsync.timer; enabled; nft list tables
say back; allowsync apply --quiet; allowsync schedule install; systemctl is-active allowsync.timer
say removed; dpkg --remove allowsync
say left; find /etc/systemd /etc/sysusers.d /etc/tmpfiles.d /usr /etc/cron.d -name '*allowsync*'
nft list table inet allowsync_web; ls /var/lib/allowsync
say purged; dpkg --purge allowsync; ls /etc/allowsync /var/lib/allowsync 2>&1
"""


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "--raw-extract", package, root], check=True)
    return root


@pytest.fixture
def machine(package: Path, tmp_path: Path) -> Machine:
    """A Debian with the package in it, installed as people do."""
    machine = Machine(tmp_path)
    folder = tmp_path / "top" / "srv"
    folder.mkdir()
    (folder / package.name).write_bytes(package.read_bytes())
    machine.chroot(
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive "
        f"apt-get install -qq --no-install-recommends /srv/{package.name}"
    )
    return machine


def brought_along(unpacked: Path) -> dict[str, Message]:
    """What a library in the package says of itself, by its name."""
    told = [
        message_from_string(one.read_text())
        for one in (unpacked / "usr/lib/allowsync").glob("*.dist-info/METADATA")
    ]
    return {canonicalize_name(one["Name"]): one for one in told}


def needed_by(name: str, told: Message) -> list[Requirement]:
    extras = EXTRAS if name == "allowsync" else ("",)
    wanted = (Requirement(line) for line in told.get_all("Requires-Dist") or ())
    environments = [{"extra": extra, "python_version": "3.11"} for extra in extras]
    return [
        one
        for one in wanted
        if one.marker is None or any(one.marker.evaluate(each) for each in environments)
    ]


def said(text: str, title: str) -> str:
    """What was printed under a title."""
    return text.partition(f"== {title}\n")[2].partition("\n== ")[0]


def file_digest(path: Path) -> str:
    """What a file holds, in short: nobody wants to see where two archives differ."""
    return sha256(path.read_bytes()).hexdigest()


def test_an_unpacked_archive_is_built_without_git() -> None:
    script = (
        "import sys; sys.path.insert(0, 'packaging/deb'); import process; print(process.epoch())"
    )
    argv = [sys.executable, "-c", script]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, env={"PATH": "/none"}, cwd=ROOT
    )
    assert int(done.stdout) == 315_532_800


def test_the_package_is_named_after_the_version(package: Path) -> None:
    assert package.name == f"allowsync_{__version__}_all.deb"


def test_everything_in_it_belongs_to_root_and_nobody_else_may_write(package: Path) -> None:
    listed = subprocess.run(
        ["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(listed) > 500
    for line in listed:
        mode, owner, *_ = line.split()
        assert owner == "root/root", line
        assert mode[0] in "d-", line
        assert mode[5] == mode[8] == "-", line


def test_each_command_has_its_page_and_each_shell_its_completion(unpacked: Path) -> None:
    share = unpacked / "usr/share"
    pages = {one.name for one in (share / "man/man8").iterdir()}
    assert pages >= {f"allowsync-{name}.8.gz" for name in cli.list_commands(click.Context(cli))}
    assert (share / "man/man5/allowsync.yaml.5.gz").exists()
    for place in ("bash-completion/completions/allowsync", "zsh/vendor-completions/_allowsync"):
        assert "_ALLOWSYNC_COMPLETE" in (share / place).read_text()
    assert (share / "fish/vendor_completions.d/allowsync.fish").exists()


def test_units_start_the_program_where_the_package_puts_it(unpacked: Path) -> None:
    units = sorted((unpacked / "usr/lib/systemd/system").iterdir())
    assert [one.name for one in units] == [
        *("allowsync-restore.service", "allowsync.service", "allowsync.timer")
    ]
    assert (unpacked / "usr/bin/allowsync").stat().st_mode & 0o777 == 0o755
    for one in units[:2]:
        assert "ExecStart=/usr/bin/allowsync apply" in one.read_text()
        assert "--create /usr/share/allowsync/tmpfiles.conf\n" in one.read_text()
        assert "/usr/local" not in one.read_text()


def test_the_user_of_the_units_comes_along(unpacked: Path) -> None:
    assert "u allowsync " in (unpacked / "usr/lib/sysusers.d/allowsync.conf").read_text()
    assert "allowsync allowsync" in (unpacked / "usr/share/allowsync/tmpfiles.conf").read_text()


def test_what_the_documents_name_and_link_is_installed(unpacked: Path) -> None:
    share = unpacked / "usr/share/doc/allowsync"
    pages = [share / "README.md", *share.glob("docs/**/*.md")]
    named = {
        path
        for page in pages
        for path in re.findall(r"/usr/share/doc/allowsync[\w./-]*[\w]", page.read_text())
    }
    linked = {
        (page.parent / link).resolve()
        for page in pages
        for link in re.findall(r"\]\(([\w./-]+?)(?:#[\w-]+)?\)", page.read_text())
    }
    linked = {
        one for one in linked if one.parts[len(share.parts) :][:1] in {("docs",), ("examples",)}
    }
    assert len(named) > 10
    assert len(linked) > 30
    assert [one for one in named if not (unpacked / one.lstrip("/")).exists()] == []
    assert [str(one) for one in linked if not one.exists()] == []
    there = {one.relative_to(share) for one in (share / "examples").rglob("*")}
    assert {Path("examples/Caddyfile"), Path("examples/monitoring/alerts.yaml")} <= there
    assert not share.joinpath("examples/demo").exists()


def test_only_root_may_look_at_the_configuration(unpacked: Path) -> None:
    assert (unpacked / "etc/allowsync").stat().st_mode & 0o777 == 0o700
    assert not any((unpacked / "etc/allowsync").iterdir())


def test_what_is_brought_along_has_all_it_needs(unpacked: Path) -> None:
    there = brought_along(unpacked)
    versions = {name: told["Version"] for name, told in there.items()} | FROM_DEBIAN
    missing = [
        f"{name} needs {one}"
        for name, told in there.items()
        for one in needed_by(name, told)
        if canonicalize_name(one.name) not in versions
        or (
            canonicalize_name(one.name) not in FROM_DEBIAN
            and versions[canonicalize_name(one.name)] not in one.specifier
        )
    ]
    assert not missing, "make deb-lock brings vendored.txt up to date"


def test_nothing_in_it_is_compiled(unpacked: Path) -> None:
    kinds = {one.suffix for one in (unpacked / "usr/lib/allowsync").rglob("*") if one.is_file()}
    assert kinds & {".so", ".pyc", ".pyd"} == set()


def test_every_library_is_named_with_its_license(unpacked: Path) -> None:
    text = (unpacked / "usr/share/doc/allowsync/copyright").read_text()
    for told in brought_along(unpacked).values():
        _, _, body = text.rpartition(f"\nLicense: {told['Name'].lower()}-license\n")
        assert len(body.partition("\nFiles: ")[0]) > 60, told["Name"]


@pytest.mark.slow
def test_the_same_sources_make_the_same_package(package: Path, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert file_digest(again) == file_digest(package)


@pytest.mark.slow
def test_lintian_has_nothing_to_say(package: Path) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.usefixtures("as_root")
def test_a_debian_gets_it_runs_it_and_is_rid_of_it_again(machine: Machine) -> None:
    # The program is compiled already, and needs nothing of what pip may have put elsewhere.
    assert machine.chroot("allowsync --version").strip() == f"allowsync {__version__}"
    assert machine.chroot("find /usr/lib/allowsync/allowsync -name '*.pyc'").count(".pyc") > 20
    assert machine.chroot("dpkg --verify allowsync") == ""

    machine.write("/etc/allowsync/config.yaml", CONFIGURATION, 0o600)
    assert "203.0.113.0/24" in machine.chroot("allowsync config show")

    told = machine.boot(LIFE)
    assert re.search(r"^nftables: .*; can be used here$", said(told, "backends"), re.MULTILINE)
    assert said(told, "shipped").split() == ["disabled", "disabled"]
    by_unit = said(told, "by the shipped unit")
    assert "203.0.113.0/24" in by_unit
    assert "User=allowsync" in by_unit
    assert "Result=success" in by_unit
    assert by_unit.endswith("\nallowsync 600\nroot 640\n")
    scheduled = said(told, "scheduled")
    assert "\nenabled\nenabled\nactive\n" in scheduled
    assert "\nExecStart=/usr/bin/allowsync apply" in scheduled
    # Processes of its own find the modules, too: that of packets and that of notifications.
    checked = said(told, "checked")
    assert "1 host, 1 target: " in checked
    assert "the copy failed" not in checked
    assert "notify" not in checked
    again = said(told, "started again")
    assert "inactive: no run starts; run 'allowsync schedule install'" in again
    assert "\nran systemctl restart allowsync.timer\n" in again
    assert again.endswith("\nactive\n")
    cleared = said(told, "cleared").replace("\r", "")
    assert re.search(
        r"schedule: active \(allowsync.timer, next run .*\): its next run restores", cleared
    )
    assert "Stop the schedule, too? [Y/n]: " in cleared
    assert "schedule: stopped; 'allowsync schedule install' starts it again" in cleared
    assert cleared.endswith("\ninactive\ndisabled\ndisabled\n")
    assert said(told, "back").endswith("\nactive\n")
    assert "stays as it is" in said(told, "removed")
    left = said(told, "left")
    assert not re.search(r"^/", left, re.MULTILINE)
    assert "203.0.113.0/24" in left, "the gate stays"
    assert "state.db" in left
    assert "/etc/allowsync stays" in said(told, "purged")
    assert "config.yaml" in said(told, "purged")
    assert "cannot access '/var/lib/allowsync'" in said(told, "purged")


def test_the_lock_names_each_file_by_its_hash() -> None:
    lines = (ROOT / "packaging/deb/vendored.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==\S+ --hash=sha256:[0-9a-f]{64}", one) for one in lines[1:])
    assert len(lines) > 8
