"""State of older tools: tables of iptables-legacy, sets of ipset, lists of `recent`."""

from __future__ import annotations

import ctypes
import errno
import re
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from allowsync.packetpath.question import PacketsUnavailable
from allowsync.packetpath.unlimited import unlimited_legacy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.packetpath.isolation import Tools

TOOLS: Final = {4: "iptables-legacy", 6: "ip6tables-legacy"}
_TABLES: Final = {
    4: "/proc/thread-self/net/ip_tables_names",
    6: "/proc/thread-self/net/ip6_tables_names",
}
_TRACED: Final = ("PREROUTING", "OUTPUT")  # where a rule of the copy comes before all others
_RECENT: Final = "/proc/net/xt_recent"
_SO_IP_SET, _GET_BY_INDEX, _PROTOCOL, _MOST_SETS = 83, 7, 7, 65535

_libc = ctypes.CDLL(None, use_errno=True)


class Sets(NamedTuple):
    """The sets of ipset: the name of each number, and all of them as `ipset save` prints them."""

    names: Mapping[int, str]
    saved: str


def saved_tables(tools: Tools) -> dict[int, str]:
    """Return the tables of iptables-legacy, by version of IP, where there are any.

    Reads the list of tables first: the tools would create the tables they list.

    Raises:
        PacketsUnavailable: Only root may read the list.
    """
    found = {}
    for version, path in _TABLES.items():
        try:
            if Path(path).read_text().strip():
                found[version] = tools.run(f"{TOOLS[version]}-save")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PacketsUnavailable(
                f"{path} cannot be read: {error.strerror}; run as root"
            ) from error
    return found


def load_tables(tables: Mapping[int, str], tools: Tools) -> list[str]:
    """Load tables into the current network namespace. Returns the refused parts."""
    refused = []
    for version, saved in tables.items():
        try:
            tools.run(f"{TOOLS[version]}-restore", feed=unlimited_legacy(saved))
        except PacketsUnavailable as error:
            refused.append(str(error))
    return refused


def empty(version: int, saved: str, tools: Tools) -> None:
    """Remove all rules of loaded tables."""
    kept = [one for one in saved.splitlines() if one[:1] in "*C"]
    tools.run(f"{TOOLS[version]}-restore", feed="\n".join(kept) + "\n")


def trace(tables: Mapping[int, str], tools: Tools) -> None:
    """Trace packets through these tables."""
    for version in tables:
        for chain in _TRACED:
            tools.run(TOOLS[version], "-t", "raw", "-I", chain, "-j", "TRACE")


def chain_of(saved: str, table: str, chain: str) -> list[str]:
    """Return a chain of saved tables, as the copy has it: its policy, and its rules."""
    lines = saved.partition(f"*{table}\n")[2].partition("COMMIT")[0].splitlines()
    policies = [one.split()[1] for one in lines if one.startswith(f":{chain} ")]
    rules = [one for one in lines if one.startswith(f"-A {chain} ")]
    traced = [f"-A {chain} -j TRACE"] if table == "raw" and chain in _TRACED else []
    return [f"-P {chain} {policies[0] if policies else 'ACCEPT'}", *traced, *rules]


def saved_sets(tools: Tools) -> Sets:
    """Return the sets of ipset.

    Raises:
        PacketsUnavailable: The rights are missing, or `ipset` is.
    """
    names = set_names()
    return Sets(names, tools.run("ipset", "save") if names else "")


def load_sets(sets: Sets, tools: Tools, *, elements: bool = True) -> list[str]:
    """Load sets, each with its number: rules of iptables-nft name sets by number.

    Returns:
        The refused sets.
    """
    if not sets.names:
        return []
    lines = sets.saved.splitlines()
    made = {line.split()[1]: line for line in lines if line.startswith("create ")}
    last = max(sets.names)
    gaps = [one for one in range(last) if one not in sets.names]
    feed = [
        made.get(sets.names[one], "") if one in sets.names else f"create gap-{one} hash:ip"
        for one in range(last + 1)
    ]
    if elements:
        feed += [line for line in lines if line.startswith("add ")]
    feed += [f"destroy gap-{one}" for one in gaps]
    try:
        tools.run("ipset", "restore", feed="\n".join(feed) + "\n")
    except PacketsUnavailable as error:
        return [str(error)]
    return [] if set_names() == sets.names else ["ipset: the sets changed while they were read"]


def set_names() -> dict[int, str]:
    """Return the name of each set of ipset, by its number."""
    names = {}
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as asking:
            for index in range(_MOST_SETS):
                name = _set_name(asking, index)
                if name is None:
                    break
                if name:
                    names[index] = name
    except OSError as error:
        raise PacketsUnavailable(f"ipset cannot be listed: {error.strerror}") from error
    return names


def _set_name(asking: socket.socket, index: int) -> str | None:
    """Return the name of a set, "" for a free number, None behind the last."""
    buffer = ctypes.create_string_buffer(40)
    size = ctypes.c_uint(40)
    ctypes.memmove(buffer, struct.pack("=IIH30x", _GET_BY_INDEX, _PROTOCOL, index), 40)
    if _libc.getsockopt(asking.fileno(), 0, _SO_IP_SET, buffer, ctypes.byref(size)) == 0:
        return buffer.raw[8:].split(b"\0")[0].decode(errors="replace")
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOPROTOOPT, errno.ENOENT):
        return None
    raise OSError(number, "no right to list the sets; run as root")


def recent_lists() -> dict[str, list[tuple[str, int]]]:
    """Return the addresses in each list of the match `recent`, and how often each was seen."""
    found: dict[str, list[tuple[str, int]]] = {}
    if not Path(_RECENT).is_dir():
        return found
    for path in Path(_RECENT).iterdir():
        seen = re.findall(r"^src=(\S+) .*?(\d+(?:, \d+)*)$", path.read_text(), re.MULTILINE)
        found[path.name] = [(address, len(stamps.split(","))) for address, stamps in seen]
    return found


def load_recent(lists: Mapping[str, list[tuple[str, int]]]) -> list[str]:
    """Fill the lists of `recent`, as if seen now. Returns the refused parts."""
    refused = []
    for name, seen in lists.items():
        try:
            Path(_RECENT, name).write_text("/")  # empties it
            for address, times in seen:
                for _ in range(times):
                    Path(_RECENT, name).write_text(f"+{address}")
        except OSError as error:
            refused.append(f"list {name} of recent: {error.strerror}")
    return refused
