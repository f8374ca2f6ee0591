"""A file that another program reads: whose it is, how it is replaced, what goes wrong."""

from __future__ import annotations

import os
import re
import stat
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.file import TYPE, FileOptions, Format

from allowsync.backend.api import BackendError, OutcomeUnknown
from allowsync.model.target import Effect, Placement, Severity
from tests.support.files import as_written
from tests.support.gates import planned

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend

HEADER = '# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
JSON = """{
  "generator": "allowsync",
  "allowlist": "x",
  "networks": [
    "81.2.69.1/32",
    "2a02::/64"
  ]
}
"""
UNDO = ".friends.allowsync-undo"
NEW = ".friends.allowsync-new"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "friends"


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("first", list(Effect))
def test_a_file_of_the_opposite_effect_is_named_and_left_alone(
    path: Path, form: Format, first: Effect
) -> None:
    """What reads it would shut out friends by it, or let in strangers."""

    def of(effect: Effect) -> Backend:
        placement = Placement("x", "x/file", effect=effect)
        return TYPE.make(placement, FileOptions(path, format=form))

    (other,) = (one for one in Effect if one is not first)
    put(of(first), "81.2.69.1")
    written = path.read_bytes()
    name = "denylist" if first is Effect.DENY else "allowlist"
    with pytest.raises(BackendError, match=f'is that of {name} "x" and is left alone; move it'):
        of(other).read()
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("form", "before", "after"),
    [
        (Format.TEXT, "\n", '\n# Written by allowsync for denylist "x".\n'),
        (Format.JSON, '"networks"', '"of": {"denylist": "x"}, "networks"'),
    ],
    ids=list(Format),
)
def test_an_allowlists_file_that_names_a_denylist_as_well_is_no_denylists(
    path: Path, form: Format, before: str, after: str
) -> None:
    put(target(path, format=form), "81.2.69.1")
    path.write_text(path.read_text().replace(before, after, 1))
    written = path.read_bytes()
    placement = Placement("x", "x/file", effect=Effect.DENY)
    with pytest.raises(BackendError, match='allowlist "x" and is left alone; move it'):
        TYPE.make(placement, FileOptions(path, format=form)).read()
    assert path.read_bytes() == written
    assert held(target(path, format=form)) == {"81.2.69.1/32"}


@pytest.mark.parametrize("above", ["\n", "# the friends of our home\n"])
def test_lines_above_the_heading_are_named(path: Path, above: str) -> None:
    put(target(path), "81.2.69.1")
    written = f"{above}{path.read_text()}"
    path.write_text(written)
    with pytest.raises(BackendError, match="has lines above allowsync's heading and is left alone"):
        target(path).read()
    with pytest.raises(BackendError, match="has lines above allowsync's heading and is left alone"):
        target(path).clear()
    assert path.read_text() == written


def target(path: Path, allowlist: str = "x", **options: Any) -> Backend:
    return TYPE.make(Placement(allowlist, f"{allowlist}/file"), FileOptions(path, **options))


def put(backend: Backend, *wanted: str) -> None:
    backend.apply(planned(backend.read(), map(ip_network, wanted)))


def held(backend: Backend) -> set[str]:
    return {str(entry.network) for entry in backend.read().entries}


def names(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir()}


def script(path: Path, body: str) -> str:
    """A program beside the file."""
    program = path.parent / "program"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


def test_text_is_a_header_and_a_network_a_line(path: Path) -> None:
    put(target(path), "2a02::/64", "90.0.0.0/24", "81.2.69.1")
    assert path.read_text() == HEADER + "81.2.69.1/32\n90.0.0.0/24\n2a02::/64\n"
    assert names(path) == {"friends"}


def test_json_names_its_generator_and_lists_networks(path: Path) -> None:
    put(target(path, format=Format.JSON), "2a02::/64", "81.2.69.1")
    assert path.read_text() == JSON


