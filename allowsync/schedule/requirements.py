"""The permissions that a configuration needs of its service; pure except for backends' reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError, Needs
from allowsync.config.secrets import KeptSecret
from allowsync.model.value import Value, ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.config.settings import Config, Target

STATE: Final = Path("/var/lib/allowsync/state.db")
CONFIGURATION: Final = Path("/etc/allowsync/config.yaml")


class SecretNames(Value):
    """The names of a service's secrets: systemd credentials, environment variables. Sorted."""

    credentials: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


class Requirements(Value):
    """The requirements of a service for all targets together.

    Attributes:
        needs: Those of all targets, and of the state and the files of a run.
        credentials: The names of systemd credentials that hold secrets, sorted.
        variables: The names of environment variables that hold secrets, sorted.
        restored: The allowlists to restore at boot since a restart empties them, and single
            targets of those that have lasting ones, too.
        everything: Whether all of them are restored at boot.
        root_because: The reason to be root; empty if any user suffices.
        unknown: Targets with unknown requirements, and the reason: their backends are broken.
        follower: The secrets that `allowsync follow` reads; None if no list follows the fleet.
    """

    needs: Needs
    credentials: tuple[str, ...]
    variables: tuple[str, ...]
    restored: tuple[str, ...]
    everything: bool
    root_because: str
    unknown: tuple[tuple[str, str], ...] = ()
    follower: SecretNames | None = None


def requirements(config: Config, place: Path) -> Requirements:
    """The requirements of a configuration.

    Args:
        config: The configuration.
        place: Its path for the service.
    """
    unknown: dict[str, str] = {}
    each = [(target, _needs(target, unknown)) for target in config.targets]
    kept = list(_secrets(config))
    restored, names = tuple(_restored(each)), _names(kept)
    return Requirements(
        _together([*(needs for _, needs in each), Needs(any_user=True, writes=_files(config))]),
        names.credentials,
        names.variables,
        restored,
        set(restored) == set(config.allowlists),
        _root_because(config, place, each, kept),
        tuple(unknown.items()),
        _follower(config),
    )


def _follower(config: Config) -> SecretNames | None:
    """The secrets of the process that follows the fleet: the store's, and no signing key."""
    if config.fleet is None or not any(one.follow for one in config.allowlists.values()):
        return None
    return _names(list(secrets_of(config.fleet.store)))


def _names(kept: list[tuple[str, KeptSecret]]) -> SecretNames:
    return SecretNames(
        tuple(sorted({one.origin for name, one in kept if name.endswith("_credential")})),
        tuple(sorted({one.origin for name, one in kept if name.endswith("_env")})),
    )


def _needs(target: Target, unknown: dict[str, str]) -> Needs:
    """A target's requirements. If its backend fails, they are empty, and the target is restored."""
    try:
        return target.needs
    except BackendError as error:
        unknown[target.name] = str(error)
        return Needs(any_user=True)


def _restored(each: list[tuple[Target, Needs]]) -> Iterator[str]:
    """The names to restore. Lasting targets are skipped: their service may not have started yet."""
    for name in dict.fromkeys(target.allowlist for target, _ in each):
        here = [(one, needs) for one, needs in each if one.allowlist == name and not needs.online]
        passing = [one.name for one, needs in here if not needs.lasting]
        yield from passing if len(passing) < len(here) else [name][: len(passing)]


def _together(all_needs: list[Needs]) -> Needs:
    return Needs(
        any_user=all(one.any_user for one in all_needs),
        capabilities=_union(one.capabilities for one in all_needs),
        writes=_union(one.writes for one in all_needs),
        locks=_union(one.locks for one in all_needs),
        commands=any(one.commands for one in all_needs),
        all_of_proc=any(one.all_of_proc for one in all_needs),
        after=_union(one.after for one in all_needs),
        before=_union(one.before for one in all_needs),
        lasting=all(one.lasting for one in all_needs),
    )


def _union(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({one for part in parts for one in part}))


def _files(config: Config) -> tuple[str, ...]:
    """The folders that a run writes to, besides those of its targets."""
    folders = [] if config.state.parent == STATE.parent else [str(config.state.parent)]
    folders += [str(path.parent) for path in (config.metrics, config.report) if path is not None]
    if published := _published_into(config):
        folders.append(str(published))
    return tuple(folders)


def _published_into(config: Config) -> Path | None:
    """The folder that decisions are published into; None without one."""
    publishes = any(one.publish for one in config.allowlists.values())
    return config.fleet.store.file if publishes and config.fleet is not None else None


def _root_because(
    config: Config,
    place: Path,
    each: list[tuple[Target, Needs]],
    kept: list[tuple[str, KeptSecret]],
) -> str:
    """The first reason, in words that end the sentence "it runs as root, for"."""
    for target, needs in each:
        if not needs.any_user:
            return f"{target.name} takes root"
    for name, secret in kept:
        if name.endswith("_file"):
            return f"only root may read {secret.origin}"
    if place != CONFIGURATION:
        return f"the configuration is not {CONFIGURATION}"
    if config.state != STATE:
        return f"the state is not {STATE}"
    if written := config.metrics or config.report or _published_into(config):
        return f"it writes {written}"
    return ""


def _secrets(config: Config) -> Iterator[tuple[str, KeptSecret]]:
    """Every secret that is kept elsewhere, with the name of its option."""
    holders = [target.options for target in config.targets]
    for holder in (*holders, *config.notify, config.heartbeat, config.fleet):
        yield from secrets_of(holder)


def secrets_of(holder: Any) -> Iterator[tuple[str, KeptSecret]]:
    """Every secret among some options that is kept elsewhere, with the name of its option."""
    kind = type(holder)
    # A value lends what a dataclass has, but makes one for it.
    is_value = isinstance(kind, ValueType)
    names = kind.__fields__ if is_value else getattr(kind, "__dataclass_fields__", ())
    for name in names:
        value = getattr(holder, name, None)
        if isinstance(value, KeptSecret):
            yield name, value
        else:
            yield from secrets_of(value)
