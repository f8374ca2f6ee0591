"""The valid configuration, kept in a file so that it is neither parsed nor validated again.

It is believed for exactly the text it was made of, by the same code, for the same user, and only
where no other could have written it; all else is as if there was none. No secret is in it: those
that a configuration names are read anew each time, and one that holds a secret itself is not kept.

The file has three lines: a digest of everything the configuration rests on, the files of the code
that validated it, and the configuration as `allowsync.config.codec` writes it.
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
# Where the state is, as far as it can be seen without parsing. Where that is wrong, there is
# nothing to be found, or nothing of this text.
_STATE: Final = re.compile(
    r"""^[ \t]*["']?state["']?[ \t]*:[ \t]*["']?([^"'\s,#]+)""", re.MULTILINE
)
# The code that validates, beside that of the backends in use.
_VALIDATING: Final = ("allowsync.backend", "allowsync.config", "allowsync.model", "allowsync.text")


class Source(Value):
    """What a configuration is read from.

    Attributes:
        path: The file, as it was named.
        content: What it holds now.
        state: What `--state` says.
        environ: The environment.
        uid: Who reads.
    """

    path: Path
    content: bytes
    state: Path | None
    environ: Mapping[str, str]
    uid: int

    @property
    def folder(self) -> Path:
        """Where relative paths in the file start."""
        return Path(os.path.abspath(self.path)).parent  # noqa: PTH100 - `..` must not follow links


def cached(source: Source, *, current: bool = True) -> Config | None:
    """The valid configuration of that text; None where it is to be validated.

    Args:
        source: What it is read from.
        current: Whether hosts of another file (`hosts_from`) have to be what it holds now.
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
    except _UNUSABLE:  # validation says what is wrong, if anything is
        return None


def keep_valid(config: Config, source: Source) -> None:
    """Keep a valid configuration for the next run.

    What cannot be written, or has no plain form, is not kept; that is no error. Nor is one with a
    target that cannot be served: the next run looks again.
    """
    from allowsync.system.files import replace_file

    place = _place(source, config.state)
    try:
        if any(target.broken for target in config.targets):
            place.unlink(missing_ok=True)  # hosts of a file in it would be too old to fall back to
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
    """Whether the file that hosts are read from, if any, holds what it held. Raises OSError."""
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
    """Make values of classes that may be a third party's. Raises BackendError."""
    return contained("of a target", step, lambda made: made)


def state_of(source: Source) -> Path | None:
    """Where the state is, as far as it can be seen without parsing; None where there is none."""
    if source.state is not None:
        return source.state
    if found := _STATE.search(source.content.decode(errors="replace")):
        return source.folder / found[1]
    from allowsync.config import paths

    return paths.state(source.environ, source.uid)


def _place(source: Source, state: Path) -> Path:
    """Beside the state; for root beside the configuration.

    The folder of the state may have been another user's, who could have planted a configuration
    there: systemd hands over a folder with all that is in it.
    """
    if source.uid == 0:
        return source.folder / f".{source.path.name}.kept"
    return state.with_name(f"{state.name}.config")


def _digest(source: Source, state: Path, files: bytes, document: bytes) -> bytes:
    """What tells whether anything is another than when a configuration was kept.

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
        # A file that was written or replaced has another time of change (inode(7)).
        [os.stat(one).st_ctime_ns for one in json.loads(files)],  # noqa: PTH116 - many, in any run
    )
    parts = (json.dumps(about).encode(), files, source.content, document)
    return digest_of(*(b"%d " % len(part) + part for part in parts)).encode()


def _files(config: Config) -> list[str]:
    """The files of the code that a configuration was validated by."""
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
    """Raises NoPlainForm: it holds a secret, or what may depend on more than its text."""
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
    """The backends that a document names. Loading one may make a process: it is in no call."""
    return {one: load_type(one) for one in parts[0]}


def _decoded(parts: Any, kinds: Mapping[str, AnyBackendType], source: Source) -> Config:
    """Raises whatever keeps it from being used."""
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
    """Raise LookupError where something is not installed any more."""
    from allowsync.config.installed import lacking, sources

    if any(lacking(config.resolver.nameservers)) or not named <= set(sources()):
        raise LookupError


def _check_folder(folder: Path, uid: int) -> None:
    """Raise OSError where others than this user and root can replace files in a folder."""
    status = folder.stat()
    replaceable = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
    if replaceable or status.st_uid not in (uid, 0):
        raise OSError(f"others can write in {folder}")


def _read(path: Path, uid: int) -> bytes:
    """A regular file that belongs to a user, and that no other can write or replace.

    Raises:
        OSError: There is none, or it is another's.
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
