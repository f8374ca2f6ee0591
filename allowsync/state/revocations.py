"""Revocations in a file of their own, beside the state: they outlive it.

A state that is damaged or deleted knows of no revocation any more, and the DNS still gives the
addresses of those who were revoked. So both places hold them, and what either holds is in force.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.access_order import Revocation
from allowsync.model.networks import cidr, parsed
from allowsync.state.errors import StateUnwritable
from allowsync.state.files import as_owner, prepare_folder
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX: Final = ".revoked"
_LARGEST: Final = 1024 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read_revoked(state: Path) -> tuple[Revocation, ...]:
    """Everything in the file; nothing where there is none.

    Raises:
        StateUnwritable: It cannot be read, or makes no sense.
    """
    path = _path(state)
    try:
        with as_owner(state), os.fdopen(os.open(path, _FLAGS), "rb") as file:
            lines = file.read(_LARGEST).decode().splitlines()
        return tuple(_revocation(json.loads(line)) for line in lines)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StateUnwritable(path, f"revocations cannot be read from it: {error}") from error


def write_revoked(state: Path, revocations: Iterable[Revocation]) -> None:
    """Replace what is in the file. On the disk when this returns.

    Raises:
        StateUnwritable: It could not be written; what was there still is.
    """
    path, lines = _path(state), [json.dumps(_document(one)) + "\n" for one in revocations]
    try:
        with as_owner(state):
            prepare_folder(state.parent)
            if lines:
                replace_file(path, "".join(lines).encode(), 0o600, durable=True)
            else:
                with suppress(FileNotFoundError):
                    path.unlink()
    except OSError as error:
        raise StateUnwritable(path, error.strerror) from error


def _path(state: Path) -> Path:
    return state.with_name(state.name + SUFFIX)


def _document(one: Revocation) -> dict[str, Any]:
    network = None if one.network is None else cidr(one.network)
    return {
        "subject": one.subject,
        "at": one.at.isoformat(),
        "network": network,
        "hostnames": list(one.hostnames),
    }


def _revocation(written: Any) -> Revocation:
    network = written["network"]
    return Revocation(
        str(written["subject"]),
        datetime.fromisoformat(written["at"]),
        None if network is None else parsed(network),
        tuple(map(str, written["hostnames"])),
    )
