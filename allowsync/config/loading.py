"""A file → a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.config.document import read_document
from allowsync.config.schema.context import SYSTEM, Reading
from allowsync.config.schema.nodes import Node, from_plain, is_null
from allowsync.config.schema.yaml_loader import LARGEST_FILE, YamlError, read_yaml
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
) -> Config:
    """The configuration in a file. Raises ConfigError with everything that is wrong."""
    reading = Reading(path, environ=environ, uid=uid, root=root)
    document = _root(path, reading)
    reading.finish()
    return read_document(document, reading, state)


def _root(path: Path, reading: Reading) -> Node:
    """The root node; a null one once a problem is noted. A refused file is not read at all."""
    nothing = from_plain(None)
    try:
        root = read_yaml(read_checked(path, FileRequirements(reading.uid, LARGEST_FILE)))
    except MissingError as missing:
        reading.problem(0, "", str(missing))
    except RefusedError as refused:
        reading.problem(0, "", str(refused))
    except YamlError as error:
        reading.problem(error.line, "", error.what)
    else:
        if root is not None and not is_null(root):
            return root
        reading.problem(0, "", "the file is empty: expected a mapping with hosts and allowlists")
    return nothing
