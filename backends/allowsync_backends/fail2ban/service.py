"""What a Fail2ban target needs of the service it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync_backends.fail2ban.client import PROGRAM
from allowsync_backends.file import service

if TYPE_CHECKING:
    from allowsync.backend.api import Needs
    from allowsync_backends.fail2ban.options import Fail2banOptions


def needs(options: Fail2banOptions) -> Needs:
    """The folder of the file, and to speak to the server.

    A jail forgets what it was told when it is started anew; but before Fail2ban has started there
    is no server to configure, so nothing can be restored for it early at boot.
    """
    return service.needs(options.file(""), (PROGRAM,))
