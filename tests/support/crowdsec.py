"""A real CrowdSec with a folder of its own, its API, and the log of a Jellyfin that it reads.

Debian's package would start a service, and ask the internet who is bad. So it is unpacked, and not
installed.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.unpacked import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.netns import Namespace

FAILURES: Final = 6  # more than its scenario for Jellyfin takes
ITEMS: Final = (
    "parsers/s00-raw/crowdsecurity/syslog-logs.yaml",
    "parsers/s01-parse/LePresidente/jellyfin-logs.yaml",
    "parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml",
    "scenarios/LePresidente/jellyfin-bf.yaml",
)
_REFUSED: Final = (
    "[INF] [42] Jellyfin.Server.Implementations.Users.UserManager: "
    'Authentication request for "alice" has been denied (IP: "{}").\n'
)


_TABLES: Final = {
    version: {"enabled": True, "set-only": False, "table": table, "chain": f"{table}-chain"}
    for version, table in (("ipv4", "crowdsec"), ("ipv6", "crowdsec6"))
}


@dataclass
class CrowdSec:
    """One of them, in a namespace, with no one banned.

    Attributes:
        inside: The namespace.
        folder: What it has instead of folders below /etc and /var; made by `write`.
        reload: The command that has it read its configuration anew, while it runs.
    """

    inside: Namespace
    folder: Path
    reload: str = "false"

    @property
    def bin(self) -> Path:
        return unpacked("crowdsec", "crowdsec") / "usr/bin"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def log(self) -> Path:
        """Jellyfin's."""
        return self.folder / "jellyfin.log"

    def write(self) -> None:
        """Lay out what it needs, as the package and an administrator do."""
        files = unpacked("crowdsec", "crowdsec")
        hub = files / "usr/share/crowdsec/hub"
        etc = self.folder / "etc"
        shutil.copytree(files / "etc/crowdsec", etc)
        for item in map(Path, ITEMS):
            place = etc / item.parent.parent / item.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(hub / item)
        for name in ("data", "log", "plugins", "etc/notifications"):
            (self.folder / name).mkdir(exist_ok=True)
        self.log.touch()
        acquisition = {"filenames": [str(self.log)], "labels": {"type": "jellyfin"}}
        (etc / "acquis.yaml").write_text(json.dumps(acquisition))
        self.config.write_text(json.dumps(self._document(hub)))  # JSON is YAML
        machine = ("machines", "add", "test", "--password", "of-a-test", "--force")
        self.cscli(*machine, "--file", str(etc / "local.yaml"))

    def _document(self, hub: Path) -> dict[str, Any]:
        here, etc = str(self.folder), str(self.folder / "etc")
        return {
            "common": {"daemonize": True, "log_media": "file", "log_dir": f"{here}/log"},
            "config_paths": {
                "config_dir": etc,
                "data_dir": f"{here}/data",
                "simulation_path": f"{etc}/simulation.yaml",
                "hub_dir": str(hub),
                "index_path": str(hub / ".index.json"),
                "notification_dir": f"{etc}/notifications",
                "plugin_dir": f"{here}/plugins",
            },
            "crowdsec_service": {"acquisition_path": f"{etc}/acquis.yaml", "parser_routines": 1},
            "db_config": {"type": "sqlite", "db_path": f"{here}/data/crowdsec.db"},
            "api": {
                "client": {"credentials_path": f"{etc}/local.yaml"},
                "server": {"listen_uri": "127.0.0.1:8080", "profiles_path": f"{etc}/profiles.yaml"},
            },
            "prometheus": {"enabled": False},
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it runs."""

        def begin() -> subprocess.Popen[bytes]:
            argv = (self.bin / "crowdsec", "-c", self.config)
            return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        process = self.inside.run(begin)
        try:
            self._until_logged("Starting processing data")
            self.reload = f"kill -HUP {process.pid}"
            yield
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def bouncing(self) -> Iterator[None]:
        """While a bouncer carries its decisions into nftables."""
        key = self.cscli("bouncers", "add", "test", "-o", "raw").strip()
        document = {
            "mode": "nftables",
            "update_frequency": "1s",
            "daemonize": False,
            "log_mode": "stdout",
            "api_url": "http://127.0.0.1:8080/",
            "api_key": key,
            "deny_action": "DROP",
            "supported_decisions_types": ["ban"],
            "blacklists_ipv4": "crowdsec-blacklists",
            "blacklists_ipv6": "crowdsec6-blacklists",
            "nftables": _TABLES,
            "prometheus": {"enabled": False},
        }
        config = self.folder / "bouncer.yaml"
        config.write_text(json.dumps(document))
        name = "crowdsec-firewall-bouncer"
        program = str(unpacked(name, name) / "usr/bin" / name)
        process = self.inside.start(program, "-c", str(config))
        try:
            _until(lambda: "crowdsec6-chain" in self.inside.command("nft", "list", "ruleset"))
            yield
        finally:
            process.terminate()
            process.communicate()

    def until_dropped(self, *addresses: str) -> None:
        """Wait until the bouncer drops just what comes from these."""
        sets = (("ip", "crowdsec", "crowdsec-"), ("ip6", "crowdsec6", "crowdsec6-"))

        def dropped() -> set[str]:
            listed = (
                self.inside.command("nft", "-j", "list", "set", family, table, f"{name}blacklists")
                for family, table, name in sets
            )
            return {one for text in listed for one in addresses_in(json.loads(text))}

        _until(lambda: dropped() == set(addresses))

    def cscli(self, *words: str) -> str:
        return self.inside.command(str(self.bin / "cscli"), "-c", str(self.config), *words)

    def knock_wrongly(self, *addresses: str) -> None:
        """Let Jellyfin log refused logins, and wait until those of the last address are judged.

        It begins to read at the end of the file, a moment after it says that it does: what was
        written before is said again.
        """

        def refused() -> None:
            stamp = f"[{datetime.now(UTC):%Y-%m-%d %H:%M:%S}.000 +00:00] "
            with self.log.open("a") as file:
                file.writelines(
                    stamp + _REFUSED.format(one) for one in addresses for _ in range(FAILURES)
                )

        self._until_logged(f"ban on Ip {addresses[-1]}", refused)

    def until_reloaded(self) -> None:
        """Wait until it reads by its new configuration."""
        self._until_logged("Reload is finished")

    def banned(self) -> set[str]:
        """Whom its decisions are about: `Ip:192.0.2.1`, `Range:192.0.2.0/24`."""
        listed = self.cscli("decisions", "list", "-o", "raw").splitlines()
        return {row["ip"] for row in csv.DictReader(listed)}

    def _until_logged(self, text: str, again: Callable[[], None] = lambda: None) -> None:
        """Wait for a text in its log, doing something every ten seconds."""
        log = self.folder / "log" / "crowdsec.log"
        for tenths in range(600):
            if tenths % 100 == 0:
                again()
            if log.exists() and text in log.read_text():
                return
            time.sleep(0.1)
        raise AssertionError(log.read_text()[-2000:])


def addresses_in(listing: dict[str, Any]) -> set[str]:
    """The elements of a set of single addresses that run out, as nft lists it."""
    found = next(one["set"] for one in listing["nftables"] if "set" in one)
    return {one["elem"]["val"] for one in found.get("elem", ())}


def _until(expected: Callable[[], bool]) -> None:
    for _ in range(600):
        if expected():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")
