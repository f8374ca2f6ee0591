"""Backends are found in the folders of `sys.path`, and elsewhere by the standard library."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from allowsync.backend import registry as discovery
from allowsync.backend.api import API, BackendType, hosts_of, is_marked, mark
from allowsync.backend.registry import BACKENDS, BrokenBackend, EntryPoint, UnknownBackend
from tests.support.distributions import backend_module, install

if TYPE_CHECKING:
    from pathlib import Path


def found(group: str) -> set[EntryPoint]:
    return set(discovery.entry_points(group))


def test_the_backends_of_this_project_are_found() -> None:
    assert {"file", "nftables"} <= set(discovery.names())
    assert list(discovery.names()) == sorted(discovery.names())


@pytest.mark.parametrize("group", [BACKENDS, "console_scripts", "pytest11", "nobody.has.this"])
def test_the_scan_finds_what_the_standard_library_finds(group: str) -> None:
    assert found(group) == set(discovery.by_metadata(group))


def test_the_scan_and_the_standard_library_agree_about_odd_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "# a comment\n; another\n\n[some.group]\n  spaced = one.module : attribute \n"
        "With Capitals=two:x.y\nextra = three:x [feature]\n[other.group]\nno = thing:x\n"
    )
    install(tmp_path, "Odd_Files.dist", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {one.name for one in found("some.group")}
    assert names == {"spaced", "With Capitals", "extra"}
    assert names == {one.name for one in discovery.by_metadata("some.group")}
    assert {one.distribution for one in found("some.group")} == {"odd-files-dist"}


def test_the_first_of_two_installations_of_one_distribution_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("behind", "front"):
        install(tmp_path / folder, "twice_installed", f"[twice.group]\nx = {folder}:TYPE\n")
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    assert [one.value for one in discovery.entry_points("twice.group")] == ["front:TYPE"]
    assert [one.value for one in discovery.by_metadata("twice.group")] == ["front:TYPE"]


def test_a_backend_of_somebody_else_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = backend_module("brick", 'height: int = option(Integer(1, 9), help="How high.")')
    entry = f"[{BACKENDS}]\nbrick = discovery_brick:TYPE\n"
    install(tmp_path, "brick", entry, {"discovery_brick": module})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "brick" in discovery.names()
    assert discovery.load_type("brick").summary == "A wall of its own"


def test_a_distribution_in_an_archive_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "in", "zipped", f"[{BACKENDS}]\nzipped = discovery_zipped:TYPE\n")
    (tmp_path / "in/discovery_zipped.py").write_text(backend_module("zipped", "pass"))
    archive = tmp_path / "zipped.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((tmp_path / "in").rglob("*")):
            packed.write(path, path.relative_to(tmp_path / "in"))
    monkeypatch.syspath_prepend(str(archive))
    assert "zipped" in discovery.names()
    assert discovery.load_type("zipped").name == "zipped"


def test_an_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(UnknownBackend) as raised:
        discovery.load_type("nftable")
    assert raised.value.name == "nftable"
    assert "nftables" in raised.value.known
    assert str(raised.value) == "there is no backend 'nftable'"


def test_two_distributions_with_one_name_are_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in ("mason", "builder"):
        install(tmp_path, owner, f"[{BACKENDS}]\nwall = discovery_wall:TYPE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BrokenBackend, match="both builder and mason register it"):
        discovery.load_type("wall")


def test_a_name_of_ours_is_ours_whoever_else_registers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "mason", f"[{BACKENDS}]\nfile = no_such_module:TYPE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert discovery.load_type("file").name == "file"


@pytest.mark.parametrize("damage", ["bytes", "a link to itself", "a FIFO"])
def test_damaged_metadata_of_a_distribution_hides_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    damaged = tmp_path / "damaged-1.0.dist-info"
    damaged.mkdir()
    path = damaged / "entry_points.txt"
    if damage == "bytes":
        path.write_bytes(b"\xff\xfe\xa5")
    elif damage == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name)
    install(tmp_path, "mason", "[some.group]\nwall = mason_wall:TYPE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [one.name for one in discovery.entry_points("some.group")] == ["wall"]
    if damage != "a FIFO":  # which the standard library waits for
        assert [one.name for one in discovery.by_metadata("some.group")] == ["wall"]


BROKEN = {
    "a module that is not there": ("gone_module:TYPE", "", "ModuleNotFoundError"),
    "a module that fails": ("discovery_fails:TYPE", "1 / 0", "ZeroDivisionError"),
    "a module that exits": ("discovery_exits:TYPE", "raise SystemExit(3)", "SystemExit"),
    "an attribute that is not there": ("discovery_bare:TYPE", "", "AttributeError"),
    "something else": ("discovery_else:TYPE", "TYPE = 5", "a int, not a BackendType"),
    "another name": ("discovery_other:TYPE", backend_module("other", "pass"), "itself 'other'"),
}


@pytest.mark.parametrize(("value", "source", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_backend_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, source: str, why: str
) -> None:
    module = value.partition(":")[0]
    modules = {} if module == "gone_module" else {module: source}
    install(tmp_path, "broken", f"[{BACKENDS}]\nbroken = {value}\n", modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BrokenBackend) as raised:
        discovery.load_type("broken")
    assert why in raised.value.why


@pytest.mark.parametrize(
    ("version", "what"),
    [("1", "a newer old-bricks, or an older allowsync"), ("99", "a newer allowsync")],
)
def test_a_backend_for_another_version_of_the_interface_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, what: str
) -> None:
    source = backend_module("bricks", "pass").replace("api=API", f"api={version}")
    module = f"discovery_bricks_{version}"
    entry = f"[{BACKENDS}]\nbricks = {module}:TYPE\n"
    install(tmp_path, "old_bricks", entry, {module: source})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BrokenBackend) as raised:
        discovery.load_type("bricks")
    assert raised.value.why == (
        f"old-bricks is written for version {version} of the backend interface, this allowsync has "
        f"version {API}; install {what}"
    )


def test_a_backend_that_says_no_version_is_of_the_first() -> None:
    assert BackendType("old", "", object, lambda _where, _options: None).api == 1  # type: ignore[arg-type,return-value]


def test_other_groups_are_found_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = f"[{discovery.COMMANDS}]\nwalls = discovery_walls:group\n"
    install(tmp_path, "walls", entry, {"discovery_walls": "group = 'a command group'"})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "walls" in discovery.names(discovery.COMMANDS)
    assert discovery.load_entry_point(discovery.COMMANDS, "walls") == "a command group"


def test_finding_backends_does_not_import_the_slow_way() -> None:
    code = (
        "import sys; from allowsync.backend import registry as discovery; discovery.names(); "
        "discovery.load_type('nftables'); print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_mark_is_of_one_allowlist() -> None:
    assert mark("web", "alice", "bob") == "allowsync:web:alice:bob"
    assert is_marked(mark("web"), "web")
    assert is_marked(mark("web", "alice"), "web")
    for comment in ("", "web", "allowsync:", mark("web2"), mark("we"), f"my {mark('web')}"):
        assert not is_marked(comment, "web")


def test_a_mark_tells_the_hosts_or_that_it_does_not() -> None:
    for hosts in ((), ("alice",), ("alice", "bob")):
        assert hosts_of(mark("web", *hosts), "web") == hosts
    for stranger in ("by hand", mark("web2", "alice"), ""):
        assert hosts_of(stranger, "web") == ()
    short = mark("web", "alice", "bob", "carol", longest=23)
    assert short == "allowsync:web:alice:-2"
    assert (is_marked(short, "web"), hosts_of(short, "web")) == (True, ())
    assert mark("web", "alice", longest=16) == "allowsync:web:-1"
    assert mark("web", "alice", longest=15) == "allowsync:web"
