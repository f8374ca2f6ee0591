"""Targets: which backend, under which name, with which options."""

from __future__ import annotations

from pathlib import Path

import pytest

from allowsync.backend import registry as discovery
from allowsync.backend.api import BackendError
from allowsync.backend.registry import BACKENDS
from allowsync.config import ConfigError, rebuild_options
from allowsync.config.targets import loadable
from allowsync.model.value import replace
from tests.support.configuring import HOSTS, loaded, problems
from tests.support.distributions import backend_module, install

CLAIMING = """\
gate: str = option(Pattern("[a-z]+", "a gate"), help="Which.", default="front")
height: int = option(Integer(1, 9), help="How high.", default=2, remembered=True)

def __post_init__(self):
    if self.gate == "back" and self.height > 5:
        raise ValueError("the back gate is at most 5 high")

def places(self, allowlist):
    if self.gate == "broken":
        raise KeyError("no such gate")
    if self.gate == "text":
        return ("the front gate",)
    return (Place("gate", (self.gate,), shared=self.gate.startswith("shared")),)
"""

FENCE = """\
gate: str = option(Pattern("[a-z]+", "a gate"), help="Which.", default="front")

def places(self, allowlist):
    return (Place("gate", (self.gate,)),)
"""

ODD = """\
class OddKind(Integer):
    def read(self, scalar):
        raise KeyError("a mistake of the backend's own")

height: int = option(OddKind(1, 9), help="How odd.", default=2)
"""


