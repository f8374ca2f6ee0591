"""The backend of sets without rules, for the user's own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.target import Capabilities, Current, Effect
from allowsync.model.types import BOTH_FAMILIES
from allowsync.model.value import Value
from allowsync_backends.ipset import set_store
from allowsync_backends.ipset.gate_backend import widths
from allowsync_backends.ipset.options import Variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.model.types import Family


class IpsetSetsBackend(Value):
    """Drives the sets `allowsync-<allowlist>-4` and `allowsync-<allowlist>-6`."""

    allowlist: str
    end_streams: bool = True
    variant: Variant = Variant.AUTO
    effect: Effect = Effect.ALLOW

    @property
    def capabilities(self) -> Capabilities:
        """Networks of any width but 0. They may overlap."""
        return Capabilities(prefixes=widths(), overlaps=True)

    @property
    def sets(self) -> dict[str, Family]:
        """The names of the sets, each with its family."""
        return set_store.names_of(self.allowlist, BOTH_FAMILIES)

    def check(self) -> Sequence[Finding]:
        """Check that the sets are sound, and used by a rule."""
        from allowsync_backends.ipset.check import check_sets

        return check_sets(self.sets, self.variant, end_streams=self.end_streams, effect=self.effect)

    def read(self) -> Current:
        """Return the sets.

        Raises:
            BackendError: They could not be listed or parsed.
        """
        found = set_store.look(self.sets, self.effect)
        traffic = found.traffic(found.flaws) if self.effect is Effect.ALLOW else None
        return Current(found.entries, flaws=found.flaws, obstacles=found.obstacles, traffic=traffic)

    def apply(self, plan: Plan) -> None:
        """Fill the sets, then end running streams of removed networks.

        Raises:
            BackendError: The sets are unchanged, or hold more.
            OutcomeUnknown: ipset was killed before it reported its end.
        """
        if plan.idle:
            return
        set_store.fill(self.sets, plan, self.effect)
        if plan.remove and self.end_streams:
            from allowsync_backends.common.conntrack import end_streams, taken_away

            end_streams(
                taken_away(
                    (entry.network for entry in plan.remove),
                    (entry.network for entry in plan.final),
                )
            )

    def clear(self) -> None:
        """Delete the sets.

        Raises:
            BackendError: A rule uses one of them. It is empty then.
        """
        set_store.destroy(self.sets)
