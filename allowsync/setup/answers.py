"""The answers to the questions, each validated like the configuration."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from allowsync.backend import registry as discovery
from allowsync.config.allowlists import NAME
from allowsync.config.errors import suggestion
from allowsync.config.hostnames import Hostname
from allowsync.config.hosts import LABEL
from allowsync.config.kinds import INVALID
from allowsync.config.nameservers import NameserverKind
from allowsync.config.networks import FixedNetwork
from allowsync.config.schema.context import Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import REQUIRED
from allowsync.config.schema.time_kinds import Duration, Moment
from allowsync.config.targets import nearest_backend, options_kind
from allowsync.model.types import Host, Query
from allowsync.model.value import Value, replace
from allowsync.setup.fronts import FRONTS
from allowsync.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.kinds import Kind
    from allowsync.config.schema.object import Option
    from allowsync.model.nameserver import Nameserver
    from allowsync.model.types import Network

    T = TypeVar("T")

PORTS = "ports"


class InvalidAnswer(ValueError):
    """An answer that is not valid; the text says why."""


class HostAnswer(Value):
    """A host to allow.

    Attributes:
        name: Its label.
        hostnames: Its dynamic-DNS names.
        networks: Its fixed networks.
    """

    name: str
    hostnames: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    @property
    def queries(self) -> tuple[Query, ...]:
        """The DNS queries for the host."""
        return Host(self.name, self.hostnames, self.networks).queries


class SetupAnswers(Value):
    """All answers for a first configuration.

    Attributes:
        friends: The trusted hosts, with unique names.
        ports: The guarded ports, as written: `8096/tcp`.
        backend: The name of the firewall's backend.
        allowlist: The name of the allowlist.
        nameservers: The nameservers; empty for the system's.
        state: The state database; None for the default path.
        options: Other options of the target, each with its value.
    """

    friends: tuple[HostAnswer, ...] = ()
    ports: tuple[str, ...] = ()
    backend: str = ""
    allowlist: str = ""
    nameservers: tuple[Nameserver, ...] = ()
    state: Path | None = None
    options: tuple[tuple[str, str], ...] = ()

    def befriend(self, friend: HostAnswer) -> SetupAnswers:
        """The same with one more host. A known host gets the further names and networks."""
        known = {one.name: one for one in self.friends}
        before = known.get(friend.name, HostAnswer(friend.name))
        known[friend.name] = HostAnswer(
            friend.name,
            tuple(dict.fromkeys((*before.hostnames, *friend.hostnames))),
            tuple(dict.fromkeys((*before.networks, *friend.networks))),
        )
        return replace(self, friends=tuple(known.values()))

    def without(self, name: str) -> SetupAnswers:
        """The same without a host."""
        return replace(self, friends=tuple(one for one in self.friends if one.name != name))


def friend(text: str) -> HostAnswer:
    """A host as typed: `alice alice.duckdns.org`, `alice=alice.duckdns.org`, `office=192.0.2.7`.

    Raises:
        InvalidAnswer: It is malformed.
    """
    words = text.replace("=", " ", 1).split()
    if len(words) < 2:
        what = "expected a name and a hostname, such as alice alice.duckdns.org"
        raise InvalidAnswer(f"{what}, got {quote(text.strip())}")
    name = _fitting(LABEL, words[0])
    found = SetupAnswers()
    for word in words[1:]:
        found = found.befriend(_placed(name, word))
    return found.friends[0]


def _placed(name: str, word: str) -> HostAnswer:
    if is_address(word):
        return HostAnswer(name, networks=(_fitting(FixedNetwork(), word),))
    return HostAnswer(name, hostnames=(_fitting(Hostname(), word),))


def is_address(text: str) -> bool:
    """Whether a text is an address or a network, with host bits or without."""
    try:
        ip_interface(text)
    except ValueError:
        return False
    return True


def is_hostname(text: str) -> bool:
    """Whether a text can be the hostname of a host."""
    try:
        _fitting(Hostname(), text)
    except InvalidAnswer:
        return False
    return not is_address(text)


def label(text: str) -> str:
    """The label of a host. Raises InvalidAnswer."""
    return _fitting(LABEL, text)


def network(text: str) -> Network:
    """A fixed network of a host. Raises InvalidAnswer."""
    return _fitting(FixedNetwork(), text)


def duration(text: str) -> timedelta:
    """A duration. Raises InvalidAnswer."""
    return _fitting(Duration(zero=False), text)


def moment(text: str) -> datetime:
    """The end of an access, as written in a configuration. Raises InvalidAnswer."""
    return _fitting(Moment(), text)


def nameserver(text: str) -> Nameserver:
    """A nameserver as written in a configuration.

    Raises:
        InvalidAnswer: It is malformed.
    """
    return _fitting(NameserverKind(), text)


def allowlist(text: str) -> str:
    """The name of an allowlist.

    Raises:
        InvalidAnswer: It is not valid as one.
    """
    return _fitting(NAME, text)


def guarding() -> tuple[AnyBackendType, ...]:
    """The backends that guard ports and require no other options, sorted by name."""
    from allowsync.config.targets import loadable

    return tuple(one for one in loadable() if _asks_for_ports_alone(options_kind(one).options))


def _asks_for_ports_alone(options: Mapping[str, Option]) -> bool:
    needed = {key for key, one in options.items() if one.default is REQUIRED}
    return PORTS in options and needed <= {PORTS}


def fronts() -> tuple[AnyBackendType, ...]:
    """The backends of web servers and lists, sorted by name."""
    from allowsync.config.targets import loadable

    return tuple(one for one in loadable() if one.name in FRONTS)


def backend(text: str) -> AnyBackendType:
    """The backend of that name.

    Raises:
        InvalidAnswer: There is none, or it is neither one of `guarding` nor of `fronts`.
    """
    known = (*guarding(), *fronts())
    found = next((one for one in known if one.name == text), None)
    if found is not None:
        return found
    names = [one.name for one in known]
    if text in discovery.names():
        raise InvalidAnswer(
            f"{text} guards no ports: write its configuration by hand, or use {', '.join(names)}"
        )
    raise InvalidAnswer(f"there is no backend {quote(text)}{nearest_backend(text, names)}")


def ports(text: str, chosen: AnyBackendType) -> tuple[str, ...]:
    """Ports as typed, separated by spaces or commas, each with its protocol: TCP by default.

    Raises:
        InvalidAnswer: One of them is no port.
    """
    typed = text.replace(",", " ").split()
    words = [f"{one}/tcp" if one.replace("-", "").isdecimal() else one for one in typed]
    if not words:
        raise InvalidAnswer("expected a port such as 8096/tcp")
    if chosen.name in FRONTS:
        raise InvalidAnswer(f"{chosen.name} guards no ports: leave out --port")
    kind = options_kind(chosen).options[PORTS].kind
    _fitting(kind, [*dict.fromkeys(words)])
    return tuple(dict.fromkeys(words))


def option(text: str, chosen: AnyBackendType) -> tuple[str, str]:
    """An option as typed: `path=/etc/nginx/friends.conf`. Raises InvalidAnswer."""
    key, sign, value = text.partition("=")
    if not sign:
        raise InvalidAnswer(f"expected OPTION=VALUE, got {quote(text)}")
    return key.strip(), option_value(key.strip(), value.strip(), chosen)


def option_value(key: str, text: str, chosen: AnyBackendType) -> str:
    """The value of an option. A secret need not be in its place yet. Raises InvalidAnswer."""
    known = options_kind(chosen).options
    if key not in known or key == PORTS:
        if key == PORTS and key in known:
            raise InvalidAnswer(f"ports are no --option of {chosen.name}: say --port PORT/PROTO")
        names = [one for one in known if one != PORTS]
        hint = suggestion(key, names) or f"; it has {', '.join(names)}"
        raise InvalidAnswer(f"{chosen.name} has no option {quote(key)}{hint}")
    _fitting(known[key].kind, text)
    return text


def _fitting(kind: Kind[T], value: Any) -> T:
    """A value as the configuration will parse it.

    Raises:
        InvalidAnswer: It is not valid.
    """
    reading = Reading(Path("answer"))
    with reading.missing_secrets():
        found = kind.parse(from_plain(value), "", reading)
    if found is INVALID:
        raise InvalidAnswer("; ".join(one.what for one in reading.problems))
    return found