def test_an_empty_allowlist_is_a_file_with_a_header(path: Path) -> None:
    put(target(path))
    assert path.read_text() == HEADER
    assert target(path).read().flaws == ()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "81.2.69.1/32\n",
        "# " + HEADER,
        HEADER.replace("allowsync", "somebody"),
        HEADER.replace('"x"', '"y"'),
        JSON,
        "\x00\xff",
    ],
    ids=range(7),
)
def test_a_strangers_file_is_never_read_changed_or_cleared(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(BackendError):
        target(path).read()
    plan = planned(target(path.with_name("none")).read(), [ip_network("81.2.69.1")])
    with pytest.raises(BackendError):
        target(path).apply(plan)
    target(path).clear()
    assert path.read_text() == content
    assert names(path) == {"friends"}


@pytest.mark.parametrize("content", ["{", "[]", "null", "7", '{"networks": []}', HEADER])
def test_json_that_we_did_not_write_is_a_strangers(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(BackendError):
        target(path, format=Format.JSON).read()


def test_a_file_in_another_encoding_is_an_edited_one(path: Path) -> None:
    """One byte that is no UTF-8 is to keep no friend who moves from getting in."""
    put(target(path))
    good = path.read_bytes()
    path.write_bytes(good + "81.2.69.1/32\n81.2.69.2/32 # Müller\n".encode("latin-1"))
    assert held(target(path)) == {"81.2.69.1/32"}
    assert target(path).read().flaws == (f"{path} was edited",)
    put(target(path))
    assert path.read_bytes() == good


@pytest.mark.parametrize("end", ["", ",", '"\n', "\ufffd", "]}x", "[" * 100_000], ids=range(6))
@pytest.mark.parametrize("effect", list(Effect))
def test_a_damaged_file_of_json_is_an_edited_one(path: Path, effect: Effect, end: str) -> None:
    placement = Placement("x", "x/file", effect=effect)
    backend = TYPE.make(placement, FileOptions(path, format=Format.JSON))
    put(backend, "81.2.69.1", "81.2.69.2")
    whole = path.read_text()
    path.write_text(whole.partition(',\n    "81.2.69.2')[0] + end)
    assert held(backend) == {"81.2.69.1/32"}
    assert backend.read().flaws == (f"{path} was edited",)
    put(backend, "81.2.69.1", "81.2.69.2")
    assert path.read_text() == whole
    path.write_text(whole.partition("[")[0])
    with pytest.raises(BackendError, match="is left alone; move it away"):
        backend.read()


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "81.2.69.1\n",
        HEADER + "81.2.69.1/32",
        HEADER + "81.2.69.1/32\nfriend.example.org\n",
        HEADER + "81.2.69.1/32\n81.2.69.1/32\n",
        HEADER + "\n81.2.69.1/32\n# mine\n",
    ],
)
def test_an_edited_file_is_read_called_a_flaw_and_written_anew(path: Path, content: str) -> None:
    put(target(path))
    path.write_text(content)
    assert held(target(path)) == {"81.2.69.1/32"}
    assert target(path).read().flaws == (f"{path} was edited",)
    put(target(path), "81.2.69.1")
    assert path.read_text() == HEADER + "81.2.69.1/32\n"


