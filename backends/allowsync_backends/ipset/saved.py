"""Sets and gates of ours in rules that other programs saved, and load at boot."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Place, Severity
from allowsync.text import counted
from allowsync_backends.common import saved_rules
from allowsync_backends.common.saved_rules import ALLOWLIST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from allowsync_backends.common.saved_rules import SavedFile

# Rules that firewalld passes on to iptables.
DIRECT_RULES: Final = Path("/etc/firewalld/direct.xml")
UFW_RULES: Final = tuple(
    Path(f"/etc/ufw/{name}.rules") for name in ("before", "before6", "after", "after6")
)
# The hook UFW runs before it loads those.
UFW_HOOK: Final = Path("/etc/ufw/before.init")
# Files of sets: ipset-persistent (Debian), ipset.service (Arch, Red Hat), OpenRC.
SETS: Final = (
    Path("/etc/iptables/ipsets"),
    Path("/etc/ipset.conf"),
    Path("/etc/sysconfig/ipset"),
    Path("/var/lib/ipset/rules-save"),
)
# It exists when the sets of all targets are created before any of the above is loaded.
EARLY: Final = Path("/etc/systemd/system/sysinit.target.wants/allowsync-early.service")

_SET: Final = rf"allowsync-{ALLOWLIST}-[46]t?"
_NAMED: Final = re.compile(rf'--(?:match-set|set|add-set|del-set|map-set)\s+"?({_SET})(?![\w-])')
_CREATED: Final = re.compile(rf"^create ({_SET}) ", re.MULTILINE)
_MEMBER: Final = re.compile(rf"^add ({_SET}) ", re.MULTILINE)
_CHAIN: Final = re.compile(
    rf"(?:^:|(?:-A|-N|-j|-g) |>)allowsync[-_]({ALLOWLIST})(?![\w-])", re.MULTILINE
)
_NFT_CHAIN: Final = re.compile(rf"\bchain\s+allowsync[-_]({ALLOWLIST})\s*\{{")
_AGAIN: Final = "the same after each 'netfilter-persistent save'"


def at_boot(configured: Collection[Place]) -> Iterator[Finding]:
    """Report the state of gates and sets at the next boot, by files that other programs saved.

    Args:
        configured: The places of targets.
    """
    sets, rules = list(saved_rules.files(SETS)), list(saved_rules.files(_rules()))
    yield from saved_rules.unreadable((*sets, *rules))
    kept = {name for file in sets for name in _CREATED.findall(file.text)}
    ours = {place.name[0] for place in configured if place.kind == "ipset"}
    for file in rules:
        missing = set(_NAMED.findall(file.text)) - kept - (ours if EARLY.exists() else set())
        if file.path in UFW_RULES and _makes_sets():
            missing = set()
        gates = sorted(set(_CHAIN.findall(file.text)))
        if missing:
            yield _would_fail(file, sorted(missing), gates, ours)
        elif gates:
            yield _old_gate(file, gates)
    for file in sets:
        yield from _old_members(file)
    for file in saved_rules.nft_files():
        yield from _in_nft(file)


def _rules() -> tuple[Path, ...]:
    return (*saved_rules.IPTABLES_FILES, *UFW_RULES, DIRECT_RULES)


def _would_fail(
    file: SavedFile, missing: list[str], gates: list[str], ours: Collection[str]
) -> Finding:
    """Report rules that fail to load as a whole, the machine's own ones with them."""
    if gates:
        advice = (
            "take out the gate's lines, which allowsync puts back at boot itself"
            f"{_without_gates(file, gates)}"
        )
    elif set(missing) <= set(ours):
        advice = (
            "'allowsync schedule install' has the sets made before that (with systemd); otherwise "
            "make them yourself before the rules are loaded"
        )
    else:
        advice = "take out the rules that name them, for no target keeps them any more"
    return Finding(
        Severity.ERROR,
        f"{file} names {', '.join(missing)}, which does not exist at boot: nothing of the file is "
        "loaded then, your own rules neither",
        advice,
    )


def _old_gate(file: SavedFile, gates: list[str]) -> Finding:
    return Finding(
        Severity.WARNING,
        f"{file} holds the gate of {', '.join(gates)} as it was when it was saved: at boot it "
        "is active again, until allowsync restores its own",
        f"take out its lines{_without_gates(file, gates)}",
    )


def _without_gates(file: SavedFile, gates: list[str]) -> str:
    """Return the command that removes gates from saved rules, and leaves other uses of our sets."""
    if file.path.suffix == ".xml":
        return ""
    lines = rf"/(^:|-A |-j )allowsync[-_]({'|'.join(gates)})( |$)/d"
    return f": sed -i -E '{lines}' {shlex.quote(str(file.path))}; {_AGAIN}"


def _makes_sets() -> bool:
    """Whether UFW's own hook creates sets of ours, before it loads any rule."""
    return any(
        "ipset" in file.text and "allowsync-" in file.text
        for file in saved_rules.files((UFW_HOOK,))
    )


def _old_members(file: SavedFile) -> Iterator[Finding]:
    for name, number in sorted(Counter(_MEMBER.findall(file.text)).items()):
        yield Finding(
            Severity.WARNING,
            f"{file} holds {counted(number, 'entry', 'entries')} of set {name} as it was when it "
            "was saved: at boot those addresses are let in, until allowsync restores the set",
            "take them out, for allowsync fills its sets itself: "
            f"sed -i '/^add {name} /d' {shlex.quote(str(file.path))}; {_AGAIN}",
        )


def _in_nft(file: SavedFile) -> Iterator[Finding]:
    """Report a gate of iptables-nft in a listing of nft, which prints matches it cannot load."""
    for allowlist in sorted(set(_NFT_CHAIN.findall(file.text))):
        yield Finding(
            Severity.ERROR,
            f"{file} holds the gate of {allowlist} in a form that nft prints but does not load (a "
            "match of iptables): nothing of the file is loaded at boot",
            "take out all of table ip mangle and ip6 mangle that is of iptables, and keep it in "
            "iptables' own files",
        )
