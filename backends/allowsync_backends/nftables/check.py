"""The findings of `allowsync check` about an nftables target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.target import Effect, Finding, Severity, flaw_findings
from allowsync_backends.nftables import tool
from allowsync_backends.nftables.foreign_rules import uses
from allowsync_backends.nftables.nft_json import NftListingError, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from allowsync.model.target import Current
    from allowsync.model.types import Family
    from allowsync_backends.nftables.nft_json import Json
    from allowsync_backends.nftables.shared_set import SharedSet


_ADVICE: Final = {
    Effect.ALLOW: "let a rule accept what comes from @{}, and drop the rest",
    Effect.DENY: "let a rule drop what comes from @{}",
}


def check_gate(
    read: Callable[[], Current], refusal: Callable[[Current], str], effect: Effect = Effect.ALLOW
) -> Sequence[Finding]:
    """Return findings about a gate of our own.

    Args:
        read: Reads it.
        refusal: Returns why it cannot be loaded as wanted.
        effect: The effect of its entries: without any, a denylist's gate is open.
    """
    unusable = tool.usable()
    if unusable:
        return (Finding(Severity.ERROR, unusable),)
    return tuple(_gate_state(read, refusal, effect))


def _gate_state(
    read: Callable[[], Current], refusal: Callable[[Current], str], effect: Effect
) -> Iterator[Finding]:
    try:
        current = read()
        why = refusal(current) if current.flaws else ""
    except BackendError as error:
        yield Finding(Severity.ERROR, str(error))
        return
    if why:
        advice = "see whether this kernel has all of nftables, such as CONFIG_NFT_FIB"
        yield Finding(Severity.ERROR, f"the gate cannot be put up: nft says {why}", advice)
        return
    yield from flaw_findings(current.flaws)
    if effect is Effect.ALLOW and not current.flaws and not current.entries:
        yield Finding(
            Severity.WARNING,
            "the gate is shut for everyone: it holds no entry",
            "see 'allowsync status' for what the hosts' names resolve to",
        )


def check_shared(
    look: Callable[[], Mapping[Family, SharedSet]], table: str, effect: Effect = Effect.ALLOW
) -> Sequence[Finding]:
    """Return findings about sets of the user's own ruleset."""
    unusable = tool.usable()
    if unusable:
        return (Finding(Severity.ERROR, unusable),)
    try:
        found = look()
        listed = _listing("-j", "-t", "list", "table", *table.split())
    except BackendError as error:
        return (Finding(Severity.ERROR, str(error)),)
    return tuple(
        Finding(
            Severity.ERROR,
            f"no rule uses set {one.place}: it has no effect",
            _ADVICE[effect].format(one.place.split()[-1]),
        )
        for one in found.values()
        if not uses(listed, one.place.split()[-1])
    )


def _listing(*arguments: str) -> tuple[tuple[str, Json], ...]:
    listed = tool.ask(*arguments)
    if listed.code != 0:
        raise BackendError(f"nft cannot list the rules: {tool.complaint(listed)}")
    try:
        return objects(listed.stdout)
    except NftListingError as error:
        raise BackendError(f"the rules cannot be read: {error}") from error
