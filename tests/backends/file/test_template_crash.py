"""Killed at every system call that changes something, or let down: file and mark belong together.

The mark is a file of its own here, which is the harder case: two files cannot be replaced at once.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.backends.file.test_crash import CHANGING
from tests.support.crash_points import killed, let_down, points
from tests.support.sampling import sample, share
from tests.support.templates import Templated, entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from allowsync.model.target import Current
    from allowsync.model.types import Entry
    from tests.support.crash_points import Point

OLD, NEW = entries(alice="81.2.69.1"), entries(alice="81.2.69.2", bob="81.2.69.2")
OTHER = entries(carol="81.2.69.3")
TEXTS = {"81.2.69.1 alice": OLD, "81.2.69.2 alice+bob": NEW}
TEMPLATE = "{{ networks | map('address') | join(' ') }} {{ hosts | join('+') }}"
DISK = ("renameat", "linkat", "unlinkat", "fchmod", "fsync", "write")
OURS = {"friends", ".friends.allowsync"}
MOST = 8  # programs that are disturbed in a sample

# Without the tests around it, so that little is imported.
APPLY = """
import sys
from pathlib import Path
from tests.support.templates import Templated, entries
new = entries(alice="81.2.69.2", bob="81.2.69.2")
Templated(Path(sys.argv[1])).put(new, comment=None, reload=("/bin/true",))
"""
CLEAR = """
import sys
from pathlib import Path
from tests.support.templates import Templated
Templated(Path(sys.argv[1])).target(comment=None, reload=("/bin/true",)).clear()
"""


def change(folder: Path, wanted: tuple[Entry, ...]) -> None:
    """Let the file be what the template makes of somebody."""
    Templated(folder).put(wanted, comment=None, reload=("/bin/true",))


def before(place: Path) -> Templated:
    """A file that is as it should be, made once and copied from then on."""
    model = place.with_name("model")
    if not model.exists():
        model.mkdir()
        Templated(model).says(TEMPLATE)
        change(model, OLD)
    shutil.copytree(model, place)
    return Templated(place)


def clear(folder: Path) -> None:
    Templated(folder).target(comment=None, reload=("/bin/true",)).clear()


def look(folder: Path) -> Current:
    return Templated(folder).read(comment=None)


def kills(code: str, folder: Path) -> Iterator[Path]:
    """Folders in which a program was killed, one for each place to be killed at."""
    for place, point in disturbed(CHANGING, code, folder):
        if killed(point, code, place):  # it may wait less often than before
            yield place


def disturbed(kinds: Sequence[str], code: str, folder: Path) -> Iterator[tuple[Path, Point]]:
    """Folders as they are before, and at which call a program is to be disturbed in each."""
    before(folder / "undisturbed")
    for point in sample(points(kinds, code, folder / "undisturbed"), MOST):
        place = folder / "".join(map(str, point))
        before(place)
        yield place, point


@pytest.mark.slow
def test_a_change_killed_anywhere_leaves_a_file_of_which_all_is_known(tmp_path: Path) -> None:
    found = []
    for number, place in enumerate(kills(APPLY, tmp_path)):
        here = Templated(place)
        text = here.file.read_text()
        found.append(text)
        assert look(place).entries == frozenset(TEXTS[text])
        # The next run may want what this one wanted, what was before, or something else.
        change(place, (NEW, OLD, OTHER)[number % 3])
        after = look(place)
        assert (after.entries, after.flaws) == (frozenset((NEW, OLD, OTHER)[number % 3]), ())
        assert here.names == OURS
    assert set(found) == TEXTS.keys()
    assert len(found) >= share(15, MOST - 1)


@pytest.mark.slow
def test_a_change_whose_disk_fails_says_what_is_known_and_can_be_done_again(tmp_path: Path) -> None:
    failures = 0
    for place, point in disturbed(DISK, APPLY, tmp_path):
        here = Templated(place)
        hit, said = let_down(point, APPLY, place)
        assert hit, point
        failures += 1
        held = TEXTS[here.file.read_text()]
        assert look(place).entries == frozenset(held)
        if "OutcomeUnknown: " in said:
            assert "was replaced, but" in said or held == OLD
        elif said:
            assert "BackendError: " in said or "TemplateError: " in said
            assert held == OLD
        change(place, NEW)
        assert (look(place).entries, look(place).flaws) == (frozenset(NEW), ())
        assert here.names == OURS
    assert failures >= share(15, MOST)


@pytest.mark.slow
def test_a_clear_killed_anywhere_can_be_done_again(tmp_path: Path) -> None:
    places = 0
    for place in kills(CLEAR, tmp_path):
        assert look(place).entries in (frozenset(OLD), frozenset())
        clear(place)
        assert Templated(place).names == set()
        places += 1
    assert places >= share(7, 6)
