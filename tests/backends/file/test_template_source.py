"""The template a file is made from: what is taken for one, and what becomes of the file if not."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from allowsync.backend.api import BackendError
from tests.support.files import as_written
from tests.support.templates import Templated, entries

if TYPE_CHECKING:
    from pathlib import Path

EACH = "{% for network in networks %}\nallow {{ network }};\n{% endfor %}\ndeny all;\n"
ALICE = entries(alice="81.2.69.1 2a02::/64")


@pytest.fixture
def here(tmp_path: Path) -> Templated:
    return Templated(tmp_path).says(EACH)


@pytest.mark.parametrize("comment", ["# ", None])
def test_a_template_that_fails_leaves_the_old_file_as_it_was(
    here: Templated, comment: str | None
) -> None:
    here.put(ALICE, comment=comment)
    before, known = as_written(here.file), here.names
    here.says("fine\nfine\n{{ oops }}\n")
    with pytest.raises(BackendError) as raised:
        here.put(ALICE, comment=comment)
    assert str(raised.value) == (
        f"{here.file} was not changed: {here.template}:3: there is no 'oops'"
    )
    assert (as_written(here.file), here.names) == (before, known)
    assert here.read(comment=comment).entries == frozenset(ALICE)


def test_a_template_that_is_gone_is_a_flaw_and_what_the_file_holds_stays_known(
    here: Templated,
) -> None:
    here.put(ALICE)
    here.template.unlink()
    current = here.read()
    assert current.entries == frozenset(ALICE)
    assert current.flaws == (f"{here.template}: file not found",)
    with pytest.raises(BackendError, match="file not found"):
        here.put(ALICE)
    here.target().clear()
    assert here.names == set()


def test_no_text_at_all_is_no_file_that_could_be_known_again(here: Templated) -> None:
    here.says("")
    with pytest.raises(BackendError, match="makes no text at all"):
        here.put(ALICE, comment=None)
    assert here.names == set()
    here.put(ALICE)
    assert here.body == ""


@pytest.mark.root
def test_what_others_may_change_is_no_template_for_root(here: Templated, as_root: None) -> None:
    here.template.chmod(0o666)
    with pytest.raises(BackendError, match="others may write it"):
        here.put(ALICE)
    here.template.chmod(0o644)
    here.folder.chmod(0o777)
    with pytest.raises(BackendError, match="others may write its folder"):
        here.put(ALICE)
    here.folder.chmod(0o755)
    os.chown(here.template, 65534, 65534)
    with pytest.raises(BackendError, match="belongs to user 65534"):
        here.put(ALICE)
    assert here.names == set()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.symlink_to(path)


def _binary(path: Path) -> None:
    path.write_bytes(b"fine\n\xff\n")


def _large(path: Path) -> None:
    path.write_bytes(b" " * (2 << 20))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkdir, "this is a folder, not a file"),
        (_pipe, "this is a pipe, not a file"),
        (_device, "this is a device, not a file"),
        (_circle, "cannot be opened: Too many levels of symbolic links"),
        (_binary, ":2: this is not UTF-8 text"),
        (_large, "larger than 1 MiB"),
    ],
    ids=("folder", "pipe", "device", "circle", "binary", "large"),
)
def test_what_is_no_file_of_text_is_no_template(here: Templated, make: Any, why: str) -> None:
    here.template.unlink()
    make(here.template)
    assert here.read().flaws == (f"{here.file} does not exist",)
    with pytest.raises(BackendError, match=re.escape(why)):
        here.put(ALICE)
    assert here.names == set()
