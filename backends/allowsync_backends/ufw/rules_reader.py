"""Snapshots of UFW's rules: its settings, its files, and its chains in the kernel."""

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
    """The settings, files and chains of UFW at one time.

    Attributes:
        settings: The settings.
        files: The rules of each family that UFW handles.
        kernel: The chain of each of them; empty while UFW is disabled.
    """

    settings: Settings
    files: Mapping[Family, RulesFile]
    kernel: Mapping[Family, Kernel]

    @property
    def in_force(self) -> bool:
        """Whether rules have an effect: UFW is enabled, and every packet reaches them."""
        return self.settings.enabled and all(one.leads_here for one in self.kernel.values())


def look(*, route: bool) -> UfwSnapshot:
    """Take a snapshot. Changes nothing.

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
    """Return a family's chain in the kernel."""
    entrances = kernel.entrances(family, route=route)
    before = [_rules(tool.listing(family, start)) for start, _ in entrances]
    leads = all(kernel.leads(text, *pair) for text, pair in zip(before, entrances, strict=True))
    rest_accepted = kernel.accepts_rest(before[0]) and not kernel.drops(rules_store.after(family))
    rules = _rules(tool.counted_listing(family, chain(family, route=route)))
    return kernel.listed(rules, leads_here=leads, rest_accepted=rest_accepted)


def _rules(listing: tuple[str, ...]) -> str:
    """Return iptables' listing of a chain; empty for a missing one."""
    done = tool.ask(listing)
    # iptables(8): 1 is its exit code for a missing chain, among other things.
    if done.code not in (0, 1) or (done.code and tool.usable()):
        raise BackendError(f"the rules in the kernel cannot be listed: {tool.complaint(done)}")
    return done.stdout