def test_the_mode_is_kept(path: Path) -> None:
    put(target(path, mode=0o640), "81.2.69.1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o666)
    assert target(path, mode=0o640).read().flaws == (f"{path} has mode 0666 instead of 0640",)
    put(target(path, mode=0o640), "81.2.69.1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_not_followed(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text(HEADER)
    path.symlink_to(victim)
    with pytest.raises(BackendError, match="symbolic link"):
        target(path).read()
    target(path).clear()
    assert victim.read_text() == HEADER
    assert path.is_symlink()


def test_a_folder_or_a_pipe_is_no_file(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(BackendError, match="no regular file"):
        target(path).read()
    path.unlink()
    path.mkdir()
    with pytest.raises(BackendError, match="no regular file"):
        target(path).read()


def test_a_link_laid_where_the_new_file_is_written_is_not_followed(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("mine")
    path.with_name(NEW).symlink_to(victim)
    put(target(path), "81.2.69.1")
    assert (victim.read_text(), path.is_symlink()) == ("mine", False)
    assert names(path) == {"friends", "victim"}


@pytest.mark.root
def test_root_writes_into_no_folder_where_others_may_swap_files(as_root: None, path: Path) -> None:
    put(target(path))
    path.parent.chmod(0o777)
    with pytest.raises(BackendError, match="writable by others"):
        target(path).read()
    path.parent.chmod(0o1777)
    assert target(path).read().flaws == ()


def test_a_missing_folder_is_an_error_and_holds_nothing_to_clear(path: Path) -> None:
    far = path / "deeper"
    with pytest.raises(BackendError, match="does not exist; make it"):
        target(far).read()
    target(far).clear()


def test_a_check_sees_the_new_file_before_it_is_in_place(path: Path) -> None:
    put(target(path), "81.2.69.1")
    check = script(path, f'cat "$1" {path} > {path.parent}/seen')
    put(target(path, check=(check, "{path}")), "81.2.69.2")
    new, old = HEADER + "81.2.69.2/32\n", HEADER + "81.2.69.1/32\n"
    assert (path.parent / "seen").read_text() == new + old
    assert held(target(path)) == {"81.2.69.2/32"}


def test_a_check_that_fails_beforehand_leaves_the_old_file_untouched(path: Path) -> None:
    put(target(path), "81.2.69.1")
    before = as_written(path)
    check = script(path, "echo bad syntax >&2; exit 3")
    reload = ("touch", str(path.parent / "reloaded"))
    with pytest.raises(BackendError, match=r"exit code 3 \(bad syntax\)") as raised:
        put(target(path, check=(check, "{path}"), reload=reload), "81.2.69.2")
    assert not isinstance(raised.value, OutcomeUnknown)
    assert as_written(path) == before
    assert names(path) == {"friends", "program"}


@pytest.mark.parametrize("key", ["check", "reload"])
def test_a_command_that_fails_afterwards_brings_the_old_file_back(path: Path, key: str) -> None:
    put(target(path), "81.2.69.1")
    picky = script(path, f"grep -q 81.2.69.1/32 {path}")
    options: dict[str, Any] = {key: (picky,)}
    with pytest.raises(BackendError, match="the old file is back in force") as raised:
        put(target(path, **options), "81.2.69.2")
    assert not isinstance(raised.value, OutcomeUnknown)
    assert path.read_text() == HEADER + "81.2.69.1/32\n"
    assert target(path).read().flaws == ()
    assert names(path) == {"friends", "program"}


def test_where_no_file_was_none_is_left_when_the_reload_fails(path: Path) -> None:
    picky = script(path, f"test ! -e {path}")
    with pytest.raises(BackendError, match="back in force"):
        put(target(path, reload=(picky,)), "81.2.69.2")
    assert names(path) == {"program"}


def test_a_reload_that_keeps_failing_is_unknown_and_tried_again_by_the_next_run(
    path: Path,
) -> None:
    put(target(path), "81.2.69.1")
    with pytest.raises(OutcomeUnknown, match="the old file is back, but"):
        put(target(path, reload=("false",)), "81.2.69.2")
    assert held(target(path)) == {"81.2.69.1/32"}
    (flaw,) = target(path).read().flaws
    assert "not confirmed" in flaw
    reload = ("touch", str(path.parent / "reloaded"))
    put(target(path, reload=reload), "81.2.69.1")
    assert names(path) == {"friends", "reloaded"}


def test_a_reload_runs_once_for_a_change_and_not_without_one(path: Path) -> None:
    count = script(path, f"echo >> {path.parent}/count")
    backend = target(path, reload=(count,))
    put(backend, "81.2.69.1")
    put(backend, "81.2.69.1")
    assert (path.parent / "count").read_text() == "\n"
    backend.clear()
    backend.clear()
    assert (path.parent / "count").read_text() == "\n\n"


def test_a_crash_between_change_and_reload_is_made_up_for(path: Path) -> None:
    put(target(path), "81.2.69.1")
    os.link(path, path.with_name(UNDO))
    path.unlink()
    path.write_text(HEADER + "81.2.69.2/32\n")
    path.chmod(0o644)
    reload = ("touch", str(path.parent / "reloaded"))
    assert target(path, reload=reload).read().flaws
    put(target(path, reload=reload), "81.2.69.2")
    assert names(path) == {"friends", "reloaded"}


def test_the_content_to_go_back_to_is_the_last_one_that_was_confirmed(path: Path) -> None:
    put(target(path), "81.2.69.1")
    path.rename(path.with_name(UNDO))
    path.write_text(HEADER + "81.2.69.2/32\n")
    picky = script(path, f"grep -q 81.2.69.1/32 {path}")
    with pytest.raises(BackendError, match="back in force"):
        put(target(path, reload=(picky,)), "81.2.69.3")
    assert held(target(path)) == {"81.2.69.1/32"}


def test_what_a_crash_left_beside_is_removed(path: Path) -> None:
    put(target(path), "81.2.69.1")
    path.with_name(NEW).write_text("half")
    (flaw,) = target(path).read().flaws
    assert "left over" in flaw
    put(target(path), "81.2.69.1")
    assert names(path) == {"friends"}
    path.with_name(NEW).write_text("half")
    target(path).clear()
    assert names(path) == set()


def test_clearing_an_unconfirmed_change_still_reloads(path: Path) -> None:
    put(target(path), "81.2.69.1")
    with pytest.raises(BackendError, match="is removed, but"):
        target(path, reload=("false",)).clear()
    assert names(path) == {UNDO}
    reload = ("touch", str(path.parent / "reloaded"))
    target(path, reload=reload).clear()
    assert names(path) == {"reloaded"}


def test_programs_that_are_not_there_are_found_by_check(path: Path) -> None:
    put(target(path), "81.2.69.1")
    findings = target(path, check=("no-such-program", "{path}"), reload=("true",)).check()
    assert [(one.severity, one.what) for one in findings] == [
        (Severity.ERROR, "no-such-program is not installed")
    ]


def test_a_missing_program_changes_nothing(path: Path) -> None:
    put(target(path), "81.2.69.1")
    with pytest.raises(BackendError, match="not installed"):
        put(target(path, check=("no-such-program", "{path}")), "81.2.69.2")
    assert held(target(path)) == {"81.2.69.1/32"}
    assert names(path) == {"friends"}


def test_a_relative_program_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("'./x'")):
        FileOptions(Path("/tmp/f"), reload=("./x",))


def test_a_file_that_its_reader_cannot_do_without_is_not_removed(path: Path) -> None:
    needed = script(path, f"test -e {path}")
    put(target(path), "81.2.69.1")
    with pytest.raises(BackendError, match="cannot be removed as long as it is used"):
        target(path, check=(needed,)).clear()
    assert held(target(path)) == {"81.2.69.1/32"}
    assert names(path) == {"friends", "program"}


@pytest.mark.parametrize("before", [(), ("81.2.69.1",)], ids=["none", "an older one"])
def test_a_reader_that_does_not_run_starts_with_what_was_checked(
    path: Path, before: tuple[str, ...]
) -> None:
    if before:
        put(target(path), *before)
    running = path.with_name("running")
    options: dict[str, Any] = {"check": ("true",), "reload": ("test", "-e", str(running))}
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="for when its reader starts, but test failed"):
            put(target(path, **options), "81.2.69.2")
        assert held(target(path)) == {"81.2.69.2/32"}
        assert target(path, **options).read().flaws  # so that the next run asks again
    running.touch()
    put(target(path, **options), "81.2.69.2")
    assert not target(path, **options).read().flaws
    assert names(path) == {"friends", "running"}


def test_two_files_that_their_reader_lacks_do_not_wait_for_each_other(path: Path) -> None:
    other = path.with_name("others")
    missing = '|| { echo "$one is missing" >&2; exit 1; }'
    both = script(path, f"for one in {path} {other}; do test -e $one {missing}; done")
    options: dict[str, Any] = {"check": (both,), "reload": ("true",)}
    with pytest.raises(OutcomeUnknown, match="is in place, but not checked: "):
        put(target(path, **options), "81.2.69.2")
    assert target(path, **options).read().flaws  # so that the next run asks again
    put(target(other, **options), "81.2.69.2")
    put(target(path, **options), "81.2.69.2")
    assert held(target(path)) == held(target(other)) == {"81.2.69.2/32"}
    assert not target(path, **options).read().flaws
    assert names(path) == {"friends", "others", "program"}


@pytest.mark.parametrize(
    ("objects", "reload"),
    [
        ("echo {} is missing >&2; false", ()),
        ("test ! -e {}", ("true",)),
        ("echo another is missing >&2; false", ("true",)),
    ],
    ids=["watches", "its fault", "the fault of another"],
)
def test_a_first_file_that_its_reader_could_take_unchecked_is_not_left(
    path: Path, objects: str, reload: tuple[str, ...]
) -> None:
    check = (script(path, objects.format(path)),)
    with pytest.raises(BackendError, match="back in force"):
        put(target(path, check=check, reload=reload), "81.2.69.2")
    assert names(path) == {"program"}
