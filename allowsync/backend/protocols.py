"""The interface of the backend of one target, required and optional parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Capabilities, Current, Finding, TrustedProxies
    from allowsync.model.types import Entry


class Backend(Protocol):
    """One target of one kind of firewall."""

    @property
    def capabilities(self) -> Capabilities:
        """The target's capabilities. May read the target on first use."""
        ...

    def check(self) -> Sequence[Finding]:
        """Findings: is the target usable and effective? Changes nothing, raises nothing."""
        ...

    def read(self) -> Current:
        """The target's current entries and state. Changes nothing.

        Raises:
            BackendError: It could not be read. An empty result is never a guess.
        """
        ...

    def apply(self, plan: Plan) -> None:
        """Make the target hold `plan.final` and repair the flaws of `plan.repair`.

        All or nothing if the firewall supports it; else all is added before anything is removed.
        Idempotent. A crash at any point leaves the target as before or with more, never with less.

        Raises:
            BackendError: The target was not changed, or only in part (then never with less).
            OutcomeUnknown: It may or may not have been changed.
        """
        ...

    def clear(self) -> None:
        """Remove everything owned, and nothing else. An empty target is no error.

        Raises:
            BackendError: Some of our objects may be left.
        """
        ...


@runtime_checkable
class Adopting(Protocol):
    """An optional part of a backend: adoption of entries that were made by hand.

    `allowsync adopt` uses it. An adopted entry follows its host from then on.
    """

    def adoptable(self, wanted: Iterable[Entry]) -> Sequence[Entry]:
        """The given entries that exist exactly as we would write them, but without our mark.

        Raises:
            BackendError: They could not be found out.
        """
        ...

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Mark adoptable entries as ours. Access stays the same.

        Raises:
            BackendError: Nothing was changed, or only in part.
        """
        ...


@runtime_checkable
class Restorable(Protocol):
    """An optional part of a backend: exact restoration of a former state.

    `apply --confirm` uses it. Without it a target is rolled back by a plan, which restores its
    entries but not the changes of other programs around them.
    """

    def snapshot(self) -> Callable[[], bool]:
        """Record all that is ours. The result restores it, and returns whether it differed.

        It can be called again. Both raise.

        Raises:
            BackendError: It could not be read, or not be restored.
        """
        ...


@runtime_checkable
class Proxied(Protocol):
    """An optional part of a server's backend: the proxies in front that the server trusts.

    `check` uses it, and compares it with the gates and the networks of a CDN in front.
    """

    def trusted_proxies(self) -> TrustedProxies | None:
        """The proxies that the server trusts; None if unknown. Changes nothing.

        Raises:
            BackendError: They could not be found out.
        """
        ...
