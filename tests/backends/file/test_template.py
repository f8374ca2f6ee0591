"""A file made from a template: whose it is, when it is made anew, and what stays as it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.file import TYPE, FileOptions
from hypothesis import HealthCheck, given, settings

from allowsync.backend.api import BackendError
from allowsync.backend.driver import Driver
from allowsync.engine.rollback.snapshot import kept
from allowsync.model.plan import Plan
from allowsync.model.target import Placement
from allowsync.model.types import Entry
from tests.support.entries import held
from tests.support.templates import Templated, entries
from tests.support.values import net

if TYPE_CHECKING:
    from pathlib import Path

# A template is rendered in a process of its own.
pytestmark = [pytest.mark.io, pytest.mark.usefixtures("warm_templates")]

EACH = "{% for network in networks %}\nallow {{ network }};\n{% endfor %}\ndeny all;\n"
BRIEFLY = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ALICE = entries(alice="81.2.69.1 2a02::/64")
MARK = re.compile(
    '# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
    "# 81.2.69.1/32 alice\n"
    "# 2a02::/64 alice\n"
    "# template [0-9a-f]{32} text [0-9a-f]{32}\n"
)


@pytest.fixture
def here(tmp_path: Path) -> Templated:
    return Templated(tmp_path).says(EACH)


def test_a_file_is_a_mark_in_comments_and_what_the_template_makes(here: Templated) -> None:
    here.put(ALICE)
    text = here.file.read_text()
    found = MARK.match(text)
    assert found
    assert text[found.end() :] == "allow 81.2.69.1/32;\nallow 2a02::/64;\ndeny all;\n"
    assert here.names == {"friends"}
    assert here.read().entries == frozenset(ALICE)
    assert here.read().flaws == ()


def test_without_comments_the_mark_is_beside_the_file_and_for_its_owner_alone(
    here: Templated,
) -> None:
    here.says("{{ hosts.alice.addresses | first }}")
    here.put(ALICE, comment=None)
    assert here.file.read_text() == "81.2.69.1"
    assert here.names == {"friends", ".friends.allowsync"}
    assert here.note.stat().st_mode & 0o777 == 0o600
    assert here.read(comment=None).entries == frozenset(ALICE)
    assert here.read(comment=None).flaws == ()


@pytest.mark.parametrize("comment", ["# ", None])
def test_an_idle_run_needs_no_look_at_what_the_template_would_make(
    here: Templated, comment: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.put(ALICE, comment=comment)
    monkeypatch.setattr("allowsync_backends.file.template.run", None)
    assert here.put(ALICE, comment=comment).idle


@pytest.mark.parametrize("comment", ["# ", None])
def test_a_changed_template_is_rendered_anew(here: Templated, comment: str | None) -> None:
    here.put(ALICE, comment=comment)
    here.says("{{ hosts | length }}")
    current = here.read(comment=comment)
    assert current.entries == frozenset(ALICE)
    (flaw,) = current.flaws
    assert flaw == f"{here.file} was made before {here.template} was changed"
    here.put(ALICE, comment=comment)
    assert here.file.read_text().endswith("\n1" if comment else "1")
    assert here.read(comment=comment).flaws == ()


def test_an_empty_list_shows_the_networks_that_stand_for_nobody(here: Templated) -> None:
    nobody = (net("255.255.255.255/32"), net("100::/64"))
    here.put(ALICE)
    assert here.read(never_empty=nobody).flaws, "what is shown then may be in no file yet"
    here.put(ALICE, never_empty=nobody)
    assert "255.255.255.255" not in here.file.read_text()
    here.put((), never_empty=nobody)
    assert here.file.read_text().endswith(
        "\nallow 255.255.255.255/32;\nallow 100::/64;\ndeny all;\n"
    )
    current = here.read(never_empty=nobody)
    assert (current.entries, current.flaws) == (frozenset(), ())
    assert here.put((), never_empty=nobody).idle


def test_a_template_that_came_back_as_it_was_is_no_change(here: Templated) -> None:
    here.put(ALICE)
    here.says("x").says(EACH)
    assert here.put(ALICE).idle


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("deny all", "allow all"),
        ("deny all;\n", ""),
        ("allow 81.2.69.1/32;", "allow 81.2.69.1/32; allow 6.6.6.6;"),
        ("# 81.2.69.1/32 alice", "# 81.2.69.2/32 alice"),
        ("# 81.2.69.1/32 alice", "# 81.2.69.1/32 mallory"),
        ("# 81.2.69.1/32 alice\n", ""),
        ("# 2a02::/64 alice", "# 2a02::1/64 alice"),
        ("# 2a02::/64 alice", "# 2a02::/64 Alice"),
        ("# template ", "# Template "),
        ("overwritten.", "kept."),
        ("deny all", "# M\udcfcller\ndeny all"),  # a byte that is no UTF-8
    ],
)
def test_an_edited_file_is_ours_called_a_flaw_and_made_anew(
    here: Templated, old: str, new: str
) -> None:
    here.put(ALICE)
    good = here.file.read_text()
    here.file.write_bytes(good.replace(old, new).encode(errors="surrogateescape"))
    assert here.read().flaws == (f"{here.file} was edited",)
    here.put(ALICE)
    assert here.read().flaws == ()
    assert here.file.read_text() == good


@pytest.mark.parametrize("comment", ["# ", None])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"deny all;\n",
        b"\n# Written by allowsync",
        b'# Written by somebody for allowlist "x".\n',
        b'# Written by allowsync for allowlist "y". Do not edit\n',
        b"\xff\xfe",
    ],
    ids=range(6),
)
def test_a_strangers_file_is_never_read_changed_or_cleared(
    here: Templated, content: bytes, comment: str | None
) -> None:
    backend = here.target(comment=comment)
    here.file.write_bytes(content)
    with pytest.raises(BackendError):
        backend.read()
    with pytest.raises(BackendError):
        backend.apply(Plan("x/file", add=ALICE))
    backend.clear()
    assert here.file.read_bytes() == content
    assert here.names == {"friends"}


def test_without_comments_an_edited_file_is_its_editors(here: Templated) -> None:
    here.put(ALICE, comment=None)
    here.file.write_text("allow all;\n")
    with pytest.raises(BackendError, match="not written by allowsync"):
        here.read(comment=None)
    with pytest.raises(BackendError, match="not written by allowsync"):
        here.target(comment=None).apply(Plan("x/file", add=ALICE))
    assert here.file.read_text() == "allow all;\n"
    here.file.unlink()
    here.put(ALICE, comment=None)
    assert here.read(comment=None).flaws == ()
    here.file.write_text("allow all;\n")
    with pytest.raises(BackendError, match="was edited and is left alone; delete it"):
        here.target(comment=None).clear()
    assert here.file.read_text() == "allow all;\n"
    here.file.unlink()
    here.target(comment=None).clear()
    assert here.names == set()


def test_a_template_that_writes_the_header_itself_makes_an_edited_file_ours(
    here: Templated,
) -> None:
    here.says('{"about": "{{ allowlist }}"}').says("// {{ header }}\n" + EACH)
    here.put(ALICE, comment=None)
    with here.file.open("a") as file:
        file.write("allow all;\n")
    current = here.read(comment=None)
    assert (current.entries, current.flaws) == (frozenset(ALICE), (f"{here.file} was edited",))
    here.put(ALICE, comment=None)
    assert here.file.read_text().endswith("deny all;\n")


def test_a_copy_from_a_backup_is_known_by_its_mark(here: Templated) -> None:
    here.put(ALICE)
    backup = here.file.read_bytes()
    bob = entries(bob="81.2.69.2")
    here.put(bob)
    here.file.write_bytes(backup)
    assert here.read().entries == frozenset(ALICE)
    plan = here.put(bob)
    assert {one.network for one in plan.add} == {net("81.2.69.2")}
    assert here.body == "allow 81.2.69.2/32;\ndeny all;\n"


def test_where_the_mark_beside_is_lost_the_file_is_left_alone(here: Templated) -> None:
    here.put(ALICE, comment=None)
    here.note.unlink()
    with pytest.raises(BackendError, match="not written by allowsync"):
        here.read(comment=None)


@pytest.mark.parametrize(
    ("before", "after"), [("# ", None), (None, "# "), ("# ", "// "), ("// ", "; ")]
)
def test_a_file_is_known_however_it_was_marked_before(
    here: Templated, before: str | None, after: str | None
) -> None:
    here.put(ALICE, comment=before)
    current = here.read(comment=after)
    assert current.entries == frozenset(ALICE)
    assert f"{here.file} is marked in another way than configured (comment)" in current.flaws
    here.put(ALICE, comment=after)
    assert here.read(comment=after).flaws == ()
    assert here.names == {"friends", *([".friends.allowsync"] if after is None else [])}


def test_a_file_of_plain_text_becomes_one_from_a_template_and_back(here: Templated) -> None:
    networks = {net("81.2.69.1"), net("2a02::/64")}
    plain: dict[str, Any] = {"template": None}
    here.put(ALICE, **plain)
    assert {one.network for one in here.read().entries} == networks
    here.put(ALICE)
    assert here.read().flaws == ()
    assert here.body.startswith("allow 81.2.69.1/32;")
    here.put(ALICE, **plain)
    assert here.read(**plain).flaws == ()
    assert {one.network for one in here.read(**plain).entries} == networks


def test_whose_an_entry_is_is_part_of_what_is_written(here: Templated) -> None:
    here.says("{% for host in hosts %}\n{{ host }}={{ host.networks | join(' ') }}\n{% endfor %}\n")
    here.put(entries(alice="81.2.69.1"))
    plan = here.put(entries(alice="81.2.69.1", bob="81.2.69.1"))
    assert not plan.add
    assert here.body == "alice=81.2.69.1/32\nbob=81.2.69.1/32\n"
    assert here.put(entries(alice="81.2.69.1", bob="81.2.69.1")).idle


def test_the_address_that_was_replaced_comes_after_the_one_that_replaced_it(
    here: Templated,
) -> None:
    here.says("{{ hosts.home.ipv4 | first | address }}")
    here.put(entries(home="81.2.69.1"))
    here.put(entries(home="81.2.69.1 81.2.69.2", replaced="home 81.2.69.1"))
    assert here.body == "81.2.69.2"
    here.put(entries(home="81.2.69.1 81.2.69.2", replaced="home 81.2.69.2"))
    assert here.body == "81.2.69.1"
    here.put(entries(home="81.2.69.1"))
    assert here.body == "81.2.69.1"


def test_an_entry_that_nobody_remembers_keeps_whose_it_is(here: Templated) -> None:
    here.says("{% for host in hosts %}{{ host }} {% endfor %}")
    here.put(entries(alice="81.2.69.1"))
    forgotten, new = Entry(net("81.2.69.1")), Entry(net("81.2.69.2"), ("bob",))
    here.target().apply(Plan("x/file", add=(new,), withheld=(forgotten,)))
    assert here.body == "alice bob "
    assert here.read().entries == {Entry(net("81.2.69.1"), ("alice",)), new}


def test_an_entry_of_which_nobody_ever_knew_whose_it_is_is_nobodys(here: Templated) -> None:
    here.says("{{ networks | length }} {{ hosts | length }}")
    here.target().apply(Plan("x/file", add=(Entry(net("81.2.69.1")),)))
    assert here.body == "1 0"
    assert here.read().entries == {Entry(net("81.2.69.1"))}


def test_a_network_within_another_is_not_listed_twice_but_stays_its_hosts(here: Templated) -> None:
    here.says("{{ networks | join(' ') }} {{ hosts.alice.addresses | first }}")
    here.put(entries(alice="81.2.69.1", office="81.2.69.0/24"))
    assert here.body == "81.2.69.0/24 81.2.69.1"


def test_a_failed_reload_brings_back_the_old_text_and_what_is_known_of_it(here: Templated) -> None:
    here.says("{{ networks | join(' ') }}\n")
    for comment in ("# ", None):
        here.put(ALICE, comment=comment)
        picky = ("grep", "-q", "81.2.69.1", str(here.file))
        with pytest.raises(BackendError, match="the old file is back in force"):
            here.put(entries(bob="81.2.69.2"), comment=comment, reload=picky)
        assert here.read(comment=comment).entries == frozenset(ALICE)
        assert here.read(comment=comment).flaws == ()


def test_what_was_confirmed_last_stays_known_though_something_else_is_in_its_place(
    here: Templated,
) -> None:
    """As after a crash between a change and its reload. The file may become any of the three."""
    here.says("{{ networks | join(' ') }}\n")
    here.put(ALICE, comment=None)
    confirmed = here.file.read_bytes()
    here.put(entries(bob="81.2.69.2"), comment=None)
    here.file.with_name(".friends.allowsync-undo").write_bytes(confirmed)
    picky = ("grep", "-q", "81.2.69.1", str(here.file))
    with pytest.raises(BackendError, match="back in force"):
        here.put(entries(carol="81.2.69.3"), comment=None, reload=picky)
    assert here.read(comment=None).entries == frozenset(ALICE)


def test_marks_of_what_nobody_can_find_there_any_more_are_let_go(here: Templated) -> None:
    here.says("{{ networks | join(' ') }}\n")
    for number in range(4):
        here.put(entries(alice=f"81.2.69.{number}"), comment=None)
    assert here.note.read_text().count("template ") == 2  # what is there, and what was before


def test_what_could_not_be_put_back_is_said_before_anything_is_changed(here: Templated) -> None:
    """`apply --confirm` asks first. Nobody could render what the former template made."""
    here.put(ALICE)
    here.says("{{ hosts | length }}")
    options = FileOptions(here.file, template=here.template)
    with pytest.raises(BackendError, match=r"could not be restored as it is now .*was changed"):
        kept("x/file", Driver(TYPE, Placement("x", "x/file"), options))


def test_the_mode_is_kept(here: Templated) -> None:
    here.put(ALICE, mode=0o640)
    here.file.chmod(0o644)
    assert here.read(mode=0o640).flaws == (f"{here.file} has mode 0644 instead of 0640",)
    here.put(ALICE, mode=0o640)
    assert here.file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("comment", ["# ", None])
@BRIEFLY
@given(some=held())
def test_whatever_a_file_was_made_from_is_read_from_it(
    here: Templated, comment: str | None, some: list[Entry]
) -> None:
    here.says("{% for host in hosts %}{{ host.networks | join(' ') }}{% endfor %}{{ header }}\n")
    here.target(comment=comment).apply(Plan("x/file", add=tuple(some), repair=("again",)))
    after = here.read(comment=comment)
    known = {entry.network: entry for entry in after.entries}
    assert known.keys() == {entry.network for entry in some}
    assert all(known[entry.network] == entry for entry in some if entry.hosts)
    assert after.flaws == ()
