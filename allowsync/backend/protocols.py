"""What the backend of one target has to do, and what it may offer besides."""

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
        """What this target can hold. May look at the target the first time it is asked."""
        ...

    def check(self) -> Sequence[Finding]:
        """Whether the target is usable and has an effect. Changes nothing, raises nothing."""
        ...

    def read(self) -> Current:
        """What the target holds. Changes nothing.

        Raises:
            BackendError: It could not be found out. An empty answer is never a guess.
        """
        ...

    def apply(self, plan: Plan) -> None:
        """Make the target hold `plan.final` and put the flaws of `plan.repair` right.

        All or nothing where the firewall can; else everything is added before anything is removed.
        Idempotent. A crash at any point leaves the target as before or with more, never with less.

        Raises:
            BackendError: The target was not changed, or only in part (then never with less).
            OutcomeUnknown: It may or may not have been changed.
        """
        ...

    def clear(self) -> None:
        """Remove everything owned, and nothing else. Nothing to remove is no error.

        Raises:
            BackendError: Something that is ours may be left.
        """
        ...


@runtime_checkable
class Adopting(Protocol):
    """What a backend may offer besides: adopting entries that were made by hand.

    `allowsync adopt` asks for it. What was adopted follows its host from then on.
    """

    def adoptable(self, wanted: Iterable[Entry]) -> Sequence[Entry]:
        """Those of some entries that are there just as we would put them, but not marked as ours.

        Raises:
            BackendError: It could not be found out.
        """
        ...

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Mark adoptable entries as ours. Who is let in stays the same.

        Raises:
            BackendError: Nothing was changed, or only in part.
        """
        ...


@runtime_checkable
class Restorable(Protocol):
    """What a backend may offer besides: to be put back just as it was, whatever it was.

    `apply --confirm` asks for it. Without it a target is put back by a plan, which restores its
    entries but not what other programs had changed around them.
    """

    def snapshot(self) -> Callable[[], bool]:
        """Look at all that is ours. What is returned puts it back, and tells whether it differed.

        Called again, it does so again. Both raise.

        Raises:
            BackendError: It could not be looked at, or not be put back.
        """
        ...


@runtime_checkable
class Proxied(Protocol):
    """What the backend of a server may offer besides: which proxies in front of it are believed.

    `check` asks for it, and compares it with the gates and the networks of a CDN in front.
    """

    def trusted_proxies(self) -> TrustedProxies | None:
        """Which proxies the server believes; None where that is not known. Changes nothing.

        Raises:
            BackendError: It could not be found out.
        """
        ...
