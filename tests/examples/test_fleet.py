"""The configurations of a fleet, with a real etcd whose users the script beside them has made.

All of it runs in a namespace: etcd, the DNS, the machine that decides, and the gates of another.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from allowsync.fleet.envelope import public_key_of
from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT
from tests.support.etcd import Etcd
from tests.support.netns import Namespace
from tests.support.program import allowsync, allowsync_in

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

FOLDER = ROOT / "examples" / "fleet"
ANSIBLE = ROOT / "examples" / "ansible"
ZONES = {"alice.duckdns.org": ["81.2.69.1"], "bob.ddns.example": ["81.2.69.2"]}


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with Namespace() as one:
        yield one


@pytest.fixture
def etcd(tmp_path: Path, inside: Namespace) -> Iterator[Etcd]:
    (tmp_path / "etcd").mkdir()
    with Etcd(tmp_path / "etcd", places=[("127.0.0.1", inside)], outside=inside) as etcd:
        yield etcd


def written(folder: Path, name: str, etcd: Etcd, key: Path, **more: Any) -> Path:
    """An example for a machine of this test: with its etcd, key and DNS, and a state of its own."""
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    options = etcd.options(name)["etcd"]
    fleet = config["fleet"]
    assert fleet["store"]["etcd"].keys() == options.keys()
    assert fleet["store"]["etcd"]["user"] == options["user"]
    fleet["store"]["etcd"] = options
    fleet["keys"] = [public_key_of(key.read_text().strip())]
    if "signing_key_file" in fleet:
        fleet["signing_key_file"] = str(key)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**config, **more, "state": str(folder / name / "state.db")}))
    path.chmod(0o600)
    return path


def test_what_one_machine_decides_anothers_gates_let_in(
    tmp_path: Path, etcd: Etcd, inside: Namespace
) -> None:
    key = tmp_path / "signing.key"
    assert allowsync("fleet", "keygen", key).code == 0
    with inside.run(lambda: NameServer(ZONES)) as server:
        nameservers = {"nameservers": [str(server)]}
        resolver = written(tmp_path, "resolver", etcd, key, resolver=nameservers)
        applier = written(tmp_path, "applier", etcd, key)
        for machine in (resolver, applier):
            for command in ("apply", "check"):
                allowsync_in(inside, command, "--config", machine)
            assert allowsync_in(inside, "apply", "--config", machine) == ""
    assert listed(inside, "web") == ["203.0.113.0", "81.2.69.1", "81.2.69.2"]
    assert listed(inside, "ssh") == ["81.2.69.1"]


def of_inventory(folder: Path, key: Path) -> dict[str, Any]:
    """The configurations that the role of `examples/ansible` makes of its inventory, by machine."""
    place = "{{ inventory_hostname }}.made"
    content = "{{ allowsync_whole | to_nice_yaml(indent=2, sort_keys=False) }}"
    task = {"ansible.builtin.copy": {"content": content, "dest": f"{folder}/{place}"}}
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "vars_files": [str(ANSIBLE / "roles/allowsync/vars/main.yml")],
        "tasks": [task],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    keys = json.dumps({"allowsync_keys": [public_key_of(key.read_text().strip())]})
    program = Path(sys.executable).with_name("ansible-playbook")
    words = ("-i", str(ANSIBLE / "inventory.yml"), "-e", keys, str(folder / "play.yml"))
    environ = {"HOME": str(folder), "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    subprocess.run([program, *words], check=True, capture_output=True, env=environ)
    return {one.stem: yaml.safe_load(one.read_text()) for one in folder.glob("*.made")}


def test_what_ansible_makes_of_its_inventory_works_with_etcd(
    tmp_path: Path, etcd: Etcd, inside: Namespace
) -> None:
    key = tmp_path / "allowsync-signing"
    assert allowsync("fleet", "keygen", key).code == 0
    made = of_inventory(tmp_path, key)
    resolver, applier = made["resolver1.example.net"], made["edge1.example.net"]
    assert made.keys() == {"resolver1.example.net", "edge1.example.net", "edge2.example.net"}
    with inside.run(lambda: NameServer(ZONES)) as server:
        resolver["resolver"] = {"nameservers": [str(server)]}
        for name, config in (("resolver", resolver), ("applier", applier)):
            store, options = config["fleet"]["store"]["etcd"], etcd.options(name)["etcd"]
            assert store["user"] == options["user"]
            store |= {one: options[one] for one in ("endpoints", "ca")}
            (tmp_path / store["password_credential"]).write_bytes(etcd.password(name).read_bytes())
            path = tmp_path / f"{name}.yaml"
            path.write_text(yaml.safe_dump({**config, "state": str(tmp_path / name / "state.db")}))
            path.chmod(0o600)
            here = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
            for command in ("apply", "check", "apply"):
                done = inside.run(partial(allowsync, command, "--config", path, environ=here))
                assert done.code == 0, done.err
            assert done.out == ""
    assert listed(inside, "web") == ["203.0.113.0", "81.2.69.1"]


def listed(inside: Namespace, allowlist: str) -> list[str]:
    """The addresses in the set of a gate that holds networks of IPv4."""
    found = inside.command("nft", "list", "set", "inet", f"allowsync_{allowlist}", "ipv4")
    return sorted(re.findall(r"\d+\.\d+\.\d+\.\d+", found))
