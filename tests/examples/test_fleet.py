"""The configurations of a fleet, with a real etcd whose users the script beside them has made.

All of it runs in a namespace: etcd, the DNS, the machine that decides, and the gates of another.
"""

from __future__ import annotations

import re
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
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("as_root")]

FOLDER = ROOT / "examples" / "fleet"
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


def listed(inside: Namespace, allowlist: str) -> list[str]:
    """The addresses in the set of a gate that holds networks of IPv4."""
    found = inside.command("nft", "list", "set", "inet", f"allowsync_{allowlist}", "ipv4")
    return sorted(re.findall(r"\d+\.\d+\.\d+\.\d+", found))
