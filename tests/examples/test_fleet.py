"""The configurations of a fleet, with a real etcd whose users the script beside them has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from allowsync.fleet.envelope import public_key_of
from testkit.fake_dns.nameserver import NameServer
from tests.support.documents import ROOT
from tests.support.etcd import Etcd
from tests.support.program import allowsync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "examples" / "fleet"
ZONES = {"alice.duckdns.org": ["81.2.69.1"], "bob.ddns.example": ["81.2.69.2"]}


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    (tmp_path / "etcd").mkdir()
    with Etcd(tmp_path / "etcd") as etcd:
        yield etcd


def written(folder: Path, name: str, etcd: Etcd, key: Path, **more: Any) -> Path:
    """An example for machines of this test: with its etcd, and files in the place of gates."""
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    options = etcd.options(name)["etcd"]
    fleet = config["fleet"]
    assert fleet["store"]["etcd"].keys() == options.keys()
    assert fleet["store"]["etcd"]["user"] == options["user"]
    fleet["store"]["etcd"] = options
    fleet["keys"] = [public_key_of(key.read_text().strip())]
    if "signing_key_file" in fleet:
        fleet["signing_key_file"] = str(key)
    for allowlist, one in config["allowlists"].items():
        if "targets" in one:
            one["targets"] = [{"file": {"path": str(folder / f"{allowlist}.txt")}}]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**config, **more, "state": str(folder / name / "state.db")}))
    path.chmod(0o600)
    return path


def test_what_one_machine_decides_another_holds(tmp_path: Path, etcd: Etcd) -> None:
    key = tmp_path / "signing.key"
    assert allowsync("fleet", "keygen", key).code == 0
    with NameServer(ZONES) as server:
        nameservers = {"nameservers": [str(server)]}
        resolver = written(tmp_path, "resolver", etcd, key, resolver=nameservers)
        done = allowsync("apply", "--config", resolver)
    assert (done.code, done.err) == (0, "")
    done = allowsync("apply", "--config", written(tmp_path, "applier", etcd, key))
    assert (done.code, done.err) == (0, "")
    held = {
        name: [one for one in (tmp_path / f"{name}.txt").read_text().splitlines() if "#" not in one]
        for name in ("web", "ssh")
    }
    assert held == {
        "web": ["81.2.69.1/32", "81.2.69.2/32", "203.0.113.0/28"],
        "ssh": ["81.2.69.1/32"],
    }
