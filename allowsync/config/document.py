"""A whole configuration: every section, and the checks across them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allowsync.config import paths as places
from allowsync.config.allowlists import Allowlists, allowlists_schema
from allowsync.config.denylists import Denylists, denylists_schema
from allowsync.config.errors import ConfigError
from allowsync.config.hosts import Hosts, hosts_schema
from allowsync.config.installed import lacking, lacking_for_fleet
from allowsync.config.list_kinds import list_names
from allowsync.config.schema.context import INVALID, Entries, Invalid, Reading, below
from allowsync.config.schema.nodes import Mapping, Scalar, from_plain, is_null
from allowsync.config.schema.object import Object, described, unknown_key
from allowsync.config.sections import LIMITS, POLICY, RESOLVER, SINGLE_OPTIONS
from allowsync.config.settings import Config
from allowsync.config.targets import PlacesInUse

if TYPE_CHECKING:
    import collections.abc

    from allowsync.config.fleet import Fleet
    from allowsync.config.hosts_from import HostsFile, HostsFrom
    from allowsync.config.schema.nodes import Node
    from allowsync.config.settings import Allowlist, Denylist
    from allowsync.model.nameserver import ResolverSettings
    from allowsync.model.types import Host, Policy

T = TypeVar("T")

_REQUIRED: Final = ("hosts", "allowlists")
_HOSTS_FROM: Final = "hosts_from"
# Other sources of hosts if `hosts` is missing: a follower has none.
_INSTEAD: Final = (_HOSTS_FROM, "fleet")
_SECTIONS: Final[dict[str, Object[Any]]] = {
    "resolver": RESOLVER,
    "policy": POLICY,
    "limits": LIMITS,
}
_DENYLISTS: Final = "denylists"
KEYS: Final = (*_REQUIRED, _DENYLISTS, *_SECTIONS, *SINGLE_OPTIONS)
_EXPECTED: Final = f"a mapping with {', '.join(KEYS)}"


def read_content(content: bytes, reading: Reading, state: Path | None) -> Config:
    """The configuration of a text. Raises ConfigError; see `read_document`."""
    root = _parsed(content, reading)
    reading.finish()
    return read_document(root, reading, state)


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


def read_document(root: Node, reading: Reading, state: Path | None) -> Config:
    """The configuration written below a root node.

    Args:
        root: The root.
        reading: Collects every problem.
        state: The state database, if the command line names one.

    Raises:
        ConfigError: There are problems.
    """
    entries = reading.entries(root, "", _EXPECTED)
    if entries is INVALID:
        raise ConfigError(reading.problems)
    _check_keys(entries, root, reading)
    policy = _section("policy", POLICY, entries, reading)
    resolver = _section("resolver", RESOLVER, entries, reading)
    limits = _section("limits", LIMITS, entries, reading)
    _check_resolver(resolver, entries, reading)
    single = _single_values(entries, reading)
    names, hosts, read = _hosts(policy, single.get(_HOSTS_FROM), entries, reading)
    allowlists, denylists = _places(names, entries, reading)
    where = _state(state or single.get("state"), reading)
    _check_fleet(single.get("fleet"), allowlists, entries, reading)
    reading.finish()
    return Config(
        path=reading.source,
        hosts=hosts,
        allowlists=allowlists,
        state=where,
        resolver=resolver,
        policy=policy,
        limits=limits,
        notify=single.get("notify", ()),
        heartbeat=single.get("heartbeat"),
        metrics=single.get("metrics"),
        history=single.get("history", SINGLE_OPTIONS["history"].default),
        report=single.get("report"),
        sources=single.get("sources", {}),
        lists=single.get("lists", {}),
        denylists=denylists,
        fleet=single.get("fleet"),
        hosts_from=single.get(_HOSTS_FROM),
        hosts_file=read,
    )


def document_schema() -> dict[str, Any]:
    """The whole configuration as JSON Schema (draft 2020-12)."""
    sections = {name: _may_be_empty(kind.schema()) for name, kind in _SECTIONS.items()}
    singles = {name: described(one) for name, one in SINGLE_OPTIONS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "allowsync configuration",
        "type": "object",
        "properties": {
            "hosts": hosts_schema(),
            "allowlists": allowlists_schema(),
            _DENYLISTS: denylists_schema(),
            **sections,
            **singles,
        },
        "required": list(_REQUIRED[1:]),
        "anyOf": [{"required": [name]} for name in (_REQUIRED[0], *_INSTEAD)],
        "additionalProperties": False,
    }


def _check_keys(entries: Entries, root: Node, reading: Reading) -> None:
    meant: set[str] = set()
    for name, (key, _) in entries.items():
        if name not in KEYS:
            what, near = unknown_key(name, KEYS)
            reading.problem(key, below("", name), what)
            meant.add(near)
    instead = any(name in entries and not is_null(entries[name][1]) for name in _INSTEAD)
    for name in _REQUIRED[1:] if instead else _REQUIRED:
        if name not in entries and name not in meant:
            reading.problem(root, "", f"{name!r} is missing")


def _section(name: str, kind: Object[T], entries: Entries, reading: Reading) -> T:
    """A section, or its defaults if it is missing or faulty, so that reading can go on."""
    if name not in entries:
        return kind.cls()
    parsed = kind.parse(entries[name][1], name, reading)
    return kind.cls() if parsed is INVALID else parsed


def _hosts(
    policy: Policy, file: HostsFrom | Invalid | None, entries: Entries, reading: Reading
) -> tuple[list[str], dict[str, Host], HostsFile | None]:
    """Every host name that is written, the valid hosts, and the hosts file as read.

    Raises:
        ConfigError: The file is not used: the names that allowlists may use are unknown then.
    """
    names: list[str] = []
    hosts: dict[str, Host] = {}
    reader = Hosts(policy, list_names(entries))
    if "hosts" in entries:
        names, hosts = reader.read(entries["hosts"][1], "hosts", reading)
    if file is None or file is INVALID:
        return names, hosts, None
    from allowsync.config.hosts_file import HostLines

    lines = HostLines(file.jsonlines, reader, set(names), reading)
    read = lines.read(entries[_HOSTS_FROM][1], f"{_HOSTS_FROM}.jsonlines")
    if read is None:
        reading.finish()
    return [*names, *lines.hosts], hosts | lines.hosts, read


def _places(
    names: list[str], entries: Entries, reading: Reading
) -> tuple[dict[str, Allowlist], dict[str, Denylist]]:
    allowlists: dict[str, Allowlist] = {}
    denylists: dict[str, Denylist] = {}
    places = PlacesInUse()
    if "allowlists" in entries:
        section = entries["allowlists"][1]
        allowlists = Allowlists(names, places).read(section, "allowlists", reading)
    if _DENYLISTS in entries:
        written = Denylists(names, allowlists, places, list_names(entries))
        denylists = written.read(entries[_DENYLISTS][1], _DENYLISTS, reading)
    return allowlists, denylists


def _single_values(entries: Entries, reading: Reading) -> dict[str, Any]:
    with reading.missing_secrets():
        return {
            name: one.kind.parse(entries[name][1], name, reading)
            for name, one in SINGLE_OPTIONS.items()
            if name in entries
        }


def _state(chosen: Any, reading: Reading) -> Path:
    if isinstance(chosen, Path):
        return chosen
    if place := places.state(reading.environ, reading.uid):
        return place
    reading.problem(0, "state", "there is no home folder to keep it in: write a path")
    return places.SYSTEM_STATE


def _check_resolver(resolver: ResolverSettings, entries: Entries, reading: Reading) -> None:
    """Check across keys: agreement against the number of nameservers, and required packages."""
    if "resolver" not in entries:
        return
    section = entries["resolver"][1]
    written = section.entries if isinstance(section, Mapping) else ()
    lines = {key.text: key.line for key, _ in written if isinstance(key, Scalar)}
    count = len(resolver.nameservers)
    if count and resolver.agreement > count:
        what = f"{resolver.agreement} cannot agree: {count} nameservers are given"
        reading.problem(lines["agreement"], "resolver.agreement", what)
    for what in lacking(resolver.nameservers):
        reading.problem(lines["nameservers"], "resolver.nameservers", what)


def _check_fleet(
    fleet: Fleet | Invalid | None,
    allowlists: collections.abc.Mapping[str, Allowlist],
    entries: Entries,
    reading: Reading,
) -> None:
    """Check across sections: the requirements of published and followed lists."""
    if fleet is INVALID or "allowlists" not in entries:
        return
    node = entries["allowlists"][1]
    written = node.entries if isinstance(node, Mapping) else ()
    lines = {key.text: key.line for key, _ in written if isinstance(key, Scalar)}
    has_hosts = "hosts" in entries or _HOSTS_FROM in entries
    for name, one in allowlists.items():
        if why := _lacks(one, fleet, has_hosts=has_hosts):
            reading.problem(lines[name], below("allowlists", name), why)
    if fleet is not None and (why := lacking_for_fleet()):
        reading.problem(entries["fleet"][0], "fleet", why)


def _lacks(allowlist: Allowlist, fleet: Fleet | None, *, has_hosts: bool) -> str:
    """A missing requirement of an allowlist; empty if it lacks nothing."""
    if not (allowlist.follow or allowlist.publish):
        return "" if has_hosts or fleet is None else "its hosts are missing: needs follow or hosts"
    if fleet is None:
        return "publish and follow need the section 'fleet'"
    if allowlist.follow:
        return ""
    if fleet.store.https is not None:
        return "nothing can be published by https: publish into a folder that is served (file)"
    if fleet.signing_key is None:
        return "publish needs fleet.signing_key_file, signing_key_env or signing_key_credential"
    return "" if has_hosts or allowlist.retired else "publish needs hosts"


def _may_be_empty(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
