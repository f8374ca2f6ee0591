"""UFW's chains in rules that another program saved, and loads at boot."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Severity
from allowsync_backends.common import saved_rules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from allowsync.model.target import Place

# The chain by which UFW finds out whether it was started already.
_STARTED: Final = re.compile(r"^:ufw6?-user-input ", re.MULTILINE)


def at_boot(configured: Collection[Place]) -> Iterator[Finding]:
    """Report the state of UFW's rules at the next boot.

    Args:
        configured: The places of targets.
    """
    if not any(place.kind.startswith("UFW ") for place in configured):
        return
    for file in saved_rules.files(saved_rules.IPTABLES_FILES):
        if _STARTED.search(file.text):
            yield Finding(
                Severity.WARNING,
                f"{file} holds ufw's chains as they were when it was saved: where it is loaded "
                "first at boot, ufw takes itself for started and loads none of its rules, so the "
                "addresses of that day are let in, and no later ones",
                f"take them out: sed -i '/ufw6\\?-/d' {shlex.quote(str(file.path))}; the same "
                "after each 'netfilter-persistent save'",
            )
