"""Queries to due sources of networks, and their records."""

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

    from allowsync.config.settings import Allowlist, Config, Target
    from allowsync.model.types import Network
    from allowsync.state import Store


class Learnt(Value):
    """The networks of sources, as a run uses them.

    Attributes:
        config: The configuration, with hosts and targets completed by their sources' networks.
        published: All records of sources to remember.
        notices: Warnings about asked sources, and about lists.
    """

    config: Config
    published: Mapping[str, SourceRecord] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks published by Cloudflare; none where unknown."""
        kept = self.published.get(CLOUDFLARE_SOURCE)
        return () if kept is None else kept.networks

    def troubles(self, now: datetime) -> list[Notice]:
        """Warnings about sources, as of their last query, and about lists."""
        kept = self.published.items()
        return [*(about(name, one) for name, one in kept if worth_saying(one, now)), *self.notices]


class ListsKnown(Value):
    """The known state of lists.

    Attributes:
        records: Their records, as of any source.
        notices: Notices of problems with lists in use.
    """

    records: Mapping[str, SourceRecord] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


def known_lists(
    config: Config, now: datetime, *, force: bool = False, keep: bool = False
) -> ListsKnown | None:
    """The known state of lists: changed files are read, and nothing is fetched. Raises nothing.

    Args:
        config: The configuration.
        now: The instant.
        force: Whether a file with far fewer or far more networks than before is accepted.
        keep: Whether contents of files are kept for later runs.

    Returns:
        None where no list is in use.
    """
    if not config.lists_in_use:
        return None
    from allowsync.engine.lists.in_force import looked_at, notices, records

    lists = looked_at(config, now, force=force, keep=keep)
    return ListsKnown(records(config, lists), tuple(notices(config, lists, now)))


def recalled(config: Config, store: Store, lists: ListsKnown | None = None) -> Learnt:
    """The known records of sources and lists, without a query. Raises StateError."""
    names = config.sources_in_use
    if not (names or lists):
        return Learnt(config)
    kept = store.published() if names else {}
    return _with(config, {name: kept[name] for name in names if name in kept}, lists)


def learn(
    config: Config,
    store: Store,
    names: Iterable[str],
    now: datetime,
    lists: ListsKnown | None = None,
    *,
    force: bool,
) -> Learnt:
    """Ask the sources that are due. Raises StateError.

    Args:
        config: The configuration.
        store: The state.
        names: The sources that hosts and targets of the run name: only these are asked.
        now: The instant of the run.
        lists: The known state of lists; None where none is in use.
        force: Whether to ask sources with rejected networks again, and to accept these.
    """
    remembered = recalled(config, store).published
    kept, notices = dict(remembered), [*(lists.notices if lists else ())]
    for name in names:
        before = remembered.get(name)
        insist = force and before is not None and before.trouble.startswith(ODD)
        if insist or is_due(before, url_of(config, name), now):
            kept[name] = one = asked(config, name, before, now, force=force)
            if worth_saying(one, now):
                notices.append(about(name, one))
    return replace(_with(config, kept, lists), notices=tuple(notices))


def about(name: str, kept: SourceRecord) -> Notice:
    """A warning about a source."""
    return Notice(f"sources.{name}", said_of(kept))


def asked(
    config: Config, name: str, before: SourceRecord | None, now: datetime, *, force: bool = False
) -> SourceRecord:
    """The record of a source after a query. Raises nothing.

    Args:
        config: The configuration.
        name: The source.
        before: The record before.
        now: The instant of the run.
        force: Whether to accept networks that are implausible beside the former ones.
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
    """The recorded networks of sources, without a query; none where the state cannot be read."""
    from allowsync.state import StateError, Store

    if not config.sources_in_use:
        return Learnt(config)
    try:
        with Store.reading(config.state) as store:
            return recalled(config, store)
    except StateError:
        return Learnt(config)


def ask_all(config: Config, now: datetime) -> dict[str, SourceRecord]:
    """The networks of every named source now, and the known records of lists that hosts name.

    Records nothing, raises nothing.
    """
    before = known(config).published
    said = {name: asked(config, name, before.get(name), now) for name in config.sources_in_use}
    lists = known_lists(config, now)
    return said if lists is None else {**said, **lists.records}


def with_known(config: Config, asked: Mapping[str, SourceRecord] | None = None) -> Config:
    """The configuration, its targets completed with the recorded networks of their sources.

    Hosts stay as they are. Raises nothing.

    Args:
        config: The configuration.
        asked: The networks of sources now; used for those without a record.
    """
    if not any(one.sources for one in config.targets):
        return config
    remembered = {name: one for name, one in known(config).published.items() if one.networks}
    return replace(config, allowlists=_allowlists(config, {**(asked or {}), **remembered}))


def url_of(config: Config, name: str) -> str:
    """The URL of a source; empty where the source cannot be loaded."""
    options = config.sources.get(name)
    if options is not None and options.url is not None:
        return options.url
    try:
        return load(name).url
    except SourceError:
        return ""


def load(name: str) -> NetworkSource:
    """The source with the given name.

    Raises:
        SourceError: It is not installed, or cannot be loaded.
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
    """The networks of a source, sorted. A defect of it counts as a missing answer."""
    try:
        return tuple(sorted(set(source.ask(url)), key=by_network))
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"unexpected {type(error).__name__}: {error}") from error


def _with(
    config: Config, kept: Mapping[str, SourceRecord], lists: ListsKnown | None = None
) -> Learnt:
    lists = lists or ListsKnown()
    said = {**kept, **lists.records}
    hosts = {name: filled(host, said) for name, host in config.hosts.items()}
    allowlists = _allowlists(config, kept)
    return Learnt(replace(config, hosts=hosts, allowlists=allowlists), kept, lists.notices)


def _allowlists(config: Config, kept: Mapping[str, SourceRecord]) -> Mapping[str, Allowlist]:
    """The allowlists, with networks in place of the source names in targets."""
    if not any(one.sources for one in config.targets):
        return config.allowlists
    published = {name: one.networks for name, one in kept.items()}

    def filled_in(one: Target) -> Target:
        return one.with_networks(published) if one.sources else one

    return {
        name: replace(one, targets=tuple(map(filled_in, one.targets)))
        for name, one in config.allowlists.items()
    }
