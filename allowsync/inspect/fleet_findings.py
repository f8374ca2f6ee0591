"""Findings of `check` about a fleet: whether each list receives new documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.engine.fleet.view import view_of
from allowsync.engine.fleet_publication import usable_key
from allowsync.engine.options import Request
from allowsync.fleet.fields import DocumentError
from allowsync.inspect.diagnostics import Located
from allowsync.model.target import Finding, Severity
from allowsync.policy.clock import Now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from allowsync.config.settings import Config


def about_fleet(config: Config, now: datetime) -> Iterator[Located]:
    """Problems of lists that are followed or published, from one read of the store."""
    if config.fleet is None:
        return
    yield from _key(config)
    view = view_of(config, Request(dry_run=True), Now(now))
    for name, why in view.troubles.items():
        if why:
            follows = config.allowlists[name].follow
            severity = Severity.ERROR if follows else Severity.WARNING
            what = f"it has no new document: {why}"
            yield Located(f"fleet {config.fleet.name}.{name}", Finding(severity, what))


def _key(config: Config) -> Iterator[Located]:
    """Whether a machine that may publish has a trusted key."""
    fleet = config.fleet
    if fleet is None or not any(one.publish for one in config.allowlists.values()):
        return
    try:
        usable_key(fleet)
    except DocumentError as error:
        what = f"nothing can be published: {error}"
        yield Located(f"fleet {fleet.name}", Finding(Severity.ERROR, what))
