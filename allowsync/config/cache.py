"""The valid configuration, cached in a file so that it is neither parsed nor validated again.

The cache is valid for exactly the same text, code and user, and only if no other user could have
written it; otherwise it is ignored. It holds no secrets: secrets that a configuration refers to
are read again each time, and a configuration with a literal secret is not cached.

The file has three lines: a digest of all inputs of the configuration, the files of the code that
validated it, and the configuration as `allowsync.config.codec` writes it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path

from allowsync import __version__
from allowsync.backend.api import BackendError
from allowsync.backend.containment import contained
from allowsync.backend.registry import BrokenBackend, UnknownBackend, load_type
from allowsync.config.codec import Decoder, Encoder, NoPlainForm
from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.secrets import KeptSecret
    from allowsync.config.settings import Config

T = TypeVar("T")

LARGEST: Final = 64 * 1024 * 1024
_UNUSABLE: Final = (
    *(OSError, ValueError, TypeError, RecursionError, LookupError),
    *(BackendError, BrokenBackend, UnknownBackend),
)
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# The state path, as found without parsing. A wrong match finds no cache, or none of this text: a
# cache miss.
_STATE: Final = re.compile(
    r"""^[ \t]*["']?state["']?[ \t]*:[ \t]*["']?([^"'\s,#]+)""", re.MULTILINE
)
# The code that validates, besides that of the backends in use.
_VALIDATING: Final = ("allowsync.backend", "allowsync.config", "allowsync.model", "allowsync.text")


class Source(Value):
    """The inputs that a configuration is read from.

    Attributes:
        path: The file, as it was given.
        content: Its present content.
        state: The value of `--state`.
        environ: The environment.
        uid: The user who reads.
    """

    path: Path
    content: bytes
    state: Path | None
    environ: Mapping[str, str]
    uid: int

    @property
    def folder(self) -> Path:
        """The base of relative paths in the file."""
        return Path(os.path.abspath(self.path)).parent  # noqa: PTH100 - `..` must not follow links


def cached(source: Source, *, current: bool = True) -> Config | None:
    """The cached configuration of that text; None if it has to be validated.

    Args:
        source: The inputs.
        current: Whether the hosts of another file (`hosts_from`) must match its present content.
    """
    try:
        state = state_of(source)
        if state is None:
            return None
        digest, files, document = _read(_place(source, state), source.uid).split(b"\n", 2)
        if digest != _digest(source, state, files, document):
            return None
        parts = json.loads(document)
        if current and not _is_current(parts[2]["Config"], source.uid):
            return None
        kinds = _kinds(parts)
        return _contained(lambda: _decoded(parts, kinds, source))
    except _UNUSABLE:  # validation reports the problem, if there is one
        return None


def keep_valid(config: Config, source: Source) -> None:
    """Cache a valid configuration for the next run.

    One that cannot be written or has no plain form is silently not cached, nor is one with a broken
    target: the next run validates it again.
    """
    from allowsync.system.files import replace_file

    place = _place(source, config.state)
    try:
        if any(target.broken for target in config.targets):
            place.unlink(missing_ok=True)  # its hosts would be too old to fall back to
            return
        document = _contained(lambda: _encoded(config))
        parts = json.loads(document)
        kinds = _kinds(parts)
        if not _contained(lambda: _decoded(parts, kinds, source) == config):
            return
        files = json.dumps(_files(config)).encode()
        digest = _digest(source, config.state, files, document)
        _check_folder(place.parent, source.uid)
        content = b"\n".join((digest, files, document))
        replace_file(place, content, 0o600)
    except _UNUSABLE:
        return


def _is_current(plain: Mapping[str, Any], uid: int) -> bool:
    """Whether the `hosts_from` file, if any, has its cached content. Raises OSError."""
    if "hosts_file" not in plain:
        return True
    from allowsync.config.hosts_from import content_of
    from allowsync.config.secure_file import RefusedError, digest_of

    path = Path(plain["hosts_from"]["HostsFrom"]["jsonlines"]["path"])
    try:
        content = content_of(path, uid)
    except RefusedError:
        return False
    return bool(digest_of(content) == plain["hosts_file"]["HostsFile"]["digest"])


def _contained(step: Callable[[], T]) -> T:
    """Make values of classes that may belong to third parties. Raises BackendError."""
    return contained("of a target", step, lambda made: made)


def state_of(source: Source) -> Path | None:
    """The state path, as far as it can be found without parsing; None without one."""
    if source.state is not None:
        return source.state
    if found := _STATE.search(source.content.decode(errors="replace")):
        return source.folder / found[1]
    from allowsync.config import paths

    return paths.state(source.environ, source.uid)


def _place(source: Source, state: Path) -> Path:
    """The cache path: beside the state; for root beside the configuration.

    The folder of the state may have belonged to another user, who could have planted a cache there:
    systemd changes the owner of a folder with all its content.
    """
    if source.uid == 0:
        return source.folder / f".{source.path.name}.kept"
    return state.with_name(f"{state.name}.config")


def _digest(source: Source, state: Path, files: bytes, document: bytes) -> bytes:
    """The digest of all that a cached configuration depends on.

    Raises:
        OSError: A file of the code is gone.
    """
    from allowsync.config.secure_file import digest_of

    about = (
        __version__,
        sys.version,
        str(source.path),
        str(source.folder),
        str(state),
        source.uid,
        # Writing or replacing a file changes its ctime (inode(7)).
        [os.stat(one).st_ctime_ns for one in json.loads(files)],  # noqa: PTH116 - many, in any run
    )
    parts = (json.dumps(about).encode(), files, source.content, document)
    return digest_of(*(b"%d " % len(part) + part for part in parts)).encode()


def _files(config: Config) -> list[str]:
    """The code files that validated a configuration."""
    modules = {target.backend.options.__module__ for target in config.targets}
    prefixes = (
        *_VALIDATING,
        *modules,
        *({one.partition(".")[0] for one in modules} - {"allowsync"}),
    )
    return sorted(
        str(module.__file__)
        for name, module in sys.modules.items()
        if name.startswith(prefixes) and hasattr(module, "__file__")
    )


def _encoded(config: Config) -> bytes:
    """Raise NoPlainForm for a secret, or for options that depend on more than their text."""
    from allowsync.config.schema.purity import is_pure
    from allowsync.config.targets import options_kind

    backends = {one.backend.name: one.backend for one in config.targets}
    kinds = {(one.backend.name, one.effect): one for one in config.targets}
    if not all(is_pure(options_kind(one.backend, one.effect)) for one in kinds.values()):
        raise NoPlainForm
    encoder = Encoder(backends.values())
    plain = encoder.plain(config)
    document = [list(backends), encoder.shared, plain]
    return json.dumps(document, separators=(",", ":")).encode()


def _kinds(parts: Any) -> Mapping[str, AnyBackendType]:
    """The backends that a document names; not in a contained call: loading may start a process."""
    return {one: load_type(one) for one in parts[0]}


def _decoded(parts: Any, kinds: Mapping[str, AnyBackendType], source: Source) -> Config:
    """The configuration of a document. Raises any of `_UNUSABLE`."""
    _, shared, plain = parts

    def fetch(store: str, origin: str) -> KeptSecret:
        from allowsync.config.secrets import KeptSecret, SecretStore, fetched

        kept_in = SecretStore(store)
        return KeptSecret(origin, fetched(kept_in, origin, source.environ, source.uid), kept_in)

    config: Config = Decoder(kinds, shared, fetch).value(plain)
    named = {*config.sources, *config.sources_in_use}
    if named or config.resolver.nameservers:
        _check_installed(config, named)
    return config


def _check_installed(config: Config, named: set[str]) -> None:
    """Raise LookupError if a required package or source is no longer installed."""
    from allowsync.config.installed import lacking, sources

    if any(lacking(config.resolver.nameservers)) or not named <= set(sources()):
        raise LookupError


def _check_folder(folder: Path, uid: int) -> None:
    """Raise OSError if users other than this one and root can replace files in a folder."""
    status = folder.stat()
    replaceable = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
    if replaceable or status.st_uid not in (uid, 0):
        raise OSError(f"others can write in {folder}")


def _read(path: Path, uid: int) -> bytes:
    """The content of a regular file that belongs to a user and that no other can write or replace.

    Raises:
        OSError: There is none, or it does not qualify.
    """
    descriptor = os.open(path, _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise OSError(f"{path} is no file that was kept")
        if status.st_uid != uid or status.st_mode & _OTHERS_WRITE:
            raise OSError(f"others can write {path}")
        _check_folder(path.parent, uid)
        return file.read()
