"""The wheel: nothing in it but the program, and what it brings is enough for its firewalls."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from testkit.fake_cloudflare import FakeCloudflare
from testkit.fake_dns.nameserver import NameServer
from tests.packaging.test_locks import pins
from tests.support.documents import ROOT
from tests.support.netns import Namespace
from tests.support.ufw import with_ufw

if TYPE_CHECKING:
    from pathlib import Path

PIP: Final = ("-m", "pip", "--disable-pip-version-check", "--quiet")
SERVES: Final = re.compile(r"\bHTTPServer\b|\bsocketserver\b|\.listen\(|\.accept\(")

CONFIG: Final = """
hosts: {{alice: alice.example.org}}
resolver: {{nameservers: ['{server}']}}
state: {folder}/state/state.db
allowlists:
  web:
    hosts: [alice]
    targets:
      - nftables: {{ports: [8443/tcp]}}
      - ipset: {{ports: [9443/tcp]}}
      - ufw: {{ports: [443/tcp]}}
      - cloudflare:
          api_url: {fake.url}
          account_id: {fake.account}
          list: friends
          api_token_file: {folder}/cloudflare.token
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install .` builds, by the build backend that is locked."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, *PIP, "wheel", *options, str(ROOT)], check=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_the_program_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/", 1)[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "allowsync",
        "allowsync_backends",
    }
    assert [name for name in names if re.search(r"fake|testkit|docgen|test_|conftest", name)] == []


def test_no_module_of_the_wheel_is_a_server(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        modules = [name for name in archive.namelist() if name.endswith(".py")]
        serving = [name for name in modules if SERVES.search(archive.read(name).decode())]
    assert len(modules) > 100
    assert serving == ["allowsync/packetpath/probe.py"]  # it listens in the copy alone


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.usefixtures("as_root")
def test_an_empty_environment_needs_nothing_but_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The four firewalls that the project is named for, each changed by what pip brought."""
    venv.create(tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    locked = tmp_path / "constraints.txt"
    locked.write_text("".join(f"{pin}\n" for pin in pins("run")))
    # A pip of its own, and bytecode of what is never imported, would take most of the time.
    options = ("--no-compile", "--only-binary=:all:", "--constraint", str(locked))
    into = ("--python", str(python))
    subprocess.run([sys.executable, *PIP, *into, "install", *options, str(wheel)], check=True)
    with (
        Namespace() as inside,
        inside.run(lambda: NameServer({"alice.example.org": ["81.2.69.1"]})) as server,
        inside.run(FakeCloudflare) as fake,
    ):
        with_ufw(inside)
        fake.add_list("friends")
        token = tmp_path / "cloudflare.token"
        token.touch(mode=0o600)
        token.write_text(fake.token)
        config = tmp_path / "allowsync.yaml"
        config.touch(mode=0o600)
        config.write_text(CONFIG.format(server=server, folder=tmp_path, fake=fake))
        program = str(python.with_name("allowsync"))
        given = ("--config", str(config), "--output", "json")
        report = json.loads(inside.command(program, "apply", *given))
        outcomes = {target["target"]: target["outcome"] for target in report["targets"]}
        assert outcomes == {
            f"web/{name}": "applied" for name in ("nftables", "ipset", "ufw", "cloudflare")
        }
        held = (
            inside.command("nft", "list", "ruleset"),
            inside.command("ipset", "list"),
            inside.command("ufw", "status"),
            str(fake.items("friends")),
        )
    assert all("81.2.69.1" in one for one in held)
