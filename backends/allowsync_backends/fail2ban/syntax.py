"""The file in jail.d: which networks are ours, in which jails, in a variable. Pure.

It sets no option of Fail2ban's, only a variable of its own. `ignoreip` itself is left to its owner:
a jail has one, a later file replaces it, and what would carry the former one over,
`%(known/ignoreip)s`, keeps Fail2ban from starting where there was none before, or where that one
says the same (both seen in 1.0.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.types import by_network
from allowsync.model.value import Value
from allowsync_backends.file.syntax import FileContent, header, network_or_none, owner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.types import Network

_JAILS: Final = re.compile(r"# In jails: (\S+(?: \S+)*)")


def variable(allowlist: str) -> str:
    """The name by which a jail's `ignoreip` may refer to an allowlist."""
    return f"allowsync_{allowlist}"


class VariableSyntax(Value):
    """A file of Fail2ban's configuration with one variable, a network a line.

    Attributes:
        jails: The jails that ignore what it holds.
    """

    jails: tuple[str, ...]

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """The whole file."""
        lines = (f"    {network}" for network in sorted(networks, key=by_network))
        head = (
            f"# {header(allowlist)}",
            f"# In jails: {' '.join(sorted(self.jails))}",
            "[DEFAULT]",
            f"{variable(allowlist)} =",
        )
        return "\n".join((*head, *lines, ""))

    def parse(self, text: str) -> FileContent | None:
        """The networks of its lines; lines that are none are passed over."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        found = (network_or_none(line.strip()) for line in text.splitlines())
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )


def jails_of(text: str) -> tuple[str, ...]:
    """The jails a file of ours was written for, sorted; none when it does not say."""
    found = next(filter(None, map(_JAILS.fullmatch, text.splitlines())), None)
    return () if found is None else tuple(sorted(found[1].split()))
