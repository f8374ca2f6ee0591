"""The document of Jellyfin's network settings, as far as it concerns us. Pure.

Its fields are those of the class NetworkConfiguration in Jellyfin 10.8 to 10.11. All others pass
through unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError
from allowsync_backends.jellyfin.options import JellyfinSetting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allowsync.model.types import Network

REMOTE_ACCESS: Final = "EnableRemoteAccess"
BLOCK_LIST: Final = "IsRemoteIPFilterBlacklist"
IPV6: Final = "EnableIPv6"
# The same in 10.8, which then maps IPv4 into IPv6, and keeps the width.
OLD_IPV6: Final = "EnableIPV6"


def entries_of(document: Mapping[str, Any], setting: JellyfinSetting) -> list[str]:
    """Return the entries of a list.

    Raises:
        BackendError: The document has no such list. That never counts as an empty one.
    """
    found = document.get(setting.field)
    if not (isinstance(found, list) and all(isinstance(one, str) for one in found)):
        raise BackendError(
            f"Jellyfin's network settings have no list {setting.field}: "
            "allowsync knows those of 10.8 to 10.11"
        )
    return found


def with_entries(
    document: Mapping[str, Any], setting: JellyfinSetting, entries: Sequence[str]
) -> dict[str, Any]:
    """Return the document with other entries of a list, and otherwise unchanged."""
    return {**document, setting.field: list(entries)}


def flag(document: Mapping[str, Any], name: str) -> bool:
    """Return a boolean setting.

    Raises:
        BackendError: The document lacks it.
    """
    found = document.get(name)
    if not isinstance(found, bool):
        raise BackendError(f"Jellyfin's network settings do not say {name}")
    return found


def obstacle(
    document: Mapping[str, Any], setting: JellyfinSetting, wanted: Iterable[Network]
) -> dict[str, str]:
    """Return why a list has no effect, with advice: no run changes that."""
    if setting is JellyfinSetting.REMOTE_FILTER and flag(document, BLOCK_LIST):
        what = "Jellyfin's remote-address filter is a block list: it shuts out those in it alone"
        advice = "make it an allowlist (Dashboard > Networking > Remote IP address filter mode)"
        return {what: f"{advice}, having looked whom it blocks"}
    if setting is JellyfinSetting.KNOWN_PROXIES and document.get(OLD_IPV6) is True:
        wide = sorted(str(one) for one in wanted if one.version == 4 and one.prefixlen < 32)
        if wide:
            what = f"Jellyfin 10.8 with IPv6 believes everyone where {wide[0]} is a known proxy"
            return {what: "update Jellyfin, or turn off IPv6 in its network settings"}
    return {}
