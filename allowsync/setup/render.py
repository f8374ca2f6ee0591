"""Answers as the text of a configuration, with comments. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.setup.answers import HostAnswer, SetupAnswers

# Scalars that every YAML reader parses as this very text. All others are quoted.
_PLAIN = re.compile(
    r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+"
    r"|[0-9]{1,5}(?:-[0-9]{1,5})?/(?:tcp|udp)"
    r"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}"
)

_HEAD = """\
# Configuration of allowsync: trusted hosts, and the services they may reach.
# All keys: man allowsync.yaml; for editors: allowsync config schema.
# After a change: allowsync check; allowsync apply --confirm 60s
"""

_HOSTS = """\
# The trusted hosts. Hostnames are resolved in every run; networks
# always have access. Access with an expiry date:
#   guest: {hostname: guest.example.net, until: 2027-01-31}
"""

_ALLOWLISTS = """\
# What is guarded. From the first apply on, everyone else is blocked there.
# Without `hosts:` an allowlist has every host above.
"""

_FRONT = """\
# Where the addresses are kept, for what decides there by them.
# Without `hosts:` an allowlist has every host above.
"""

_RESOLVER = """\
# Who is asked for addresses, instead of the system's name servers.
"""

_STATE = """\
# What is remembered between two runs.
"""


def render(wishes: SetupAnswers) -> str:
    """The text of the configuration for the answers."""
    parts = [
        _HEAD,
        _HOSTS + _lines("hosts:", *_hosts(wishes.friends)),
        (_ALLOWLISTS if wishes.ports else _FRONT)
        + _lines(
            "allowlists:",
            f"  {wishes.allowlist}:",
            "    targets:",
            f"      - {wishes.backend}:",
            *([f"          ports: {_sequence(wishes.ports)}"] if wishes.ports else []),
            *(f"          {key}: {_scalar(value)}" for key, value in wishes.options),
        ),
    ]
    if wishes.nameservers:
        servers = _sequence(map(str, wishes.nameservers))
        parts.append(_RESOLVER + _lines("resolver:", f"  nameservers: {servers}"))
    if wishes.state is not None:
        parts.append(_STATE + _lines(f"state: {_scalar(str(wishes.state))}"))
    return "\n".join(parts)


def _hosts(friends: Iterable[HostAnswer]) -> Iterator[str]:
    for one in friends:
        if len(one.hostnames) == 1 and not one.networks:
            yield f"  {one.name}: {_scalar(one.hostnames[0])}"
            continue
        yield f"  {one.name}:"
        if one.hostnames:
            yield f"    hostname: {_sequence(one.hostnames)}"
        if one.networks:
            yield f"    networks: {_sequence(map(str, one.networks))}"


def _sequence(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(text: str) -> str:
    """The text, in quotes unless it is plain. JSON's quotes are YAML's, too (YAML 1.2, 7.3.1)."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
