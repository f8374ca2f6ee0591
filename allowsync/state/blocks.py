"""The last accepted content of each denylist, in a file beside the state.

So a run with nothing to do reads no list, and a denylist that is refused can be restored after a
flush. A damaged file counts as missing.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from allowsync.config.secure_file import digest_of
from allowsync.model.value import Value, field
from allowsync.policy.denylist import Blocked, NeverBlocked
from allowsync.state.kept_files import read_body, read_heading, write_kept
from allowsync.state.lists import instant_of, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from allowsync.model.spans import Span


class KeptBlocks(Value):
    """The kept content of a denylist.

    Attributes:
        inputs: The identifier of its inputs; empty where nothing was accepted.
        as_of: The date of each of its lists then; for an unknown one, the time since when.
        digest: The digest of its networks.
        path: The file that holds them; None where there is none.
    """

    inputs: str = ""
    as_of: Mapping[str, datetime] = field(default_factory=dict)
    digest: str = ""
    path: Path | None = None

    def blocked(self) -> Blocked | None:
        """The content; None where nothing was accepted, or where it is damaged."""
        if not self.inputs or self.path is None:
            return None
        body = read_body(self.path, self.digest)
        try:
            return None if body is None else _blocked(json.loads(body))
        except (ValueError, TypeError):
            return None


def blocks_path(state: Path, denylist: str) -> Path:
    """The path of a denylist's kept content."""
    return state.with_name(f"{state.name}.{denylist}.blocks")


def read_blocks(state: Path, denylist: str) -> KeptBlocks:
    """The kept content of a denylist, by its heading."""
    path = blocks_path(state, denylist)
    held = read_heading(path)
    try:
        as_of = {str(name): instant_of(one) for name, one in held["as_of"].items()}
        return KeptBlocks(str(held["inputs"]), as_of, str(held["digest"]), path)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return KeptBlocks()


def write_blocks(
    state: Path,
    denylist: str,
    inputs: str,
    as_of: Mapping[str, datetime],
    accepted: Blocked | None,
) -> None:
    """Keep the content of a denylist, as far as possible."""
    body = b"" if accepted is None else _written(accepted)
    heading = {
        "inputs": "" if accepted is None else inputs,
        "as_of": {name: number_of(one) for name, one in as_of.items()},
        "digest": digest_of(body),
    }
    write_kept(blocks_path(state, denylist), heading, body)


def _written(one: Blocked) -> bytes:
    spared = [(str(each.network), each.why) for each in one.spared]
    return json.dumps([*one.spans, spared], separators=(",", ":")).encode()


def _blocked(plain: Any) -> Blocked:
    ipv4, ipv6, spared = plain
    never = tuple(NeverBlocked(ip_network(network), str(why)) for network, why in spared)
    return Blocked((_spans(ipv4), _spans(ipv6)), never)


def _spans(plain: Any) -> list[Span]:
    return [(first, last) for first, last in plain]