@pytest.fixture(autouse=True)
def walls(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend `wall` of another distribution, and two that cannot be used."""
    folder = tmp_path_factory.mktemp("site")
    modules = {
        "targets_wall": backend_module("wall", CLAIMING),
        "targets_named": backend_module(
            "named", 'name: str = option(Pattern(".", "x"), help="", default="x")'
        ),
        "targets_plain": backend_module("plain", "height: int = 3"),
        "targets_fence": backend_module("fence", FENCE),
        "targets_fails": "1 / 0",
        "targets_odd": backend_module("odd", ODD),
    }
    lines = [f"{module.removeprefix('targets_')} = {module}:TYPE" for module in modules]
    install(folder, "walls", "\n".join([f"[{BACKENDS}]", *lines]), modules)
    monkeypatch.syspath_prepend(str(folder))


def web(*targets: str) -> str:
    lines = "".join(f"      - {target}\n" for target in targets)
    return f"{HOSTS}allowlists:\n  web:\n    targets:\n{lines}"


def test_a_bare_name_is_enough_where_nothing_is_required(tmp_path: Path) -> None:
    for form in ("wall", "wall:", "wall: {}"):
        (target,) = loaded(tmp_path, web(form)).targets
        assert (target.name, target.allowlist, target.written) == ("web/wall", "web", {})
        assert (target.options.gate, target.options.height) == ("front", 2)


def test_a_bare_name_is_not_enough_where_something_is(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, web("file"))
    where = "config.yaml:7: allowlists.web.targets.file"
    assert said == f"{where}: 'path' is missing: expected the path of a file"


def test_a_target_is_called_as_it_says(tmp_path: Path) -> None:
    config = loaded(tmp_path, web("wall: {name: north-1, height: 3}", "wall: {gate: back}"))
    assert [(one.name, one.written) for one in config.targets] == [
        ("web/north-1", {"height": 3}),
        ("web/wall", {"gate": "back"}),
    ]


FAULTY = {
    "an unknown backend": ("wal", "7: allowlists.web.targets", "(did you mean 'wall'?)"),
    "nothing like a backend": ("5", "7: allowlists.web.targets", "got 5"),
    "two backends in one item": (
        "{wall: {}, file: {path: x}}",
        "7: allowlists.web.targets",
        "got wall, file; are the options indented below its name?",
    ),
    "an empty item": ("{}", "7: allowlists.web.targets", "got an empty mapping"),
    "options as text": ("wall: front", "7: allowlists.web.targets.wall", "a mapping with gate"),
    "a wrong option": ("wall: {height: 10}", "7: allowlists.web.targets.wall.height", "1 to 9"),
    "an unknown option": ("wall: {hight: 1}", "7: allowlists.web.targets.wall.hight", "'height'"),
    "options that do not go together": (
        "wall: {gate: back, height: 6}",
        "7: allowlists.web.targets.wall",
        "the back gate is at most 5 high",
    ),
    "a name in capitals": ("wall: {name: N}", "7: allowlists.web.targets.wall.name", "got 'N'"),
    "two names": ("wall: {name: a, name: b}", "7: allowlists.web.targets.wall.name", "unknown"),
}


@pytest.mark.parametrize(("target", "where", "what"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_target(tmp_path: Path, target: str, where: str, what: str) -> None:
    said = problems(tmp_path, web(target))
    assert [one.partition(f"config.yaml:{where}: ")[0] for one in said] == [""]
    assert what in said[0]


BROKEN = {
    "a backend that fails to import": (
        "fails",
        "the backend 'fails' cannot be loaded: ZeroDivisionError",
    ),
    "a backend without described options": (
        "plain",
        "its options are not described: Options.height is not made by option()",
    ),
    "a backend whose option is called name": ("named", "an option cannot be called 'name'"),
    "an option whose own code fails": ("odd: {height: 3}", "KeyError"),
    "places that are text": (
        "wall: {gate: text}",
        "gives 'the front gate', not an allowsync.backend.Place",
    ),
    "places that fail": ("wall: {gate: broken}", "KeyError"),
}


@pytest.mark.parametrize(("target", "what"), BROKEN.values(), ids=BROKEN)
def test_a_defect_of_a_backend_breaks_its_target_alone(
    tmp_path: Path, target: str, what: str
) -> None:
    config = loaded(tmp_path, web(target, "fence: {name: good}"))
    broken, good = config.targets
    assert (what in broken.broken, good.broken) == (True, "")
    assert broken.name == f"web/{target.partition(':')[0]}"
    with pytest.raises(BackendError) as raised:
        broken.driver()
    assert str(raised.value) == broken.broken


def test_only_backends_that_can_be_used_are_offered_to_editors() -> None:
    offered = {backend.name for backend in loadable()}
    assert {"file", "nftables", "odd", "wall"} <= offered
    assert not {"fails", "named", "plain"} & offered


def test_no_target_at_all_is_an_error(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, f"{HOSTS}allowlists: {{web: {{targets: []}}}}")
    assert said.startswith("config.yaml:4: allowlists.web.targets: ")
    assert "got an empty list" in said


def test_the_second_of_a_kind_needs_a_name(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, web("wall", "wall: {gate: back}"))
    assert said == (
        "config.yaml:8: allowlists.web.targets.wall: needs a `name:` of its own: "
        "'wall' is the name of another target of this allowlist (line 7)"
    )


def test_a_name_is_given_once(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, web("file: {path: x, name: a}", "wall: {name: a}"))
    assert said.startswith("config.yaml:8: allowlists.web.targets.wall.name: needs a `name:`")


def test_two_targets_cannot_have_the_same_place(tmp_path: Path) -> None:
    other = "  ssh:\n    targets:\n      - wall: {height: 9}\n"
    (said,) = problems(tmp_path, web("wall") + other)
    assert said == (
        "config.yaml:10: allowlists.ssh.targets.wall: "
        "the gate front is already used by the target 'web/wall' (line 7)"
    )


def test_two_backends_that_name_one_place_are_told_apart_by_nothing(tmp_path: Path) -> None:
    other = "  ssh:\n    targets:\n      - fence: {}\n"
    (said,) = problems(tmp_path, web("wall") + other)
    assert "the gate front is already used by the target 'web/wall' (line 7)" in said


def test_a_shared_place_has_many_targets_but_none_of_its_own(tmp_path: Path) -> None:
    other = "  ssh:\n    targets:\n      - wall: {gate: sharedgate}\n"
    assert len(loaded(tmp_path, web("wall: {gate: sharedgate}") + other).targets) == 2
    (said,) = problems(tmp_path, web("wall: {gate: sharedgate}", "fence: {gate: sharedgate}"))
    assert "the gate sharedgate is already used by the target 'web/wall' (line 7)" in said


def test_what_is_written_builds_the_options_again(tmp_path: Path) -> None:
    (target,) = loaded(
        tmp_path, web("nftables: {ports: [443/tcp, 8000-8010/udp], open_interfaces: [wg0]}")
    ).targets
    assert rebuild_options(target.backend, target.remembered) == target.options


def test_what_is_not_to_be_remembered_is_said_by_the_configuration_alone(tmp_path: Path) -> None:
    written = "{path: /a, mode: '0600', format: json, reload: [systemctl, reload, x]}"
    (target,) = loaded(tmp_path, web(f"file: {written}")).targets
    assert target.remembered == {"path": "/a", "format": "json"}
    planted = {
        "path": "/b",
        "reload": ["evil"],
        "check": ["evil"],
        "template": "/t",
        "mode": "0666",
    }
    alone = rebuild_options(target.backend, planted)
    assert alone == replace(alone, path=Path("/b"), reload=(), check=(), template=None, mode=0o644)
    again = rebuild_options(target.backend, planted, target.options)
    assert again == replace(target.options, path=Path("/b"), format=again.format)
    (other,) = loaded(tmp_path, web("nginx: {path: /a, reload: [x]}")).targets
    assert other.remembered == {}
    with pytest.raises(ConfigError, match="'path' is missing"):
        rebuild_options(other.backend, {"path": "/etc/passwd"})


def test_a_relative_path_is_written_as_the_absolute_one_it_means(tmp_path: Path) -> None:
    (target,) = loaded(tmp_path, web("file: {path: lists/web.txt}")).targets
    assert target.written == {"path": str(tmp_path / "lists/web.txt")}


def test_what_no_longer_fits_is_a_configuration_error() -> None:
    wall = discovery.load_type("wall")
    with pytest.raises(ConfigError) as raised:
        rebuild_options(wall, {"height": 30})
    assert "1 to 9" in str(raised.value)
    plain = discovery.load_type("plain")
    with pytest.raises(ConfigError):
        rebuild_options(plain, {})
