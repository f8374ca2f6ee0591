"""The targets of an allowlist: backends with their options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend import registry as discovery
from allowsync.backend.api import API, BackendError, BackendType
from allowsync.backend.containment import contained
from allowsync.backend.registry import BrokenBackend, UnknownBackend
from allowsync.config.kinds import INVALID, Invalid, Kind, Pattern, Reading
from allowsync.config.schema.context import below
from allowsync.config.schema.nodes import (
    Mapping,
    Node,
    Scalar,
    ScalarType,
    Sequence,
    from_plain,
    got,
)
from allowsync.config.schema.object import REQUIRED, Object
from allowsync.config.settings import Target
from allowsync.model.target import Effect, Placement
from allowsync.model.value import replace
from allowsync.text import LONGEST_QUOTE, abridge, quote

if TYPE_CHECKING:
    import collections.abc

    from allowsync.backend.api import AnyBackendType
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Place

NAME: Final = Pattern(
    "[a-z][a-z0-9_-]{0,30}",
    "a name of 1 to 31 of a-z, 0-9, `_` and `-` that begins with a letter",
)
NAME_KEY: Final = "name"
# The key that marks a denylist's target among the options in the state; no option's name.
EFFECT: Final = "@effect"
_EXPECTED: Final = "a backend with its options, such as `nftables: {ports: [443/tcp]}`"


# Common names of the products that backends drive.
_OTHER_NAMES: Final = {
    **dict.fromkeys(("iptables", "ip6tables", "netfilter", "xtables"), "ipset"),
    **dict.fromkeys(("nft", "nftable", "nf_tables"), "nftables"),
    **dict.fromkeys(("apache2", "httpd"), "apache"),
    **dict.fromkeys(("cf", "waf"), "cloudflare"),
}


def unknown_backend(unknown: UnknownBackend) -> str:
    """The message about an unknown backend, with the nearest known one."""
    hint = nearest_backend(unknown.name, unknown.known)
    return f"there is no backend {quote(unknown.name)}{hint}"


def nearest_backend(name: str, known: collections.abc.Collection[str]) -> str:
    """The backend that a name may mean, as a hint; else the known ones."""
    from difflib import get_close_matches

    near = get_close_matches(name.lower()[:LONGEST_QUOTE], [*_OTHER_NAMES, *known], n=1)
    meant = _OTHER_NAMES.get(near[0], near[0]) if near else ""
    return f" (did you mean {meant!r}?)" if meant in known else f"; found: {', '.join(known)}"


class PlacesInUse:
    """The places of all targets: two targets in one place would undo each other's changes."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, tuple[str, ...]], tuple[Place, str, int]] = {}

    def add(self, target: Target, node: Node, at: str, reading: Reading) -> None:
        """Record the places of a target, and report each that is in exclusive use by another."""
        for place in _places(target):
            key = (place.kind, place.name)
            first, user, line = self._users.setdefault(key, (place, target.name, node.line))
            if user != target.name and not (place.shared and first.shared):
                what = f"{place} is already used by the target {user!r} (line {line})"
                reading.problem(node, at, what)


