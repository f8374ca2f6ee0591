"""The parsed document of a configuration, kept beside the state so that YAML is not parsed again.

What is kept is the text and the nodes it was parsed to, for exactly this text and this version of
the program: everything else about a configuration is validated in every run. It is believed only
where only this user could have written it; all else is as if there was none.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from allowsync import __version__
from allowsync.config import paths
from allowsync.config.schema.nodes import Mapping, Node, Scalar, ScalarType, Sequence
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from allowsync.config.schema.context import Reading
    from allowsync.config.settings import Config

LARGEST: Final = 64 * 1024 * 1024
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Where the state is, as far as it can be seen without parsing. Where that is wrong, there is
# nothing to be found, or nothing of this text.
_STATE: Final = re.compile(
    r"""^[ \t]*["']?state["']?[ \t]*:[ \t]*["']?(/[^"'\s,#]+)""", re.MULTILINE
)


def cached_document(content: bytes, state: Path | None, reading: Reading) -> Node | None:
    """The root node of a configuration with that content; None where it is to be parsed.

    Args:
        content: The configuration file, as it was read now.
        state: What `--state` says.
        reading: Who reads, and where the state is by default.
    """
    try:
        text = content.decode()
        if state is None:
            found = _STATE.search(text)
            state = Path(found[1]) if found else paths.state(reading.environ, reading.uid)
        if state is None:
            return None
        version, checksum, document = _read(_beside(state), reading.uid).split(b"\n", 2)
        if version != __version__.encode() or int(checksum) != crc32(document):
            return None
        kept, root = json.loads(document)
        return _node(root) if kept == text else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def keep_document(config: Config, content: bytes, root: Node) -> None:
    """Keep a valid document for the next run. One that holds a secret itself is never kept.

    What cannot be written is not kept; that is no error.
    """
    channels = (*config.notify, *(() if config.heartbeat is None else (config.heartbeat,)))
    if any(channel.url is not None for channel in channels):
        return
    try:
        document = json.dumps([content.decode(), _plain(root)], separators=(",", ":")).encode()
        head = f"{__version__}\n{crc32(document)}\n".encode()
        replace_file(_beside(config.state), head + document, 0o600)
    except (OSError, ValueError, RecursionError):
        return


def _beside(state: Path) -> Path:
    return state.with_name(f"{state.name}.config")


def _read(path: Path, uid: int) -> bytes:
    """A regular file that belongs to a user, and that no other can write.

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
        return file.read()


def _plain(node: Node) -> list[Any]:
    """A node as JSON: its kind, its line, and what it holds."""
    if isinstance(node, Scalar):
        return [node.type.value, node.line, node.text]
    if isinstance(node, Sequence):
        return ["list", node.line, *map(_plain, node.items)]
    return ["mapping", node.line, *(_plain(one) for pair in node.entries for one in pair)]


def _node(plain: list[Any]) -> Node:
    """The node of that JSON."""
    kind, line, *held = plain
    if kind == "list":
        return Sequence(tuple(map(_node, held)), line)
    if kind == "mapping":
        nodes = iter(map(_node, held))
        return Mapping(tuple(zip(nodes, nodes, strict=True)), line)
    (text,) = held
    return Scalar(text, ScalarType(kind), line)
