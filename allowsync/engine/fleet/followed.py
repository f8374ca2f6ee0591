"""A configuration completed by the fleet's documents of followed lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.fleet.kept import read_document
from allowsync.model.types import FLEET, Host
from allowsync.model.value import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allowsync.config.settings import Config
    from allowsync.fleet.document import ListDocument
    from allowsync.fleet.kept import KeptDocument


def with_kept(config: Config) -> Config:
    """The configuration with the hosts of followed lists, as far as kept here."""
    return config if config.fleet is None else filled(config, kept_documents(config))


def kept_documents(config: Config) -> dict[str, KeptDocument]:
    """The last accepted documents of lists that are followed or published."""
    assert config.fleet is not None  # noqa: S101 - the callers looked
    found = {}
    for name in shared(config):
        kept = read_document(config.state, config.fleet.name, name)
        if kept is not None:
            found[name] = kept
    return found


def shared(config: Config) -> list[str]:
    """The lists that are followed or published, in configured order."""
    return [name for name, one in config.allowlists.items() if one.follow or one.publish]


def filled(config: Config, kept: Mapping[str, KeptDocument]) -> Config:
    """The configuration with the hosts of documents on the followed lists.

    An unknown list has one host of unknown networks: so the entries of its targets stay.
    """
    own = {name: host for name, host in config.hosts.items() if not host.followed}
    hosts, allowlists = dict(own), dict(config.allowlists)
    for one in sorted(kept.values(), key=lambda one: one.document.decided):
        if config.allowlists[one.document.allowlist].follow:
            hosts |= _hosts(one.document, own)
    for name, allowlist in config.allowlists.items():
        if allowlist.follow:
            mine = _mine(kept[name].document, own) if name in kept else [_unknown(name)]
            hosts |= {host.name: host for host in mine if host.name not in hosts}
            allowlists[name] = replace(allowlist, hosts=tuple(host.name for host in mine))
    return replace(config, hosts=hosts, allowlists=allowlists)


def name_of(host: Host, fleet: str, own: Mapping[str, Host]) -> str:
    """The local name of a host of the fleet, where the configuration has hosts of its own.

    No configured host's name can begin so, and it is valid in marks of backends.
    """
    taken = host.name in own and not own[host.name].followed
    return f"_{fleet}.{host.name}" if taken else host.name


def _mine(document: ListDocument, own: Mapping[str, Host]) -> list[Host]:
    return list(_hosts(document, own).values())


def _hosts(document: ListDocument, own: Mapping[str, Host]) -> dict[str, Host]:
    found = {}
    for one in document.hosts:
        name = name_of(one.host, document.fleet, own)
        found[name] = replace(one.host, name=name, followed=True)
    return found


def _unknown(allowlist: str) -> Host:
    return Host(f"{allowlist}@fleet", sources=(f"{FLEET}{allowlist}",), followed=True)
