"""Revocations in a file of their own, beside the state: they outlive it.

A damaged or deleted state has no revocations any more, and the DNS still gives the addresses of
revoked hosts. So both hold them, and a revocation in either is in force. The last line counts the
others: so a truncated file is not taken for a shorter list.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from allowsync.model.access_order import Revocation
from allowsync.model.networks import cidr, parsed
from allowsync.model.value import Value
from allowsync.state.errors import StateUnwritable
from allowsync.state.files import as_owner, prepare_folder
from allowsync.system.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX: Final = ".revoked"
_COUNT: Final = "revocations"
_LARGEST: Final = 1024 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class KeptRevocations(Value):
    """The revocations in a file, and the reason why it may be incomplete; empty where it is not."""

    revocations: tuple[Revocation, ...] = ()
    lacking: str = ""


def read_revoked(state: Path) -> KeptRevocations:
    """Read the file, line by line up to the first invalid one. Raises nothing."""
    try:
        with as_owner(state), os.fdopen(os.open(path_of(state), _FLAGS), "rb") as file:
            lines = file.read(_LARGEST).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return KeptRevocations()
    except StateUnwritable as error:
        return KeptRevocations(lacking=error.why)
    except OSError as error:
        return KeptRevocations(lacking=error.strerror or str(error))
    found: list[Revocation] = []
    with suppress(ValueError, TypeError, KeyError):
        for line in lines:
            found.append(_revocation(json.loads(line)))  # noqa: PERF401 - up to the first that is none
    whole = bool(found) and lines[len(found) :] == [json.dumps({_COUNT: len(found)})]
    return KeptRevocations(tuple(found), "" if whole else "it is incomplete")


def write_revoked(state: Path, revocations: Iterable[Revocation], *, whole: bool = True) -> None:
    """Replace the content of the file. On the disk when this returns.

    Args:
        state: The state it is beside.
        revocations: The new content.
        whole: Whether these are known to be all revocations.

    Raises:
        StateUnwritable: It could not be written; the former content is unchanged.
    """
    path, lines = path_of(state), [json.dumps(_document(one)) + "\n" for one in revocations]
    if lines and whole:
        lines.append(json.dumps({_COUNT: len(lines)}) + "\n")
    try:
        with as_owner(state):
            prepare_folder(state.parent)
            if lines or not whole:
                replace_file(path, "".join(lines).encode(), 0o600, durable=True)
            else:
                with suppress(FileNotFoundError):
                    path.unlink()
    except OSError as error:
        raise StateUnwritable(path, error.strerror) from error


def path_of(state: Path) -> Path:
    """The file beside a state."""
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
