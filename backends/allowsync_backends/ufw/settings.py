"""UFW's two files of settings, read as UFW reads them."""

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
# UFW checks /proc/sys/net/ipv6, which a confined service does not see (ProcSubset=pid).
KERNEL_IPV6: Final = Path("/proc/net/if_inet6")

_SETTING: Final = re.compile(r'^(\w+)=("?\w+"?.*)$', re.MULTILINE)


class Settings(Value):
    """The relevant settings of UFW.

    Attributes:
        enabled: Whether UFW is enabled.
        families: The families it has rules for.
        incoming: The default policy for packets to this machine: accept, drop or reject.
    """

    enabled: bool
    families: tuple[Family, ...]
    incoming: str


def read() -> Settings:
    """Read the settings.

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
    """Return settings by name, both in lower case; the last one counts. Pure."""
    return {
        name.lower(): value.strip().lower().strip("\"'") for name, value in _SETTING.findall(text)
    }


def understood(found: Mapping[str, str], *, kernel_has_ipv6: bool) -> Settings:
    """Interpret settings. Pure."""
    ipv6 = found.get("ipv6") == "yes" and kernel_has_ipv6
    return Settings(
        enabled=found.get("enabled") == "yes",
        families=(Family.IPV4, Family.IPV6) if ipv6 else (Family.IPV4,),
        incoming=found.get("default_input_policy", ""),
    )
