"""Asking the sources of networks, when their time has come, and remembering what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.registry import NETWORKS, BrokenBackend, UnknownBackend, load_entry_point
from allowsync.model.outcome import Notice
from allowsync.model.special_purpose import CLOUDFLARE_SOURCE
from allowsync.model.types import by_network
from allowsync.model.value import Value, field, replace
from allowsync.policy.published import (
    ODD,
    NetworkSource,
    SourceError,
    SourceRecord,
    filled,
    implausible,
    is_due,
    said_of,
    worth_saying,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.types import Network
    from allowsync.state import Store


class Learnt(Value):
    """What a run goes by.

    Attributes:
        config: The configuration, its hosts filled in with what their sources publish.
        published: Everything to remember of sources.
        notices: Warnings about those that were asked.
    """

    config: Config
    published: Mapping[str, SourceRecord] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    @property
    def proxies(self) -> tuple[Network, ...]:
        """What Cloudflare is known to publish; nothing where it was not asked."""
        kept = self.published.get(CLOUDFLARE_SOURCE)
        return () if kept is None else kept.networks

    def troubles(self, now: datetime) -> list[Notice]:
        """Warnings about sources, as of the last time they were asked."""
        kept = self.published.items()
        return [about(name, one) for name, one in kept if worth_saying(one, now)]


def named(config: Config) -> tuple[str, ...]:
    """Every source that some host names, in configured order."""
    hosts = config.hosts.values()
    return tuple(dict.fromkeys(name for host in hosts for name in host.sources))


def recalled(config: Config, store: Store) -> Learnt:
    """What is known of sources, without asking any. Raises StateError."""
    names = named(config)
    if not names:
        return Learnt(config)
    kept = store.published()
    return _with(config, {name: kept[name] for name in names if name in kept})


def learn(
    config: Config, store: Store, hosts: Iterable[str], now: datetime, *, force: bool
) -> Learnt:
    """Ask the sources whose time has come. Raises StateError.

    Args:
        config: The configuration.
        store: What was known so far.
        hosts: The hosts of the run: only their sources are asked.
        now: The instant of the run.
        force: Whether to ask those again that gave something odd, and to believe it.
    """
    remembered = recalled(config, store).published
    kept, notices = dict(remembered), []
    for name in dict.fromkeys(one for label in hosts for one in config.hosts[label].sources):
        before = remembered.get(name)
        insist = force and before is not None and before.trouble.startswith(ODD)
        if insist or is_due(before, url_of(config, name), now):
            kept[name] = one = asked(config, name, before, now, force=force)
            if worth_saying(one, now):
                notices.append(about(name, one))
    return replace(_with(config, kept), notices=tuple(notices))


def about(name: str, kept: SourceRecord) -> Notice:
    """A warning about a source."""
    return Notice(f"sources.{name}", said_of(kept))


def asked(
    config: Config, name: str, before: SourceRecord | None, now: datetime, *, force: bool = False
) -> SourceRecord:
    """What there is to remember of a source once it was asked. Raises nothing.

    Args:
        config: The configuration.
        name: The source.
        before: What was remembered of it.
        now: The instant of the run.
        force: Whether to believe what looks odd beside what it said before.
    """
    url = url_of(config, name)
    former = before or SourceRecord((), None, now)
    try:
        networks = _networks(load(name), url)
    except SourceError as error:
        return replace(former, tried=now, url=url, trouble=str(error))
    odd = implausible(networks, () if force else former.networks)
    if odd:
        return replace(former, tried=now, url=url, trouble=f"{ODD}{odd}")
    return SourceRecord(networks, now, now, url)


def known(config: Config) -> Learnt:
    """What the state knows of sources, without asking any; nothing where it cannot be read."""
    from allowsync.state import StateError, Store

    if not named(config):
        return Learnt(config)
    try:
        with Store.reading(config.state) as store:
            return recalled(config, store)
    except StateError:
        return Learnt(config)


def ask_all(config: Config, now: datetime) -> dict[str, SourceRecord]:
    """What every source that a host names says now. Remembers nothing, raises nothing."""
    before = known(config).published
    return {name: asked(config, name, before.get(name), now) for name in named(config)}


def url_of(config: Config, name: str) -> str:
    """Where a source is asked; empty where it cannot be loaded."""
    options = config.sources.get(name)
    if options is not None and options.url is not None:
        return options.url
    try:
        return load(name).url
    except SourceError:
        return ""


def load(name: str) -> NetworkSource:
    """The source of that name.

    Raises:
        SourceError: It is not there, or cannot be loaded.
    """
    try:
        loaded = load_entry_point(NETWORKS, name)
    except UnknownBackend:
        raise SourceError("nothing is installed for it") from None
    except BrokenBackend as error:
        raise SourceError(f"it cannot be loaded: {error.why}") from error
    if not isinstance(loaded, NetworkSource) or loaded.name != name:
        raise SourceError(f"it cannot be loaded: {loaded!r} is no source {name!r}")
    return loaded


def _networks(source: NetworkSource, url: str) -> tuple[Network, ...]:
    """What a source gives, sorted. A defect of it is an answer that is missing."""
    try:
        return tuple(sorted(set(source.ask(url)), key=by_network))
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"unexpected {type(error).__name__}: {error}") from error


def _with(config: Config, kept: Mapping[str, SourceRecord]) -> Learnt:
    hosts = {name: filled(host, kept) for name, host in config.hosts.items()}
    return Learnt(replace(config, hosts=hosts), kept)
