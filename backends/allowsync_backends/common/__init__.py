"""Shared parts of several backends. The kinds of options are imported when they are made."""

from __future__ import annotations

from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from allowsync.config.kinds import Kind
    from allowsync_backends.common.ports import Port


def port_list() -> Kind[tuple[Port, ...]]:
    """Return the kind of a list of ports."""
    from allowsync_backends.common import port_kinds

    return port_kinds.port_list()


def interface_list() -> Kind[tuple[str, ...]]:
    """Return the kind of a list of network interfaces."""
    from allowsync_backends.common import port_kinds

    return port_kinds.interface_list()
