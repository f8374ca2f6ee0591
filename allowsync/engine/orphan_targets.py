"""Orphaned targets: no longer configured, still enforced, and never updated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.outcome import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.config.settings import Config
    from allowsync.state import Store, TargetRecord


def records_left_over(
    config: Config, store: Store, only: Iterable[str] = ()
) -> Iterator[TargetRecord]:
    """What was put somewhere once, is not configured any more, and was not cleared."""
    configured = {target.name for target in config.targets}
    chosen = set(only)
    for name, record in store.targets().items():
        if name not in configured and (not chosen or record.allowlist in chosen):
            yield record


def left_over(config: Config, store: Store, only: Iterable[str] = ()) -> Iterator[Notice]:
    """The same, as notices that say what to do."""
    for record in records_left_over(config, store, only):
        what = (
            "is no longer configured but still enforced; "
            f"'allowsync clear --only {record.allowlist}' removes it"
        )
        yield Notice(record.name, what)
