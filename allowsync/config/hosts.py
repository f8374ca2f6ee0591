"""The section `hosts`: trusted hosts, with their hostnames and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allowsync.config.hostnames import Hostname
from allowsync.config.kinds import INVALID, Choice, ListOf, Moment, Name, OneOrMany, Optional
from allowsync.config.list_kinds import check_named, names_kind
from allowsync.config.networks import Width
from allowsync.config.schema.context import Invalid, Reading, below
from allowsync.config.schema.nodes import Mapping, Node, Scalar, ScalarType, got, is_null
from allowsync.config.schema.object import Object, Option, Options
from allowsync.config.sections import POLICY_OPTIONS
from allowsync.config.source_kinds import NetworkOrSource
from allowsync.model.types import BOTH_FAMILIES, LISTS, Family, Host, Policy
from allowsync.model.value import replace
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection

LABEL: Final = Name(
    r"[a-z0-9][a-z0-9_.-]{0,39}",
    "a name of 1 to 40 of a-z, 0-9, `_`, `.` and `-` that begins with a letter or digit",
)
_HOSTNAME: Final = Hostname()

# Keys of a host and the fields of `Host` they become.
_FIELDS: Final = {"hostname": "hostnames"}

HOST_OPTIONS: Final[Options] = {
    "hostname": Option(
        OneOrMany(_HOSTNAME), "One dynamic DNS name, or several, whose addresses are combined.", ()
    ),
    "networks": Option(
        ListOf(NetworkOrSource(), unique=True),
        "Fixed networks: always allowed, never resolved. Host bits must be zero. A name such as "
        "`cloudflare` means all networks that this source publishes as its own; they are fetched "
        "once a day.",
        (),
    ),
    "lists": Option(
        names_kind(),
        "Lists whose networks are allowed like fixed networks: see `lists`. A list with a "
        "network that is invalid for `networks` is rejected.",
        (),
    ),
    "families": Option(
        ListOf(Choice(Family), unique=True, least=1),
        "The address families that are resolved and granted.",
        BOTH_FAMILIES,
    ),
    "ipv4_prefix": Option(
        Width(Family.IPV4),
        "Prefix length of the network granted for an IPv4 address, from 16 to 32.",
        32,
    ),
    "ipv6_prefix": Option(
        Width(Family.IPV6),
        "Prefix length of the network granted for an IPv6 address, from 48 to 128. Devices at "
        "home share the prefix, not the address.",
        64,
    ),
    "until": Option(
        Optional(Moment()),
        "The end of access. A date means the end of that day in the local time zone; a date and "
        "time needs its UTC offset.",
        None,
    ),
}
LONG_FORM: Final = Object(dict, {**HOST_OPTIONS, **POLICY_OPTIONS})
_EXPECTED: Final = "a hostname, or a mapping with `hostname`, `networks` or `lists`"


class Hosts:
    """Reads every host. Hosts with equal policies share one object: there may be thousands.

    Args:
        policy: The default policy of a host.
        lists: The names of all lists that the configuration describes.
    """

    def __init__(self, policy: Policy, lists: Collection[str] = ()) -> None:
        self.policy = policy
        self.lists = lists
        self._policies: dict[tuple[tuple[str, Any], ...], Policy] = {(): policy}

    def read(self, node: Node, at: str, reading: Reading) -> tuple[list[str], dict[str, Host]]:
        """Every name that is written, and the valid hosts, in the order of the file."""
        entries = reading.entries(node, at, "a mapping from names to hosts")
        if entries is INVALID:
            return [], {}
        if isinstance(node, Mapping) and not node.entries:
            reading.problem(node, at, "expected at least one host")
        hosts: dict[str, Host] = {}
        for name, (key, child) in entries.items():
            if LABEL.regex.fullmatch(name) is None:
                what = f"expected {LABEL.expected} as key, got {quote(name)}"
                reading.problem(key, below(at, name), what)
            host = self.host(name, child, below(at, name), reading)
            if host is not INVALID:
                hosts[name] = host
        return list(entries), hosts

    def host(self, name: str, node: Node, at: str, reading: Reading) -> Host | Invalid:
        """One host, in its short or its long form."""
        if isinstance(node, Mapping):
            return self._long_form(name, node, at, reading)
        if is_null(node) or not isinstance(node, Scalar) or node.type is not ScalarType.TEXT:
            return reading.problem(node, at, f"expected {_EXPECTED}, got {got(node)}")
        hostname = _HOSTNAME.parse(node, at, reading)
        return INVALID if hostname is INVALID else Host(name, (hostname,), policy=self.policy)

    def _long_form(self, name: str, node: Mapping, at: str, reading: Reading) -> Host | Invalid:
        written = LONG_FORM.written(node, at, reading)
        if written is INVALID:
            return INVALID
        if not any(written.get(key) for key in ("hostname", "networks", "lists")):
            return reading.problem(node, at, "needs a hostname, networks or lists")
        named = {key.text: child for key, child in node.entries if isinstance(key, Scalar)}
        if "lists" in named and not check_named(
            named["lists"], below(at, "lists"), self.lists, reading
        ):
            return INVALID
        fields = {_FIELDS.get(key, key): one for key, one in written.items() if key in HOST_OPTIONS}
        given = fields.pop("networks", ())
        fields["networks"] = tuple(one for one in given if not isinstance(one, str))
        names = (one for one in given if isinstance(one, str))
        fields["sources"] = (*names, *(LISTS + one for one in fields.pop("lists", ())))
        overrides = {key: one for key, one in written.items() if key in POLICY_OPTIONS}
        return Host(name, policy=self._policy(overrides), **fields)

    def _policy(self, overrides: dict[str, Any]) -> Policy:
        key = tuple(sorted(overrides.items()))
        if key not in self._policies:
            self._policies[key] = replace(self.policy, **overrides)
        return self._policies[key]


def hosts_schema() -> dict[str, Any]:
    """The section as JSON Schema: the short form is text, the long form a mapping."""
    long_form = {
        **LONG_FORM.schema(),
        "anyOf": [{"required": [key]} for key in ("hostname", "networks", "lists")],
    }
    return {
        "type": "object",
        "description": "Who is trusted: a name for each, and a hostname or more about them.",
        "minProperties": 1,
        "propertyNames": {"pattern": LABEL.schema()["pattern"]},
        "additionalProperties": {"anyOf": [_HOSTNAME.schema(), long_form]},
    }
