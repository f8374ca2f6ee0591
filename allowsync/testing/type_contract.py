"""The promises of every backend type, as tests.

Subclass `BackendTypeContract` in a test module of your backend, and return options as they would
be written in a configuration:

    class TestMyType(BackendTypeContract):
        type = TYPE

        def accepted(self) -> Iterable[Mapping[str, object]]:
            return [{"table": "friends"}, {"table": "friends", "anchor": "web"}]

        def rejected(self) -> Mapping[str, Mapping[str, object]]:
            return {"'table' is missing": {}, "a name": {"table": "-F all"}}
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from allowsync.backend.api import API, Needs
from allowsync.config.schema.context import INVALID, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import REQUIRED, Object
from allowsync.config.settings import Target
from allowsync.config.targets import NAME, NAME_KEY, PlacesInUse
from allowsync.model.target import Placement
from allowsync.testing.io_faults import io_watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.backend.api import AnyBackendType
    from allowsync.model.target import Place

_FILE = Path("/etc/allowsync/config.yaml")
_METHODS = ("check", "read", "apply", "clear")

# The kinds of places that several backends may name, and the number of parts of their names.
PLACE_KINDS: Final = {
    "file": 1,
    "nftables table": 2,
    "nftables set": 3,
    "ipset": 1,
    "iptables chain": 1,
    "Cloudflare list": 2,
    "Jellyfin setting": 2,
    "Kubernetes object": 5,
}


class BackendTypeContract:
    """The promises of `allowsync.backend.BackendType`. Set `type`; override both methods."""

    type: ClassVar[AnyBackendType]
    own_kinds: ClassVar[tuple[str, ...]] = ()  # kinds of places that no other backend names

    def accepted(self) -> Iterable[Mapping[str, object]]:
        """Valid options as plain values, one set for each kind of target; the shortest first."""
        raise NotImplementedError

    def rejected(self) -> Mapping[str, Mapping[str, object]]:
        """Invalid options as plain values, each with a part of its error message as the key."""
        raise NotImplementedError

    def environ(self) -> Mapping[str, str]:
        """The environment that options are read in."""
        return {}

    def test_it_is_written_for_this_interface(self) -> None:
        assert self.type.api == API

    def test_it_has_a_name_and_a_summary_of_one_line(self) -> None:
        assert self._parsed(NAME, self.type.name) == (self.type.name, [])
        assert self.type.summary == " ".join(self.type.summary.split())
        assert self.type.summary.removesuffix(".") == self.type.summary != ""

    def test_every_option_has_a_help_text_and_a_name_of_its_own(self) -> None:
        options = self._kind.options
        assert NAME_KEY not in options, "`name` is the name of a target"
        assert [name for name, one in options.items() if not one.help.strip()] == []

    def test_every_default_is_a_value_that_could_be_written(self) -> None:
        for name, one in self._kind.options.items():
            if one.default is not REQUIRED:
                shown = one.kind.show(one.default)
                assert self._parsed(one.kind, shown) == (one.default, []), name

    def test_what_is_not_written_has_its_default(self) -> None:
        for written, options in self._accepted():
            for name, one in self._kind.options.items():
                if name not in written:
                    assert getattr(options, name) == one.default, name

    def test_options_can_be_written_down_and_read_again(self) -> None:
        """The state does so, to clear a target that is no longer configured."""
        for _, options in self._accepted():
            assert self._parsed(self._kind, self._kind.show(options)) == (options, [])

    def test_options_are_frozen(self) -> None:
        for _, options in self._accepted():
            for name in self._kind.options:
                with pytest.raises(AttributeError):
                    setattr(options, name, None)

    def test_invalid_options_are_problems(self) -> None:
        for what, written in self.rejected().items():
            options, problems = self._parsed(self._kind, written)
            assert options is INVALID, f"{written} is accepted"
            assert any(what in one for one in problems), problems

    def test_an_unknown_option_is_a_problem(self) -> None:
        for written, _ in self._accepted():
            options, problems = self._parsed(self._kind, {**written, "unheard-of": 1})
            assert options is INVALID
            assert any("unheard-of" in one for one in problems)

    def test_places_are_named(self) -> None:
        for written, options in self._accepted():
            for place in self._places("web", options):
                assert all(place.name), place
                assert place.name, place
                self._check_kind(place)
            again, _ = self._parsed(self._kind, written)
            assert self._places("web", again) == self._places("web", options)

    def test_the_same_target_cannot_be_configured_twice(self) -> None:
        for written, options in self._accepted():
            reading, used = Reading(_FILE), PlacesInUse()
            for name in ("web/one", "web/two"):
                target = Target(name, "web", self.type, options)
                used.add(target, from_plain(written), "", reading)
            assert reading.problems, f"two targets with {written} write to one place"

    def test_needs_are_told_without_touching_anything(self) -> None:
        for _, options in self._accepted():
            with io_watch() as watch:
                needs = self.type.needs(options)
            assert watch.touched == []
            assert isinstance(needs, Needs)
            assert [one for one in needs.writes + needs.locks if not one.startswith("/")] == []
            assert set(needs.locks) <= set(needs.writes)
            assert [one for one in needs.capabilities if not re.fullmatch("CAP_[A-Z_]+", one)] == []
            assert [one for one in needs.after + needs.before if "." not in one] == []

    def test_what_it_guards_and_what_is_in_front_is_told_without_touching_anything(self) -> None:
        for _, options in self._accepted():
            with io_watch() as watch:
                self.type.guards(options)
                getattr(options, "front", lambda: None)()
            assert watch.touched == []
            target = Target("web/x", "web", self.type, options)
            guard, front = target.guard, target.front
            for one in () if guard is None else guard.ports:
                assert one.protocol in ("tcp", "udp")
                assert 0 < one.first <= one.last < 65536
            for port in () if front is None else front.ports:
                assert 0 < port < 65536
            assert front is None or front.source, "no source of networks is named"

    def test_whether_it_can_be_used_here_is_told_in_one_line(self) -> None:
        assert self.type.usable() == " ".join(self.type.usable().split())

    def test_making_a_backend_touches_nothing(self) -> None:
        for _, options in self._accepted():
            with io_watch() as watch:
                made = self.type.make(Placement("web", f"web/{self.type.name}"), options)
            assert watch.touched == []
            assert [one for one in _METHODS if not callable(getattr(made, one, None))] == []
            assert hasattr(type(made), "capabilities")

    def _check_kind(self, place: Place) -> None:
        known = {*PLACE_KINDS, *self.own_kinds}
        assert place.kind in known, (
            f"the kind {place.kind!r} of a place is unknown, so no conflict with it is found; use "
            f"one of {sorted(PLACE_KINDS)}, or add it to `own_kinds`"
        )
        parts = PLACE_KINDS.get(place.kind, len(place.name))
        assert len(place.name) == parts, f"{place} has to have {parts} parts in its name"
        absolute = place.kind != "file" or place.name[0].startswith("/")
        assert absolute, f"{place} has to be named by its absolute path"

    @property
    def _kind(self) -> Object[Any]:
        return Object(self.type.options)

    def _accepted(self) -> list[tuple[Mapping[str, object], Any]]:
        """Options as written, and as parsed."""
        found = []
        for written in self.accepted():
            options, problems = self._parsed(self._kind, written)
            assert problems == [], f"{written} is not accepted"
            found.append((written, options))
        assert found, "accepted() gives nothing"
        return found

    def _parsed(self, kind: Any, written: object) -> tuple[Any, list[str]]:
        """The parsed value of a plain one, and its problems."""
        reading = Reading(_FILE, environ=self.environ())
        value = kind.parse(from_plain(written), self.type.name, reading)
        return value, [one.what for one in reading.problems]

    def _places(self, allowlist: str, options: Any) -> tuple[Place, ...]:
        places = Target(f"{allowlist}/x", allowlist, self.type, options).places
        assert places, f"{options} names no places"
        return places
