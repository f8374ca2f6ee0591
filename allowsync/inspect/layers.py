"""What the layers of a configuration make of each other: a CDN in front of this machine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.inspect.diagnostics import Located
from allowsync.model.target import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.config.settings import Config
    from allowsync.model.types import Host


def about_layers(config: Config) -> Iterator[Located]:
    """What each layer is right about by itself, and wrong beside the others."""
    yield from _edges_among_friends(config)


def sources_of(host: Host) -> tuple[str, ...]:
    """The sources that publish networks of a host, whether they are known yet or not."""
    return tuple(dict.fromkeys((*host.sources, *(name for name, _ in host.published))))


def _edges_among_friends(config: Config) -> Iterator[Located]:
    """Allowlists of every host, when one of them is a network that others come through."""
    for allowlist in config.allowlists.values():
        edges = [name for name in allowlist.hosts if sources_of(config.hosts[name])]
        if allowlist.named or len(edges) == len(allowlist.hosts):
            continue
        for name in edges:
            published = ", ".join(sources_of(config.hosts[name]))
            what = (
                f"names no hosts, so {name} is on it, too: everyone who comes through the "
                f"published networks of {published} gets in"
            )
            advice = f"name its hosts, and {name} in an allowlist of its own"
            yield Located(f"allowlists.{allowlist.name}", Finding(Severity.WARNING, what, advice))
