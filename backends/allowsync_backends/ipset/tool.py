"""Runs ipset and iptables. Their messages are not parsed, only shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from allowsync.backend.api import BackendError
from allowsync.model.types import Family
from allowsync.system.process import Command, Completed, installed
from allowsync_backends.common import command as tools
from allowsync_backends.ipset.options import Variant
from allowsync_backends.ipset.sets import IpsetListingError, names_in

# A set of 100,000 networks takes less than a second; a small machine under load may take longer.
TIMEOUT: Final = 60.0
# iptables-legacy serves one process at a time; others wait this many seconds.
PATIENCE: Final = "10"

MISSING: Final = (
    f"ipset cannot be run; install the package ipset: apt install ipset ({tools.LOOKED_IN})"
)

IPV6_ADDRESSES: Final = Path("/proc/thread-self/net/if_inet6")

# The kernel's tables of iptables-legacy; the files exist once it has any.
LEGACY_TABLES: Final = (
    Path("/proc/thread-self/net/ip_tables_names"),
    Path("/proc/net/ip6_tables_names"),
)

# iptables queries sets by a raw socket.
_CAPABILITIES: Final = tools.CAP_NET_ADMIN | tools.CAP_NET_RAW
PROGRAMS: Final = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


def not_root() -> str:
    """Return the message where the rules cannot be seen and changed."""
    return tools.not_root("ipset and iptables", "CAP_NET_ADMIN or CAP_NET_RAW")


def usable() -> str:
    """Return why ipset or iptables cannot be used here, or an empty string."""
    if not installed("ipset"):
        return MISSING
    return "" if tools.may(_CAPABILITIES) else not_root()


def families() -> tuple[Family, ...]:
    """Return the families this kernel supports. Without IPv6 there is nothing to guard from it."""
    return (Family.IPV4, Family.IPV6) if IPV6_ADDRESSES.exists() else (Family.IPV4,)


def forwards(family: Family) -> bool:
    """Whether this machine forwards packets of a family at all, from any interface.

    An unreadable setting counts as on; an interface may vanish meanwhile.
    """
    if family is Family.IPV4:
        return _is_on(Path("/proc/sys/net/ipv4/ip_forward"))
    return any(map(_is_on, Path("/proc/sys/net/ipv6/conf").glob("*/forwarding")))


def _is_on(setting: Path) -> bool:
    try:
        return setting.read_text().strip() != "0"
    except FileNotFoundError:
        return False
    except OSError:
        return True


def program(family: Family, variant: Variant) -> str:
    """Return the name of a family's iptables: `ip6tables-legacy`."""
    suffix = "" if variant is Variant.AUTO else f"-{variant.value}"
    return PROGRAMS[family] + suffix


def rules_of(family: Family, variant: Variant, table: str) -> Command:
    """Return the command that lists the rules of a table, without counters."""
    return Command((program(family, variant), "-w", PATIENCE, "-t", table, "-S"), timeout=TIMEOUT)


def ask(command: Command) -> Completed:
    """Run a command that changes nothing. It may fail; the caller sees its code.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    return tools.ask(command, _missing(command))


def change(command: Command) -> Completed:
    """Run a command that changes something. It may fail.

    Raises:
        BackendError: It could not be run.
        OutcomeUnknown: It was killed, and may have changed something before.
    """
    return tools.change(command, _missing(command))


def restore_sets(script: str, *, exist: bool = False) -> Completed:
    """Run a script of ipset, line by line up to the first that fails.

    Args:
        script: The script.
        exist: Present or missing elements are no failure.

    Raises:
        BackendError: It could not be run.
        OutcomeUnknown: It was killed in between.
    """
    argv = ("ipset", "-exist", "restore") if exist else ("ipset", "restore")
    return change(Command(argv, script, TIMEOUT))


def restore_rules(family: Family, variant: Variant, script: str) -> Completed:
    """Run a script of iptables: one transaction, all or nothing, others' rules kept.

    Raises:
        BackendError: It could not be run.
        OutcomeUnknown: It was killed, and may have been carried out before.
    """
    argv = (f"{program(family, variant)}-restore", "-w", PATIENCE, "-n")
    return change(Command(argv, script, TIMEOUT))


def hook_refusal(family: Family) -> str:
    """Return why the kernel refuses the parent chain of an iptables-nft gate; empty if it does not.

    Raises:
        BackendError: The trial failed.
    """
    if not installed("nft"):
        return ""
    kind = {Family.IPV4: "ip", Family.IPV6: "ip6"}[family]
    script = (
        f"add table {kind} mangle\nadd chain {kind} mangle PREROUTING "
        "{ type filter hook prerouting priority -150; policy accept; }\n"
    )
    tried = ask(Command(("nft", "-c", "-f", "-"), script, TIMEOUT))
    return complaint(tried) if tried.code else ""


def set_names() -> frozenset[str]:
    """Return the names of all present sets.

    Raises:
        BackendError: They could not be listed or parsed.
    """
    # As XML, an empty listing differs from no listing, and from a truncated one.
    listed = ask(Command(("ipset", "-n", "-o", "xml", "list"), timeout=TIMEOUT))
    if listed.code != 0:
        raise BackendError(f"ipset cannot list its sets: {complaint(listed)}")
    try:
        return names_in(listed.stdout)
    except IpsetListingError as error:
        raise BackendError(str(error)) from error


def version() -> str:
    """Return the version line of `iptables`: `iptables v1.8.9 (nf_tables)`.

    Raises:
        BackendError: It could not be run.
    """
    return ask(Command((PROGRAMS[Family.IPV4], "-V"), timeout=TIMEOUT)).stdout


def complaint(failed: Completed) -> str:
    """Return a program's error, in one line, with advice when we are not root."""
    said = tools.said(failed)
    return said if tools.may(_CAPABILITIES) else f"{said} ({not_root()})"


def has_rules(variant: Variant, table: str) -> bool:
    """Whether there may be rules of a variant of iptables in a table.

    Listing the legacy ones would make the kernel create their tables, so it is queried first.
    """
    if not installed(f"iptables-{variant.value}"):
        return False
    if variant is not Variant.LEGACY:
        return True
    return any(table in _lines(path) for path in LEGACY_TABLES)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _missing(command: Command) -> str:
    name = command.argv[0]
    if name == "ipset":
        return MISSING
    program = name.removesuffix("-restore")
    what = f"{program} cannot be run; install the package iptables: apt install iptables"
    return f"{what} ({tools.LOOKED_IN})"
