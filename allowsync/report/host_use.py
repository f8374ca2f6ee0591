"""The time of a host's last packet, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.text import said

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.inspect.host_use import HostUse


def use_text(use: HostUse | None, now: datetime) -> str:
    """The time of a host's last packet, or the time without any; and targets that do not count."""
    if use is None or (use.since is None and use.at is None):
        parts = ["no packet is counted here"]
    elif use.at is not None:
        parts = [f"last packet {said(now - use.at)} ago, at {use.at:%Y-%m-%d %H:%M} UTC"]
    else:
        parts = [f"never used since {use.since:%Y-%m-%d %H:%M} UTC"]
    if use is None:
        return parts[0]
    if use.beside:
        parts.append(f"shares its network with {', '.join(use.beside)}")
    if use.uncounted and (use.since or use.at):
        parts.append(f"not counted at {', '.join(use.uncounted)}")
    return "; ".join(parts)