class Targets(Kind[tuple[Target, ...]]):
    """The targets of one allowlist, or of one denylist.

    Args:
        allowlist: Its name.
        places: The places that targets of other allowlists use already.
        effect: The effect on packets from its networks.
    """

    def __init__(self, allowlist: str, places: PlacesInUse, effect: Effect = Effect.ALLOW) -> None:
        self.allowlist = allowlist
        self.places = places
        self.effect = effect

    @property
    def expected(self) -> str:
        """The description of the list."""
        return f"a list of at least one target, each {_EXPECTED}"

    def parse(self, node: Node, at: str, reading: Reading) -> tuple[Target, ...] | Invalid:
        """Every target, in order."""
        if not isinstance(node, Sequence) or not node.items:
            found = "an empty list" if isinstance(node, Sequence) else got(node)
            return reading.problem(node, at, f"expected {self.expected}, got {found}")
        taken: dict[str, int] = {}
        targets = [self._target(item, at, reading, taken) for item in node.items]
        valid = tuple(target for target in targets if target is not INVALID)
        return valid if len(valid) == len(targets) else INVALID

    def _target(
        self, node: Node, at: str, reading: Reading, taken: dict[str, int]
    ) -> Target | Invalid:
        """One target. `taken` holds the names of earlier ones, and their lines."""
        written = _backend_and_options(node, at, reading)
        if written is INVALID:
            return INVALID
        key, given = written
        here = below(at, key.text)
        name = self._name(key, given, here, reading, taken)
        try:
            backend = discovery.load_type(key.text)
            if self.effect is Effect.DENY and backend.denies is None:
                return reading.problem(key, at, _cannot_deny(key.text))
            place = Placement(self.allowlist, f"{self.allowlist}/{name}", effect=self.effect)
            target = _built(place, backend, _without_name(given), here, reading)
            if target is not INVALID:
                self.places.add(target, node, here, reading)
        except UnknownBackend as unknown:
            return reading.problem(key, at, unknown_backend(unknown))
        except BrokenBackend as broken:
            broken_one = _broken(self.allowlist, name, key.text, str(broken))
            return replace(broken_one, effect=self.effect)
        return target

    def _name(
        self, key: Scalar, given: Node, at: str, reading: Reading, taken: dict[str, int]
    ) -> str:
        """The target's own name: as written, or its backend's. A duplicate is a problem."""
        written = _name_node(given)
        parsed = NAME.parse(written, below(at, NAME_KEY), reading) if written else key.text
        name = key.text if parsed is INVALID else parsed
        if name in taken and parsed is not INVALID:
            other = f"another target of this allowlist (line {taken[name]})"
            what = f"needs a `name:` of its own: {quote(name)} is the name of {other}"
            reading.problem(written or key, below(at, NAME_KEY) if written else at, what)
        taken.setdefault(name, key.line)
        return name

    def schema(self) -> dict[str, Any]:
        """Every loadable backend, each with its options."""
        bare, full = [], []
        for backend in loadable():
            if self.effect is Effect.DENY and backend.denies is None:
                continue
            options = options_kind(backend, self.effect)
            if not options.required:
                bare.append(backend.name)
            full.append(_target_schema(backend, options))
        forms: list[dict[str, Any]] = [{"type": "string", "enum": bare}] if bare else []
        return {"type": "array", "minItems": 1, "items": {"anyOf": [*forms, *full]}}


def effect_of(kept: collections.abc.Mapping[str, Any]) -> Effect:
    """The effect of a target, from its options in the state."""
    return Effect.DENY if kept.get(EFFECT) == Effect.DENY.value else Effect.ALLOW


def rebuilt(
    backend: AnyBackendType, kept: collections.abc.Mapping[str, Any], now: Any = None
) -> Any:
    """Options from the remembered values in the state, and from nothing else in it.

    Args:
        backend: The backend.
        kept: The values in the state.
        now: The present options, for all that the state may not hold; None for the defaults.

    Raises:
        ConfigError: They are invalid, or a required option is not in the state.
    """
    reading = Reading(Path(f"/a former {backend.name} target"))
    try:
        kind = options_kind(backend, effect_of(kept))
        believed = {name: kept[name] for name in kind.remembered if name in kept}
        options = contained(
            backend.name,
            lambda: _restored(kind, from_plain(believed), now, reading),
            lambda given: given,
            at=kind.cls,
        )
    except (BrokenBackend, BackendError) as broken:
        options = reading.problem(0, "", str(broken))
    reading.finish()
    return options


def _restored(kind: Object[Any], believed: Node, now: Any, reading: Reading) -> Any:
    if now is None:
        return kind.parse(believed, "", reading)
    entries = reading.entries(believed, "", kind.expected)
    if entries is INVALID:
        return INVALID
    values = {}
    for name, one in kind.options.items():
        if name in entries:
            values[name] = one.kind.parse(entries[name][1], name, reading)
        else:
            said = one.remembered and one.default is not REQUIRED
            values[name] = one.default if said else getattr(now, name)
    return INVALID if INVALID in values.values() else kind.build(values, believed, "", reading)


def options_kind(backend: AnyBackendType, effect: Effect = Effect.ALLOW) -> Object[Any]:
    """The kind of a backend's options.

    Raises:
        BrokenBackend: Their declaration is invalid, or the backend cannot deny.
    """
    options = backend.options if effect is Effect.ALLOW else backend.denies
    if options is None:
        raise BrokenBackend(backend.name, "it cannot deny")
    try:
        kind: Object[Any] = Object(options)
    except Exception as error:
        raise BrokenBackend(backend.name, f"its options are not described: {error}") from error
    if NAME_KEY in kind.options:
        raise BrokenBackend(backend.name, "an option cannot be called 'name': targets have that")
    return kind


