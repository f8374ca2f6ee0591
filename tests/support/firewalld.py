"""A real firewalld in a network namespace, with a D-Bus, an /etc/firewalld and a /run of its own.

Nothing of it reaches the machine's own: the mounts are private, and end with the namespace's
thread, as the two programs do.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync_backends.common.firewalld_bus import PERMANENT, RUNTIME, Bus, method
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.firewalld import TYPE, FirewalldOptions

from allowsync.backend.api import BackendError
from allowsync.model.target import Placement
from tests.support.gates import GUARDED

if TYPE_CHECKING:
    from allowsync_backends.common.firewalld_bus import Call

    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

ZONE: Final = "public"
PORTS: Final = (Port(GUARDED, GUARDED, Protocol.TCP), Port(GUARDED, GUARDED, Protocol.UDP))
FILES: Final = Path("/etc/firewalld")

# As the system's, but that it starts nothing and asks nobody for permission.
_BUS: Final = """\
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="*"/> <allow receive_type="*"/>
  </policy>
</busconfig>
"""
_ENDS_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL")


@dataclass(slots=True)
class Firewalld:
    """firewalld in a namespace, running from `start` to `stop`."""

    inside: Namespace
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Firewalld:
        self.inside.keep_mounts()
        self.inside.run(_lay_out)
        bus = ("dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--print-address")
        self.running.append(self.inside.start(*_ENDS_WITH_US, *bus))
        stdout = self.running[0].stdout
        assert stdout is not None
        stdout.readline()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        while self.running:
            self.stop()

    def start(self) -> None:
        """Start firewalld, and wait until it has loaded what is on the disk."""
        program = ("firewalld", "--nofork", "--nopid")
        self.running.append(self.inside.start(*_ENDS_WITH_US, *program))
        until = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < until, "firewalld does not start"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return bool(self.ask(RUNTIME, "", "getDefaultZone", gives="s"))
        except BackendError:
            return False

    def stop(self) -> None:
        """Let what was started last end by itself: firewalld takes its rules away then."""
        with self.running.pop() as ending:
            ending.terminate()

    def ask(self, path: str, interface: str, name: str, *arguments: Any, gives: str) -> Any:
        """What a call gives; texts as arguments."""
        return self.inside.run(self._ask, path, interface, name, arguments, gives)

    @staticmethod
    def _ask(path: str, interface: str, name: str, arguments: tuple[str, ...], gives: str) -> Any:
        with Bus() as bus:
            call = method(path, interface, name, "s" * len(arguments), *arguments)
            return bus.ask(call, gives)

    def change(self, path: str, interface: str, name: str, signature: str, *rest: Any) -> None:
        """Make a call that must succeed."""
        self.inside.run(self._change, method(path, interface, name, signature, *rest))

    @staticmethod
    def _change(call: Call) -> None:
        with Bus() as bus:
            bus.change([call])

    def reload(self) -> None:
        """As `firewall-cmd --reload`."""
        self.change(RUNTIME, "", "reload", "")

    def kept(self, kind: str, name: str) -> str:
        """The object that keeps an `IPSet` or a `Zone` on the disk."""
        return str(self.ask(PERMANENT, "config", f"get{kind}ByName", name, gives="o"))

    def rules(self) -> tuple[list[str], list[str]]:
        """The rich rules of the zone, in force and on the disk."""
        now = self.ask(RUNTIME, "zone", "getRichRules", ZONE, gives="as")
        later = self.ask(self.kept("Zone", ZONE), "config.zone", "getRichRules", gives="as")
        return sorted(now), sorted(later)

    def add_rule(self, rule: str, *, keep: bool = True) -> None:
        """Add a rich rule to the zone, as an administrator does."""
        self.change(RUNTIME, "zone", "addRichRule", "ssi", ZONE, rule, 0)
        if keep:
            self.change(self.kept("Zone", ZONE), "config.zone", "addRichRule", "s", rule)

    def remove_rule(self, rule: str, *, keep: bool = False) -> None:
        """Remove a rich rule from the zone; where it is kept, only from what is in force."""
        self.change(RUNTIME, "zone", "removeRichRule", "ss", ZONE, rule)
        if not keep:
            self.change(self.kept("Zone", ZONE), "config.zone", "removeRichRule", "s", rule)

    def sets(self) -> set[str]:
        """The names of the sets that are in force."""
        return set(self.ask(RUNTIME, "ipset", "getIPSets", gives="as"))

    def files(self) -> dict[str, str]:
        """Its files, by their paths."""
        return self.inside.run(_texts)

    def forget(self, **sets: str) -> None:
        """Let firewalld be as it was installed, but for some sets on the disk, by their names."""
        self.inside.run(reset, sets)
        self.reload()


def _lay_out() -> None:
    mount = ("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs")
    subprocess.run((*mount, "/run"), check=True)
    Path("/run/dbus").mkdir()
    Path("/run/bus.conf").write_text(_BUS)
    subprocess.run((*mount, str(FILES)), check=True)
    reset({})


def reset(sets: dict[str, str]) -> None:
    """Leave some sets alone of the files that a firewalld in this namespace has."""
    for one in FILES.iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    FILES.joinpath("firewalld.conf").write_text(f"DefaultZone={ZONE}\n")
    FILES.joinpath("ipsets").mkdir()
    for name, text in sets.items():
        FILES.joinpath("ipsets", f"{name}.xml").write_text(text)


def _texts() -> dict[str, str]:
    return {str(one): one.read_text() for one in FILES.rglob("*.xml")}


def empty_sets(allowlist: str) -> dict[str, str]:
    """The sets of an allowlist as they are on the disk, by their names."""
    return {
        f"allowsync-{allowlist}-{number}": '<ipset type="hash:net">'
        f"<short>allowsync:{allowlist}</short>"
        f'<option name="family" value="{family}"/></ipset>'
        for number, family in (("4", "inet"), ("6", "inet6"))
    }


def backend(
    *,
    ports: tuple[Port, ...] = PORTS,
    zone: str = ZONE,
    allowlist: str = "x",
    reload: bool = True,
    end_streams: bool = False,
    installation: str = "",
) -> Backend:
    """A target in firewalld; without ports, of the sets alone."""
    options = FirewalldOptions(ports=ports, zone=zone, reload=reload, end_streams=end_streams)
    return TYPE.make(Placement(allowlist, f"{allowlist}/firewalld", installation), options)
