"""Needs of a Fail2ban target from its service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync_backends.fail2ban.client import PROGRAM
from allowsync_backends.file import service

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync_backends.fail2ban.options import Fail2banOptions


def needs(options: Fail2banOptions) -> Needs:
    """Return the needs: the folder of the file, and the client of the server.

    A jail forgets its commands when it is restarted; but before Fail2ban has started there is no
    server to configure, so nothing can be restored for it early at boot.
    """
    return service.needs(options.file(""), (PROGRAM,))
