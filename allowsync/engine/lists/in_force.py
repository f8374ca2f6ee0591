"""Lists in force in a run: changed files are read, and hosts get their networks.

Downloads follow a run (`allowsync.engine.lists.download`): no name waits for them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.types import LISTS
from allowsync.model.value import replace
from allowsync.policy.lists import REJECTED, is_old, needs_force, next_try
from allowsync.policy.published import SourceRecord
from allowsync.state.lists import KeptList, forget_list, identity, read_list, write_list
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.config.settings import Config
    from allowsync.model.list_source import ListSource


def looked_at(
    config: Config,
    now: datetime,
    *,
    force: bool = False,
    keep: bool = False,
    names: Iterable[str] | None = None,
) -> dict[str, KeptList]:
    """The state of each list in use. Raises nothing.

    Args:
        config: The configuration.
        now: The instant.
        force: Whether a file with far fewer or far more networks than before is accepted.
        keep: Whether contents of files are kept for later runs.
        names: The lists to look at, if not all.
    """
    found = {}
    for name in config.lists_in_use if names is None else names:
        kept = read_list(config.state, name)
        known = kept or KeptList(name, now)
        grants = is_granted(config, name)
        if grants and known.body() is None:  # then nothing of it counts
            known = KeptList(name, now)
            if keep:
                forget_list(config.state, name)
        source = config.lists[name]
        if source.file is None and now - known.tried > source.keep:
            # It was not in use: its old content admits no host now.
            known = KeptList(name, now, trouble="it was unused for longer than `keep`")
        if source.file is not None:
            known = _of_file(source, known, now, grants=grants, force=force)
            if keep and known != kept:
                write_list(config.state, known)
        found[name] = known
    return found


def records(config: Config, kept: Mapping[str, KeptList]) -> dict[str, SourceRecord]:
    """The records of lists that hosts have, as of any source of networks."""
    return {
        LISTS + name: _record(config.lists[name], one)
        for name, one in kept.items()
        if is_granted(config, name)
    }


def due(config: Config, now: datetime, *, force: bool) -> list[str]:
    """The lists in use that are due for fetching."""
    fetched = [name for name in config.lists_in_use if config.lists[name].url is not None]
    return [
        name
        for name in fetched
        if _is_due(config.lists[name], read_list(config.state, name), now, force=force)
    ]


def _is_due(source: ListSource, kept: KeptList | None, now: datetime, *, force: bool) -> bool:
    if kept is None or now < kept.tried or (force and needs_force(kept.trouble)):
        return True
    return kept.asked != identity(source) or now >= next_try(source, kept.tried, kept.failures)


def is_granted(config: Config, name: str) -> bool:
    """Whether hosts have the networks of a list."""
    return any(name in host.lists for host in config.hosts.values())


def notices(config: Config, kept: Mapping[str, KeptList], now: datetime) -> Iterator[Notice]:
    """Notices of problems with lists in use. Where a host needs one, its knowledge is old."""
    for name, one in kept.items():
        grants = is_granted(config, name)
        if what := complaint(config.lists[name], one, now, grants=grants):
            code = ExitCode.OLD_KNOWLEDGE if grants else ExitCode.IN_STEP
            yield Notice(LISTS + name, what, code)


def complaint(source: ListSource, kept: KeptList, now: datetime, *, grants: bool) -> str:
    """The problem of a list to report in every run; empty where there is none."""
    confirmed = kept.as_of
    if not kept.is_known:
        return f"its networks are unknown: {kept.trouble or 'it was not fetched yet'}"
    what = counted(kept.count, "network", "networks")
    if grants and kept.unfit:
        return f"none of its {what} is granted: {kept.unfit}"
    if is_old(source, confirmed, now) and confirmed is not None:
        why = f": {kept.trouble}" if kept.trouble else ""
        return f"no version newer than {_day(confirmed)} could be fetched; its {what} stay{why}"
    if kept.trouble and (source.file is not None or kept.trouble.startswith(REJECTED)):
        return f"{what} of {_day(kept.fetched)}, which stay: {kept.trouble}"
    return ""


def _of_file(
    source: ListSource, known: KeptList, now: datetime, *, grants: bool, force: bool
) -> KeptList:
    """The state of a list in a file; the file is read where it was changed."""
    assert source.file is not None  # noqa: S101 - the caller looked
    trouble, stamp = "", tuple[int, ...]()
    try:
        stamp = _stamp(os.stat(source.file), source, grants=grants)  # noqa: PTH116 - in every run
    except OSError as error:
        trouble = f"{source.file}: {error.strerror or 'cannot be accessed'}"
    again = force and needs_force(known.trouble)
    if (known.asked, known.stamp) == (identity(source), stamp) and not again:
        return known
    from allowsync.engine.lists.acceptance import refused

    if trouble:
        return replace(refused(known, trouble, now, source), stamp=())
    return _read(source, replace(known, stamp=stamp), now, grants=grants, force=force)


def _read(
    source: ListSource, before: KeptList, now: datetime, *, grants: bool, force: bool
) -> KeptList:
    from allowsync.config.secure_file import FileRequirements, RefusedError, read_checked
    from allowsync.engine.lists.acceptance import accepted, refused
    from allowsync.policy.list_formats import LARGEST, ListError, check_digest, read_list_content

    assert source.file is not None  # noqa: S101 - the caller looked
    try:
        content = read_checked(source.file, FileRequirements(os.geteuid(), LARGEST))
        check_digest(content, source.sha256)
        said = read_list_content(content, source.format, source.field)
    except RefusedError as error:
        return refused(before, f"{source.file}: {error}", now, source)
    except ListError as error:
        return refused(before, f"{REJECTED}{error}", now, source)
    return accepted(said, source, before, now, grants=grants, force=force)


def _stamp(found: os.stat_result, source: ListSource, *, grants: bool) -> tuple[int, ...]:
    """The status of a file, and the settings that affect its acceptance."""
    changed = (found.st_mtime_ns, found.st_ctime_ns)
    return (*changed, found.st_dev, found.st_ino, found.st_size, source.max_networks, int(grants))


def _record(source: ListSource, kept: KeptList) -> SourceRecord:
    networks = kept.networks() if kept.is_known and not kept.unfit else ()
    trouble = kept.unfit or kept.trouble
    if networks is None:
        networks, trouble = (), "its stored copy is damaged"
    fetched = kept.fetched if networks else None
    return SourceRecord(networks, fetched, kept.tried, source.place, trouble)


def _day(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M} UTC"
