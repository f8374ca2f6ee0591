"""The configuration: its schema, the YAML it is written in, and the checks across it.

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
    """Where the configuration is.

    Args:
        given: What `--config` says.
        environ: The environment; `ALLOWSYNC_CONFIG` comes next.
        uid: Who asks. Without root, a file of one's own is looked for where the system has none.
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
    """The configuration in a file, valid as a whole.

    Args:
        path: The file.
        environ: The environment, for secrets and default places.
        uid: Who reads. Root refuses files that others may change.
        state: What `--state` says; it wins over the file.
        root: The root of the system it is for, where that is not this one: secrets are read there.
        keep: Whether it is kept beside the state, so that the next load need not validate it.

    Raises:
        ConfigError: Something is wrong. Holds every problem there is, not the first alone.
    """
    from allowsync.config import secure_file
    from allowsync.config.cache import Source, cached

    try:
        demands = secure_file.FileRequirements(uid, secure_file.LARGEST_FILE)
        content = secure_file.read_checked(path, demands)
    except secure_file.RefusedError as refused:  # then it is not read at all
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
    """The configuration with the hosts that a file held before; None where it names no file.

    Its text was valid, so what is wrong is in the file (`hosts_from`) or about it.
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
    """Where the state of a configuration is that is not valid, as far as that can be seen.

    Args:
        path: The file. One that may not be read says nothing.
        environ: The environment, for the default place.
        uid: Who reads.
        state: What `--state` says; it wins over the file.
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
    """The configuration as JSON Schema (draft 2020-12), with every backend that can be loaded."""
    from allowsync.config.document import document_schema

    return document_schema()


def show(config: Config) -> dict[str, Any]:
    """The configuration with defaults filled in, as plain JSON values. Secrets are masked."""
    from allowsync.config.dump import shown

    return shown(config)


def rebuild_options(backend: AnyBackendType, kept: Mapping[str, Any], now: Any = None) -> Any:
    """The options of a target as it was, from its `Target.remembered`.

    Args:
        backend: Whose options.
        kept: What the state holds of them. Options that are not to be remembered are left out,
            whichever process put them there.
        now: Options of the present configuration, which say all that the state may not; None for
            a target that is no longer configured.

    Raises:
        ConfigError: They do not fit, or something is missing that the state does not keep.
    """
    from allowsync.config.targets import rebuilt

    return rebuilt(backend, kept, now)
