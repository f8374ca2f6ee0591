"""A look at all that UFW's rules are: settings, files, and what the kernel has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.value import Value
from allowsync_backends.ufw import kernel, rules_store, settings, tool
from allowsync_backends.ufw.tuples import chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.model.types import Family
    from allowsync_backends.ufw.kernel import Kernel
    from allowsync_backends.ufw.rules_file import RulesFile
    from allowsync_backends.ufw.settings import Settings


class UfwSnapshot(Value):
    """What a look found.

    Attributes:
        settings: How UFW is set up.
        files: The rules of each family that UFW cares for.
        kernel: The chain of each of them; empty while UFW is switched off.
    """

    settings: Settings
    files: Mapping[Family, RulesFile]
    kernel: Mapping[Family, Kernel]

    @property
    def in_force(self) -> bool:
        """Whether rules have an effect: UFW is on, and every packet comes past them."""
        return self.settings.enabled and all(one.leads_here for one in self.kernel.values())


def look(*, route: bool) -> UfwSnapshot:
    """See how everything is. Changes nothing.

    Raises:
        BackendError: Something cannot be read, or is damaged.
    """
    found = settings.read()
    files = {family: rules_store.read(family) for family in found.families}
    listed = (
        {family: _listed(family, route=route) for family in found.families} if found.enabled else {}
    )
    return UfwSnapshot(found, files, listed)


def _listed(family: Family, *, route: bool) -> Kernel:
    """A family's chain as the kernel has it."""
    leads = all(
        kernel.leads(_rules(tool.listing(family, start)), start, end)
        for start, end in kernel.entrances(family, route=route)
    )
    rules = _rules(tool.counted_listing(family, chain(family, route=route)))
    return kernel.listed(rules, leads_here=leads)


def _rules(listing: tuple[str, ...]) -> str:
    """What iptables lists of a chain; nothing for a chain that is not there."""
    done = tool.ask(listing)
    # iptables(8): 1 is what it says of a chain that does not exist, among other things.
    if done.code not in (0, 1) or (done.code and tool.usable()):
        raise BackendError(f"the rules in the kernel cannot be listed: {tool.complaint(done)}")
    return done.stdout
