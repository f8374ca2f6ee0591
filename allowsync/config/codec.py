"""A valid configuration as plain JSON, and back. Only known classes, named by a fixed table.

    null, true, 1, 1.5, "text"                themselves
    [1, 2]                                    a tuple
    {"Limits": {"allow_empty": true}}         a value: its fields that differ from the default
    {"Family": "ipv4"}                        a member of an enumeration
    {"network": "192.0.2.0/24"}, and so on    other types (`Encoder._leaf`)
    {"shared": 0}                             a policy, shared by many hosts

The classes of a backend's options are those that the module of the options knows. Values of other
classes have no plain form, nor have literal secrets; of a kept secret only the place is written.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path, PosixPath

from allowsync.backend.api import BackendType
from allowsync.model.types import Policy
from allowsync.model.value import ValueType
from allowsync.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.secrets import KeptSecret

CORE: Final = {
    "allowsync.config.channels": ("NotifyChannel", "Heartbeat"),
    "allowsync.config.fleet": (
        *("EtcdStoreOptions", "Fleet", "HttpsStoreOptions", "StoreOptions"),
    ),
    "allowsync.config.hosts_from": ("HostsFile", "HostsFrom"),
    "allowsync.config.settings": ("Allowlist", "Config", "Denylist", "Target"),
    "allowsync.config.sources": ("SourceOptions",),
    "allowsync.model.list_source": ("ListFormat", "ListSource"),
    "allowsync.model.nameserver": ("Dnssec", "Nameserver", "ResolverSettings", "Transport"),
    "allowsync.model.notification": ("Event", "HeartbeatKind"),
    "allowsync.model.target": ("Effect",),
    "allowsync.model.types": ("Family", "Host", "Limits", "Policy"),
}
_MODULES: Final = {name: module for module, names in CORE.items() for name in names}
_PLAIN: Final = (str, int, float, bool, type(None))
_SECRETS: Final = "allowsync.config.secrets"
_NOT_THEIRS: Final = ("allowsync", "builtins", "enum", "typing")
_MICROSECOND: Final = timedelta(microseconds=1)


class NoPlainForm(TypeError):
    """A value is of no known class, or a secret."""


class Encoder:
    """Encodes values as plain JSON.

    Attributes:
        shared: The plain forms that `{"shared": …}` refers to, by number.
    """

    def __init__(self, backends: Iterable[AnyBackendType]) -> None:
        self.shared: list[Any] = []
        self._shared: dict[int, int] = {}
        self._names = {cls: name for name, cls in backend_classes(backends).items()}

    def plain(self, value: Any) -> Any:
        """The plain form of a value. Raises NoPlainForm."""
        cls = type(value)
        if cls in _PLAIN:
            return value
        if cls is tuple:
            return [self.plain(one) for one in value]
        if cls is dict:
            return {"map": [[self.plain(one) for one in pair] for pair in value.items()]}
        if cls is list:
            return {"list": [self.plain(one) for one in value]}
        if cls is Policy:
            return {"shared": self._number(value)}
        return self._leaf(value) or {self._name(cls): self._content(value)}

    def _leaf(self, value: Any) -> dict[str, Any] | None:
        if isinstance(value, timedelta):
            return {"span": value // _MICROSECOND}
        if isinstance(value, datetime):
            return {"instant": value.astimezone().isoformat()}
        if isinstance(value, IPv4Network | IPv6Network):
            return {"network": str(value)}
        if isinstance(value, PosixPath):
            return {"path": str(value)}
        if isinstance(value, BackendType):
            return {"backend": value.name}
        cls = type(value)
        if cls.__module__ == _SECRETS:
            if cls.__name__ != "KeptSecret":
                raise NoPlainForm("it is a secret")
            return {"secret": [value.store.value, value.origin]}
        return None

    def _number(self, policy: Policy) -> int:
        """The number of a policy among the shared values."""
        if id(policy) not in self._shared:
            self._shared[id(policy)] = len(self.shared)
            self.shared.append(self._content(policy))
        return self._shared[id(policy)]

    def _name(self, cls: type[Any]) -> str:
        if _MODULES.get(cls.__name__) == cls.__module__:
            return cls.__name__
        if cls not in self._names:
            raise NoPlainForm(f"{cls.__name__} is no class of a configuration")
        return self._names[cls]

    def _content(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return self.plain(value.value)
        fields = _fields(type(value))
        held = {name: getattr(value, name) for name in fields}
        return {name: self.plain(one) for name, one in held.items() if one is not fields[name]}


class Decoder:
    """Decodes the output of an `Encoder`.

    Args:
        backends: The backends by name, with their own classes.
        shared: The plain forms that `{"shared": …}` refers to.
        fetch: Reads a kept secret again, given its store and its place there.
    """

    def __init__(
        self,
        backends: Mapping[str, AnyBackendType],
        shared: Iterable[Any],
        fetch: Callable[[str, str], KeptSecret],
    ) -> None:
        own = backend_classes(backends.values())
        self._makers: dict[str, Callable[[Any], Any]] = {
            "map": lambda held: {self.value(key): self.value(one) for key, one in held},
            "list": lambda held: [self.value(one) for one in held],
            "span": lambda held: timedelta(microseconds=held),
            "instant": _instant,
            "network": ip_network,
            "path": Path,
            "backend": backends.__getitem__,
            "secret": lambda held: fetch(*held),
            **{name: self._maker(cls) for name, cls in own.items()},
        }
        policies = [self._maker(Policy)(one) for one in shared]
        self._makers["shared"] = policies.__getitem__

    def value(self, plain: Any) -> Any:
        """The value of a plain form.

        Raises:
            Exception: It is invalid, or a dependency (a secret, the time zone) has changed.
        """
        if plain.__class__ is list:
            return tuple([self.value(one) for one in plain])
        if plain.__class__ is not dict:
            return plain
        ((name, held),) = plain.items()
        make = self._makers.get(name)
        if make is None:
            make = self._makers[name] = self._maker(_core(name))
        return make(held)

    def _maker(self, cls: type[Any]) -> Callable[[Any], Any]:
        if issubclass(cls, Enum):
            return lambda held: cls(self.value(held))
        value = self.value

        def made(held: Mapping[str, Any]) -> Any:
            return cls(**{name: value(one) for name, one in held.items()})

        return made


def backend_classes(backends: Iterable[AnyBackendType]) -> dict[str, type[Any]]:
    """The classes that the options of backends can hold, as `nftables.Port`."""
    found: dict[str, type[Any]] = {}
    for backend in backends:
        modules: set[str] = set()
        _note(backend.options, backend.name, found, modules)
    return found


def _note(cls: type[Any], backend: str, found: dict[str, type[Any]], modules: set[str]) -> None:
    """Collect the known classes of the modules of a class and its bases, recursively."""
    for module in {base.__module__ for base in cls.__mro__} - modules:
        modules.add(module)
        if module.partition(".")[0] in _NOT_THEIRS:
            continue
        for one in vars(sys.modules[module]).values():
            if isinstance(one, type) and _is_known(one):
                found.setdefault(f"{backend}.{one.__name__}", one)
                _note(one, backend, found, modules)


def _is_known(cls: type[Any]) -> bool:
    return (
        isinstance(cls, ValueType) or issubclass(cls, Enum) or "__dataclass_fields__" in vars(cls)
    )


def _core(name: str) -> type[Any]:
    from importlib import import_module

    cls: type[Any] = getattr(import_module(_MODULES[name]), name)
    return cls


def _fields(cls: type[Any]) -> dict[str, Any]:
    """The fields of a value or a dataclass, each with its default."""
    if isinstance(cls, ValueType):
        return {name: one.default for name, one in cls.__fields__.items()}
    return dict.fromkeys(cls.__dataclass_fields__, _NO_DEFAULT)


_NO_DEFAULT: Final = object()


def _instant(written: str) -> datetime:
    """An instant that was written in the local time zone. Raises ValueError in another one.

    A date in a configuration means the end of that day in local time.
    """
    instant = datetime.fromisoformat(written).astimezone(UTC)
    if instant.astimezone().isoformat() != written:
        raise ValueError("the local time zone is another one")
    return instant
