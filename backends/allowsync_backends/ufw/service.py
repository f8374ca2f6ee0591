"""Needs of UFW from its service."""

from __future__ import annotations

from typing import Final

from allowsync.backend.api import Needs
from allowsync_backends.ufw import lock, rules_store

_XTABLES_LOCK: Final = "/run/xtables.lock"  # iptables(8), `--wait`; iptables-legacy alone


def needs() -> Needs:
    """Return the needs: root, the only user that `ufw` accepts; more of /proc than processes.

    ufw looks up there its calling process, and whether there is IPv6. Its rules are on the disk,
    and ufw.service loads them at boot.
    """
    return Needs(
        capabilities=("CAP_NET_RAW",),
        writes=(*map(str, rules_store.folders()), lock.PATH, _XTABLES_LOCK),
        locks=(lock.PATH, _XTABLES_LOCK),
        all_of_proc=True,
        after=("ufw.service",),
        lasting=True,
    )
