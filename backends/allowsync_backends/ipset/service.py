"""What ipset and iptables need of the service they run in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import Needs
from allowsync.system.process import find
from allowsync_backends.ipset.options import Variant

if TYPE_CHECKING:
    from allowsync_backends.ipset.options import IpsetDenyOptions, IpsetOptions

LOCK: Final = "/run/xtables.lock"  # iptables(8), `--wait`
# What loads rules of its own at boot, and takes the place of others' by doing so.
LOADERS: Final = (
    "firewalld.service",
    "ip6tables.service",
    "iptables.service",
    "netfilter-persistent.service",
    "ufw.service",
)


def needs(options: IpsetOptions | IpsetDenyOptions) -> Needs:
    """What a target needs.

    The sets come before whatever loads rules, for saved rules that name a set are loaded with it
    or not at all. They come again after: rules of others take the gate's place, and saved sets
    bring back old addresses.

    iptables asks for a set's name by a raw socket (libxt_set), which takes CAP_NET_RAW.
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
    """Whether iptables is the one that locks a file only root may open."""
    if variant is not Variant.AUTO:
        return variant is Variant.LEGACY
    try:
        return "legacy" in Path(find("iptables")).resolve().name
    except FileNotFoundError:
        return False
