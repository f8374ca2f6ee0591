"""The configuration: its schema, its YAML, and the checks across sections.

Importing this package costs next to nothing; YAML and the schema come with the first `load`.
"""

from __future__ import annotations

from contextlib import suppress

from allowsync.config.errors import ConfigError, Problem
from allowsync.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.cache import Source
    from allowsync.config.settings import Config

__all__ = [
    "ConfigError",
    "Problem",
    "json_schema",
    "load",
    "locate",
    "rebuild_options",
    "show",
    "state_of_unread",
]


def locate(given: Path | None, environ: Mapping[str, str], uid: int) -> Path:
    """The path of the configuration.

    Args:
        given: The value of `--config`.
        environ: The environment; `ALLOWSYNC_CONFIG` comes next.
        uid: The user. For users other than root, their own file is the fallback of the system's.
    """
    if given is not None:
        return given
    from allowsync.config.paths import configuration

    return configuration(environ, uid)


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    uid: int,
    state: Path | None = None,
    root: Path | None = None,
    keep: bool = False,
) -> Config:
    """Return the configuration in a file, valid as a whole.

    Args:
        path: The file.
        environ: The environment, for secrets and default paths.
        uid: The user who reads. Root refuses files that others may change.
        state: The value of `--state`; it wins over the file.
        root: The root of the target system, if not this one: secrets are read there.
        keep: Whether to cache it beside the state, so that the next load need not validate it.

    Raises:
        ConfigError: The configuration is invalid. Holds every problem, not the first alone.
    """
    from allowsync.config import secure_file
    from allowsync.config.cache import Source, cached

    try:
        demands = secure_file.FileRequirements(uid, secure_file.LARGEST_FILE)
        content = secure_file.read_checked(path, demands)
    except secure_file.RefusedError as refused:  # refused: the file is not read at all
        from allowsync.text import abridge, printable

        raise ConfigError([Problem(printable(str(path)), abridge(str(refused)))]) from None
    source = Source(path, content, state, environ, uid)
    if root is None and (config := cached(source)) is not None:
        return config
    try:
        return _validated(source, root, keep=keep)
    except ConfigError as error:
        if root is None and (config := _outdated(source, error)) is not None:
            return config
        raise


def _outdated(source: Source, error: ConfigError) -> Config | None:
    """The configuration with the last valid hosts of `hosts_from`; None without such a file.

    The main text was valid, so the problem is in the hosts file or its metadata.
    """
    from allowsync.config.cache import cached

    config = cached(source, current=False)
    if config is None or config.hosts_file is None:
        return None
    from allowsync.model.outcome import ExitCode, Notice
    from allowsync.model.value import replace

    first, *others = error.problems
    more = f" (and {len(others)} more)" if others else ""
    what = f"{first.what}{more}; the hosts that the file held before stay; repair it"
    trouble = (Notice(first.where, what, ExitCode.OLD_KNOWLEDGE),)
    return replace(config, hosts_file=replace(config.hosts_file, trouble=trouble))


def state_of_unread(
    path: Path, *, environ: Mapping[str, str], uid: int, state: Path | None = None
) -> Path | None:
    """The state path of an invalid configuration, as far as it can be found.

    Args:
        path: The file. An unreadable one counts as empty.
        environ: The environment, for the default path.
        uid: The user who reads.
        state: The value of `--state`; it wins over the file.
    """
    from allowsync.config import secure_file
    from allowsync.config.cache import Source, state_of

    content = b""
    with suppress(secure_file.RefusedError):
        demands = secure_file.FileRequirements(uid, secure_file.LARGEST_FILE)
        content = secure_file.read_checked(path, demands)
    return state_of(Source(path, content, state, environ, uid))


def _validated(source: Source, root: Path | None, *, keep: bool) -> Config:
    from allowsync.config.document import read_content
    from allowsync.config.schema.context import SYSTEM, Reading

    reading = Reading(source.path, environ=source.environ, uid=source.uid, root=root or SYSTEM)
    config = read_content(source.content, reading, source.state)
    if keep and root is None:
        from allowsync.config.cache import keep_valid

        keep_valid(config, source)
    return config


def json_schema() -> dict[str, Any]:
    """The configuration as JSON Schema (draft 2020-12), with every loadable backend."""
    from allowsync.config.document import document_schema

    return document_schema()


def show(config: Config) -> dict[str, Any]:
    """The configuration with defaults filled in, as plain JSON values. Secrets are masked."""
    from allowsync.config.dump import shown

    return shown(config)


def rebuild_options(backend: AnyBackendType, kept: Mapping[str, Any], now: Any = None) -> Any:
    """The options of a target at an earlier run, from its `Target.remembered`.

    Args:
        backend: The backend of the target.
        kept: The options in the state. Those that must not be remembered are ignored, whichever
            process put them there.
        now: The target's present options, for all that the state may not hold; None for a target
            that is no longer configured.

    Raises:
        ConfigError: They are invalid, or a required option is not in the state.
    """
    from allowsync.config.targets import rebuilt

    return rebuilt(backend, kept, now)
