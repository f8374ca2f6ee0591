"""Needs of ipset and iptables from their service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import Needs
from allowsync.system.process import find
from allowsync_backends.ipset.options import Variant

if TYPE_CHECKING:
    from allowsync_backends.ipset.options import IpsetDenyOptions, IpsetOptions

LOCK: Final = "/run/xtables.lock"  # iptables(8), `--wait`
# Units that load rules of their own at boot, and replace others' by that.
LOADERS: Final = (
    "firewalld.service",
    "ip6tables.service",
    "iptables.service",
    "netfilter-persistent.service",
    "ufw.service",
)


def needs(options: IpsetOptions | IpsetDenyOptions) -> Needs:
    """Return the needs of a target.

    The sets are restored before any rules are loaded, for saved rules that name a missing set fail
    as a whole. They are restored again after: foreign rules replace the gate, and saved sets bring
    back old addresses.

    iptables queries a set's name by a raw socket (libxt_set), which takes CAP_NET_RAW.
    """
    legacy = _legacy(options.iptables)
    locks = (LOCK,) if legacy else ()
    return Needs(
        any_user=not legacy,
        capabilities=("CAP_NET_RAW",),
        writes=locks,
        locks=locks,
        after=LOADERS,
        before=LOADERS,
    )


def _legacy(variant: Variant) -> bool:
    """Whether iptables is the variant that locks a file only root may open."""
    if variant is not Variant.AUTO:
        return variant is Variant.LEGACY
    try:
        return "legacy" in Path(find("iptables")).resolve().name
    except FileNotFoundError:
        return False