def loadable() -> tuple[AnyBackendType, ...]:
    """Every backend that can be loaded with valid options, sorted by name."""
    found = []
    for name in discovery.names():
        try:
            backend = discovery.load_type(name)
            options_kind(backend)
        except (BrokenBackend, UnknownBackend):
            continue
        found.append(backend)
    return tuple(found)


def _backend_and_options(node: Node, at: str, reading: Reading) -> tuple[Scalar, Node] | Invalid:
    """The backend's name and the node of its options; a null node for a bare name."""
    if isinstance(node, Scalar) and node.type is ScalarType.TEXT:
        return node, Scalar("", ScalarType.NULL, node.line)
    entries = reading.entries(node, at, _EXPECTED)
    if entries is INVALID:
        return INVALID
    if len(entries) != 1:
        keys = abridge(", ".join(entries), 80) or "an empty mapping"
        hint = "; are the options indented below its name?" if entries else ""
        return reading.problem(node, at, f"expected {_EXPECTED}, got {keys}{hint}")
    return next(iter(entries.values()))


def _name_node(given: Node) -> Node | None:
    if not isinstance(given, Mapping):
        return None
    return next((value for key, value in given.entries if _is_name(key)), None)


def _without_name(given: Node) -> Node:
    """The options without the target's name. A second `name` stays, to be reported."""
    if not isinstance(given, Mapping):
        return given
    entries = list(given.entries)
    position = next((i for i, (key, _) in enumerate(entries) if _is_name(key)), None)
    if position is not None:
        del entries[position]
    return Mapping(tuple(entries), given.line)


def _is_name(key: Node) -> bool:
    return isinstance(key, Scalar) and key.text == NAME_KEY


def _broken(allowlist: str, name: str, backend: str, why: str) -> Target:
    """A target that cannot be served, in place of the configured one."""

    def make(_placement: Placement, _options: object) -> Backend:
        raise BackendError(why)

    kind = BackendType(backend, "", object, make, api=API)
    return Target(f"{allowlist}/{name}", allowlist, kind, None, broken=why)


def _cannot_deny(name: str) -> str:
    """The message about a backend that cannot deny, with those that can."""
    able = [one.name for one in loadable() if one.denies is not None]
    return f"{name} cannot deny: a denylist is enforced by {', '.join(able)}"


def _built(
    place: Placement, backend: AnyBackendType, given: Node, at: str, reading: Reading
) -> Target | Invalid:
    """A target with its options parsed.

    Raises:
        BrokenBackend: The backend's own code failed.
    """
    kind = options_kind(backend, place.effect)

    def build() -> tuple[Any, dict[str, Any], dict[str, Any]] | Invalid:
        values = kind.written(given, at, reading)
        options = INVALID if values is INVALID else kind.build(values, given, at, reading)
        if values is INVALID or options is INVALID:
            return INVALID
        kept = [one for one in kind.remembered if one in values]
        return options, kind.show_some(options, values), kind.show_some(options, kept)

    with reading.missing_secrets() as missing:
        try:
            built = contained(backend.name, build, lambda given: given, at=kind.cls)
        except BackendError as error:
            raise BrokenBackend(backend.name, str(error)) from error
    if built is INVALID:
        return INVALID
    options, written, remembered = built
    if place.effect is Effect.DENY:
        remembered = {**remembered, EFFECT: place.effect.value}
    return Target(
        place.target,
        place.allowlist,
        backend,
        options,
        written,
        remembered,
        "; ".join(missing),
        reading.installation,
        place.effect,
    )


def _places(target: Target) -> tuple[Place, ...]:
    """The places of a target. Raises BrokenBackend if its own code fails."""
    try:
        return target.places
    except BackendError as error:
        raise BrokenBackend(target.backend.name, str(error)) from error


def _target_schema(backend: AnyBackendType, options: Object[Any]) -> dict[str, Any]:
    schema = options.schema()
    named = {**schema, "properties": {NAME_KEY: NAME.schema(), **schema["properties"]}}
    below_name = named if options.required else {"anyOf": [named, {"type": "null"}]}
    return {
        "type": "object",
        "description": backend.summary,
        "properties": {backend.name: below_name},
        "required": [backend.name],
        "additionalProperties": False,
    }
