"""How UFW is set up: what its two files of settings say, read as UFW reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.types import Family
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULTS: Final = Path("/etc/default/ufw")
CONF: Final = Path("/etc/ufw/ufw.conf")
# UFW looks at /proc/sys/net/ipv6, which a confined service does not see (ProcSubset=pid).
KERNEL_IPV6: Final = Path("/proc/net/if_inet6")

_SETTING: Final = re.compile(r'^(\w+)=("?\w+"?.*)$', re.MULTILINE)


class Settings(Value):
    """What matters of UFW's settings.

    Attributes:
        enabled: Whether UFW is switched on.
        families: The families it has rules for.
        incoming: What becomes of packets for this machine that no rule is about: accept, drop or
            reject.
    """

    enabled: bool
    families: tuple[Family, ...]
    incoming: str


def read() -> Settings:
    """The settings as they are.

    Raises:
        BackendError: A file is missing or cannot be read.
    """
    try:
        text = "\n".join(path.read_text(errors="replace") for path in (DEFAULTS, CONF))
    except OSError as error:
        what = f"{error.filename} cannot be read: {error.strerror}; is the package ufw installed?"
        raise BackendError(what) from error
    return understood(assignments(text), kernel_has_ipv6=KERNEL_IPV6.exists())


def assignments(text: str) -> dict[str, str]:
    """Settings by name, both in lower case; the last one counts. Pure."""
    return {
        name.lower(): value.strip().lower().strip("\"'") for name, value in _SETTING.findall(text)
    }


def understood(found: Mapping[str, str], *, kernel_has_ipv6: bool) -> Settings:
    """What settings mean. Pure."""
    ipv6 = found.get("ipv6") == "yes" and kernel_has_ipv6
    return Settings(
        enabled=found.get("enabled") == "yes",
        families=(Family.IPV4, Family.IPV6) if ipv6 else (Family.IPV4,),
        incoming=found.get("default_input_policy", ""),
    )
