"""The effects of foreign rules in UFW's files on ours. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync_backends.ufw.denials import is_plain_denial, shuts_out_wholly
from allowsync_backends.ufw.tuples import ANYWHERE

if TYPE_CHECKING:
    from allowsync_backends.ufw.rules_file import RuleOwnership, RulesFile
    from allowsync_backends.ufw.tuples import Tuple


def shut_out(file: RulesFile, mine: RuleOwnership) -> dict[str, str]:
    """Return the sources of rules of ours without effect, each with the denial before it.

    Only certain ones count: denials that match nothing but source, protocol and port.
    """
    found: dict[str, str] = {}
    earlier: list[Tuple] = []
    for block in file.blocks:
        one, rule = block.tuple, block.rule
        if one is None or not mine.owns(block):
            earlier += () if one is None or not is_plain_denial(one) else (one,)
        elif rule is not None:
            for denial in (d for d in earlier if shuts_out_wholly(d, rule, route=mine.route)):
                found.setdefault(rule.source, described(denial))
    return found


def described(one: Tuple) -> str:
    """Return a rule in a few words, as arguments of ufw: `limit 22/tcp from anywhere`."""
    protocol = "" if one.protocol == "any" else f"/{one.protocol}"
    what = one.profiles[0] or ("any port" if one.ports == "any" else f"{one.ports}{protocol}")
    source = "anywhere" if one.source in ANYWHERE else one.source
    _, _, interfaces = one.where.partition("_")
    on = f" on {interfaces.replace('!out_', ' to ')}" if interfaces else ""
    return f"{'route ' if one.forward else ''}{one.action} {what} from {source}{on}"


def has_rules(listing: str) -> bool:
    """Whether the output of `iptables -S` is more than chains that accept everything."""
    return any(
        line.startswith("-A ") or (line.startswith("-P ") and not line.endswith(" ACCEPT"))
        for line in listing.splitlines()
    )
