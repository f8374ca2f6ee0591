"""The file in jail.d: our networks and their jails, in a variable. Pure.

It sets no option of Fail2ban's, only a variable of its own. `ignoreip` itself is left to its owner:
a jail has one, a later file replaces it, and the reference that would keep the earlier one,
`%(known/ignoreip)s`, stops Fail2ban from starting where there was none before, or where that one
contains the same (both seen in 1.0.2).
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
    """Return the name by which a jail's `ignoreip` may refer to an allowlist."""
    return f"allowsync_{allowlist}"


class VariableSyntax(Value):
    """A file of Fail2ban's configuration with one variable, a network a line.

    Attributes:
        jails: The jails that ignore its networks.
    """

    jails: tuple[str, ...]

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = (f"    {network}" for network in sorted(networks, key=by_network))
        head = (
            f"# {header(allowlist)}",
            f"# In jails: {' '.join(sorted(self.jails))}",
            "[DEFAULT]",
            f"{variable(allowlist)} =",
        )
        return "\n".join((*head, *lines, ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        found = (network_or_none(line.strip()) for line in text.splitlines())
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )


def jails_of(text: str) -> tuple[str, ...]:
    """Return the jails a file of ours was written for, sorted; none when it names none."""
    found = next(filter(None, map(_JAILS.fullmatch, text.splitlines())), None)
    return () if found is None else tuple(sorted(found[1].split()))
