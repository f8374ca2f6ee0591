"""A file → a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.config.document import read_document
from allowsync.config.document_cache import cached_document, keep_document
from allowsync.config.schema.context import SYSTEM, Reading
from allowsync.config.schema.nodes import LARGEST_FILE, Node, from_plain, is_null
from allowsync.config.secure_file import FileRequirements, MissingError, RefusedError, read_checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.config.settings import Config


def load_file(
    path: Path,
    *,
    environ: Mapping[str, str],
    uid: int,
    state: Path | None = None,
    root: Path = SYSTEM,
    keep: bool = False,
) -> Config:
    """The configuration in a file. Raises ConfigError with everything that is wrong.

    With `keep`, the parsed document is kept beside the state, for the next to load it.
    """
    reading = Reading(path, environ=environ, uid=uid, root=root)
    content = _content(path, reading)
    reading.finish()
    document = cached_document(content, state, reading)
    if document is not None:
        return read_document(document, reading, state)
    document = _parsed(content, reading)
    reading.finish()
    config = read_document(document, reading, state)
    if keep:
        keep_document(config, content, document)
    return config


def _content(path: Path, reading: Reading) -> bytes:
    """What the file holds; nothing once a problem is noted. A refused file is not read at all."""
    try:
        return read_checked(path, FileRequirements(reading.uid, LARGEST_FILE))
    except (MissingError, RefusedError) as refused:
        reading.problem(0, "", str(refused))
        return b""


def _parsed(content: bytes, reading: Reading) -> Node:
    """The root node; a null one once a problem is noted."""
    from allowsync.config.schema.yaml_loader import YamlError, read_yaml

    try:
        root = read_yaml(content)
    except YamlError as error:
        reading.problem(error.line, "", error.what)
    else:
        if root is not None and not is_null(root):
            return root
        reading.problem(0, "", "the file is empty: expected a mapping with hosts and allowlists")
    return from_plain(None)
