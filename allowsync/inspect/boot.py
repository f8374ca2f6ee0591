"""Effects of saved rules at the next boot: they restore outdated entries, or fail to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.backend.driver import boot_findings
from allowsync.engine.orphan_targets import configured_places, kinds_of
from allowsync.inspect.diagnostics import Located
from allowsync.model.target import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config


def about_boot(config: Config) -> Iterator[Located]:
    """Findings of every kind of target, configured or not: saved files outlive targets."""
    configured = configured_places(config)
    for kind in kinds_of(config):
        try:
            found = boot_findings(kind, configured)
        except BackendError as error:
            found = (Finding(Severity.WARNING, f"what saved rules do at boot is unknown: {error}"),)
        yield from (Located(kind.name, one) for one in found)
