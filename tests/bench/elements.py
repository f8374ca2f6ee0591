"""Networks in number, and what somebody would write by hand to put them into nftables."""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from allowsync.model.plan import Plan
from allowsync.model.types import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST = 0x51000000  # 81.0.0.0
BLOCKED = 0xB0000000  # 176.0.0.0


def networks(numbers: Iterable[int]) -> list[IPv4Network]:
    """A single address for each number, no two side by side."""
    return [IPv4Network((FIRST + 2 * number, 32)) for number in numbers]


def entries(several: Iterable[IPv4Network]) -> tuple[Entry, ...]:
    """Networks as a plan holds them."""
    return tuple(Entry(one) for one in several)


def plan(
    *,
    add: Iterable[IPv4Network] = (),
    remove: Iterable[IPv4Network] = (),
    keep: Iterable[IPv4Network] = (),
    repair: tuple[str, ...] = (),
) -> Plan:
    """A plan for the gate of the benchmarks."""
    return Plan(
        "web/nftables",
        add=entries(add),
        remove=entries(remove),
        keep=entries(keep),
        repair=repair,
    )


def table(held: Iterable[IPv4Network], *, flags: str = "flags interval;") -> str:
    """A table with one set, as somebody would write it."""
    members = ", ".join(str(one.network_address) for one in held)
    listed = f"elements = {{ {members} }}" if members else ""
    return f"table inet bare {{ set allowed {{ type ipv4_addr; {flags} {listed}\n}}\n}}\n"


def change(add: Sequence[IPv4Network], remove: Sequence[IPv4Network]) -> str:
    """Two lines that change that set, in one transaction."""
    return "".join(
        f"{verb} element inet bare allowed "
        f"{{ {', '.join(str(one.network_address) for one in several)} }}\n"
        for verb, several in (("delete", remove), ("add", add))
    )


def block_list(size: int) -> str:
    """Somebody's table of ranges, which has nothing to do with us."""
    ranges = ", ".join(str(IPv4Network((BLOCKED + 512 * number, 25))) for number in range(size))
    return (
        "table inet blocklist { set blocked { type ipv4_addr; flags interval;\n"
        f"elements = {{ {ranges} }}\n}}\n"
        "chain input { type filter hook input priority filter; ip saddr @blocked drop; }\n}\n"
    )


def nft(script: str) -> None:
    """Load a script, by nft and nothing else.

    Raises:
        subprocess.CalledProcessError: nft refused it.
    """
    subprocess.run(["nft", "-f", "-"], input=script.encode(), check=True)
