"""The Ansible role, by the real Ansible, on systems that booted: one decides, one follows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.boot import Machine
from tests.support.documents import ROOT
from tests.support.once import once

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(480)]

FOLDER: Final = ROOT / "examples" / "ansible"
# What Ansible consists of; all of it works without its compiled parts.
PARTS: Final = ("ansible-core", "jinja2", "markupsafe", "packaging", "pyyaml", "resolvelib")
LOCAL: Final = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
STORE: Final = {"name": "home", "store": {"file": "/srv/allowsync"}}
PLAY: Final = """\
    export PYTHONPATH=/opt/ansible ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8 HOME=/root
    export ANSIBLE_PIPELINING=1
    cd /test/ansible
    play() { python3 -m ansible playbook -i here.yml site.yml 2>&1; }
    """
DECIDES: Final = f"""\
    {PLAY}
    play > first; play > second
    stat -c '%U %a %n' /etc/credstore/* /etc/allowsync/*
    cat /etc/allowsync/config.yaml
    systemctl is-active allowsync.timer
    sed -i s/203.0.113.0/203.0.113.16/ here.yml; play > third
    systemctl show -p Result -p ExecMainStatus allowsync.service
    journalctl -b -o cat -u allowsync.service
    """
FOLLOWS: Final = f"""\
    {PLAY}
    play > first; play > second
    systemctl is-active allowsync.timer allowsync-follow.service
    systemctl show -p Result -p ExecMainStatus allowsync.service
    nft list table inet allowsync_web
    cp /test/without-network.conf /etc/systemd/system/allowsync.service.d/
    systemctl daemon-reload; nft delete table inet allowsync_web
    systemctl start allowsync.service
    systemctl show -p RestrictAddressFamilies -p ExecMainStatus allowsync.service
    nft list table inet allowsync_web > without
    journalctl -b -o cat -u allowsync.service
    """


def recap(text: str) -> dict[str, int]:
    """What Ansible counted at the end."""
    found = re.search(r"^here +: (.*)$", text, re.MULTILINE)
    assert found is not None, text
    return {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", found[1])}


def put_ansible(root: Path) -> None:
    """Put the Ansible of the tests into a machine, where no package of it is."""
    for part in PARTS:
        for file in distribution(part).files or ():
            source, target = Path(str(file.locate())), root / "opt/ansible" / str(file)
            if file.suffix != ".so" and ".." not in file.parts and source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)  # compiled files name the time of their source


def built(folder: Path) -> Path:
    """The wheel of the checkout."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--disable-pip-version-check"),
            *("--wheel-dir", str(folder), str(ROOT)),
        ],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def prepared(folder: Path, wheel: Path, group: str, **more: Any) -> Machine:
    folder.mkdir()
    machine, place = Machine(folder), folder / "top/test/ansible"
    shutil.copytree(FOLDER, place, ignore=shutil.ignore_patterns("inventory.yml"))
    put_ansible(folder / "top")
    shutil.copy(wheel, place)
    shared = {"allowsync_package": wheel.name, "allowsync_fleet": STORE}
    hosts = {"hosts": {"here": LOCAL}, "vars": {**shared, **more}}
    machine.write("/test/ansible/here.yml", yaml.safe_dump({group: hosts}))
    machine.write("/srv/allowsync/README", "Decisions.\n")
    return machine


def _told(folder: Path) -> dict[str, str]:
    hosts = {"office": {"networks": ["203.0.113.0/28"]}}
    decides = {"hosts": hosts, "allowlists": {"web": {"publish": True}}}
    wheel = built(folder)
    one = prepared(folder / "one", wheel, "publishers", allowsync_config=decides)
    found = {"decides": one.boot(DECIDES, seconds=240)}
    runs = {name: one.read(f"/test/ansible/{name}") for name in ("first", "second", "third")}
    found |= {f"decides {name}": text for name, text in runs.items()}
    web = {"follow": True, "targets": [{"nftables": {"ports": ["443/tcp"]}}]}
    key = one.read("/etc/allowsync/signing.pub").strip()
    other = prepared(
        folder / "other",
        wheel,
        "appliers",
        allowsync_config={"allowlists": {"web": web}},
        allowsync_keys=[key],
    )
    without = (ROOT / "examples/fleet/without-network.conf").read_text()
    other.write("/test/without-network.conf", without)
    other.write("/srv/allowsync/web.json", one.read("/srv/allowsync/web.json"))
    found["follows"] = other.boot(FOLLOWS, seconds=240)
    runs = {name: other.read(f"/test/ansible/{name}") for name in ("first", "second", "without")}
    return found | {f"follows {name}": text for name, text in runs.items()}


@pytest.fixture
def told(as_root: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each machine printed, and what Ansible said of each play."""
    return once(tmp_path_factory, "ansible", lambda: _told(tmp_path_factory.mktemp("machines")))


@pytest.mark.parametrize("role", ["decides", "follows"])
def test_a_second_play_changes_nothing(told: dict[str, str], role: str) -> None:
    for name in ("first", "second"):
        counted = recap(told[f"{role} {name}"])
        assert (counted["failed"], counted["unreachable"]) == (0, 0), told[f"{role} {name}"]
        assert bool(counted["changed"]) is (name == "first"), told[f"{role} {name}"]


def test_the_machine_that_decides_has_a_key_that_only_systemd_reads(told: dict[str, str]) -> None:
    said = told["decides"]
    assert "root 600 /etc/credstore/allowsync-signing\n" in said
    assert re.search(r"^  signing_key_credential: allowsync-signing$", said, re.MULTILINE)
    assert re.search(r"^  - ed25519:\S{43}=$", said, re.MULTILINE)
    assert "ExecMainStatus=0" in said


def test_another_configuration_is_applied_with_the_key_that_is_there(told: dict[str, str]) -> None:
    counted = recap(told["decides third"])
    assert (counted["failed"], counted["changed"]) == (0, 2), told["decides third"]


def test_the_machine_that_follows_holds_what_was_decided(told: dict[str, str]) -> None:
    said = told["follows"]
    assert said.startswith("active\nactive\n"), said
    assert "203.0.113.16/28" in said
    assert "ExecMainStatus=0" in said


def test_one_that_follows_a_folder_needs_no_network(told: dict[str, str]) -> None:
    said = told["follows"]
    (families,) = re.findall("RestrictAddressFamilies=(.*)", said)
    assert families == "AF_NETLINK"
    assert said.count("\nExecMainStatus=0\n") == 2, said
    assert "203.0.113.16/28" in told["follows without"]
