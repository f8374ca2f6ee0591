"""The stage with ipset and iptables on it, and what is seen of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.stage import Stage
from tests.support import ipsets

if TYPE_CHECKING:
    from collections.abc import Callable

CROWD = [f"92.0.{number}.0/24" for number in range(24)]
PROGRAMS = ("iptables-nft", "ip6tables-nft")


@dataclass
class IpsetStage(Stage):
    """A stage whose firewall can be kept and put back, whatever it consists of.

    What `Seen.gate` holds are set names with their elements and their flags, and the rules.
    """

    _sets: str = ""
    _rules: tuple[str, ...] = ()

    def keep(self) -> None:
        super().keep()
        assert self.inside is not None
        self._ruleset = ""
        self._sets = self.inside.command("ipset", "save")
        self._rules = tuple(self.inside.command(f"{one}-save", "-t", "mangle") for one in PROGRAMS)

    def clean(self) -> None:
        super().clean()
        assert self.inside is not None
        self.inside.command("ipset", "destroy")

    def put_back(self) -> None:
        super().put_back()
        assert self.inside is not None
        self.inside.command("ipset", "destroy")
        self.inside.command("ipset", "restore", stdin=self._sets)
        for program, kept in zip(PROGRAMS, self._rules, strict=True):
            self.inside.command(f"{program}-restore", stdin=kept)

    def _gate(self) -> tuple[tuple[str, ...], str] | None:
        assert self.inside is not None
        return tuple(ipsets.sets(self.inside)), "\n".join(
            self.inside.command(one, "-t", "mangle", "-S") for one in PROGRAMS
        )


def ipset_target(stage: Stage) -> list[object]:
    """A gate of iptables."""
    return [{"ipset": {"ports": ["443/tcp", "443/udp"], "iptables": "nft"}}]


def bare_target(stage: Stage) -> list[object]:
    """Sets alone."""
    return [{"ipset": {"iptables": "nft"}}]


def among_many(target: Callable[[Stage], list[object]]) -> Callable[[Stage], list[object]]:
    """Somebody with many networks is trusted, too, so that few changes are few."""

    def made(stage: Stage) -> list[object]:
        stage.here.hosts["crowd"] = {"networks": CROWD}
        return target(stage)

    return made


def deed(*commands: str) -> Callable[[Stage], None]:
    """Somebody ran commands."""

    def carry_out(stage: Stage) -> None:
        assert stage.inside is not None
        for command in commands:
            stage.inside.command(*command.split())

    return carry_out
