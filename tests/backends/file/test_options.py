"""The options of a file target, read as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from allowsync_backends.file import FileOptions, Format

from allowsync.config.schema.context import INVALID, Reading
from allowsync.config.schema.nodes import from_plain
from allowsync.config.schema.object import Object

KIND = Object(FileOptions)


def read(**written: Any) -> tuple[FileOptions | None, list[str]]:
    reading = Reading(Path("/etc/allowsync/config.yaml"), uid=0)
    found = KIND.parse(from_plain(written), "file", reading)
    return None if found is INVALID else found, [one.what for one in reading.problems]


def test_a_path_is_enough() -> None:
    assert read(path="/run/friends") == (FileOptions(Path("/run/friends")), [])


def test_everything_can_be_written_and_is_shown_as_it_was() -> None:
    written = {
        "path": "/run/friends",
        "format": "json",
        "mode": "0640",
        "check": ["nginx", "-t"],
        "reload": ["/usr/sbin/nginx", "-s", "reload"],
    }
    options, problems = read(**written)
    assert problems == []
    assert options == FileOptions(
        Path("/run/friends"),
        Format.JSON,
        0o640,
        ("nginx", "-t"),
        ("/usr/sbin/nginx", "-s", "reload"),
    )
    shown = {**written, "template": None, "comment": "# ", "never_empty": []}
    assert KIND.show(options) == shown


@pytest.mark.parametrize("comment", ["// ", "!", None])
def test_a_template_and_what_begins_a_comment_can_be_written(comment: str | None) -> None:
    written = {"path": "/run/friends", "template": "/etc/allowsync/friends.j2", "comment": comment}
    options, problems = read(**written)
    assert problems == []
    assert options == FileOptions(
        Path("/run/friends"), template=Path("/etc/allowsync/friends.j2"), comment=comment
    )
    assert {**KIND.show(options), **written} == KIND.show(options)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"mode": "0888"}, "permissions such as 0644"),
        ({"mode": "4755"}, "permissions such as 0644"),
        ({"mode": "rw-r--r--"}, "permissions such as 0644"),
        ({"mode": "0666"}, "let everyone change"),
        ({"format": "xml"}, "text"),
        ({"reload": "nginx -s reload"}, "a list"),
        ({"reload": ["bin/reload"]}, "absolute path"),
        ({"check": ["../check"]}, "absolute path"),
        ({"template": "/t.j2", "format": "json"}, "exclude each other"),
        ({"never_empty": ["255.255.255.255/32"]}, "belongs to a template"),
        ({"template": "/t.j2", "never_empty": ["0.0.0.0/0"]}, "clients can come from there"),
        ({"template": "/t.j2", "never_empty": ["203.0.113.7/32"]}, "clients can come from there"),
        ({"template": "/t.j2", "never_empty": ["192.0.0.0/2"]}, "clients can come from there"),
        ({"template": "/t.j2", "never_empty": ["nobody"]}, "that no client comes from"),
        ({"template": "/run/friends"}, "the same file"),
        ({"template": "/t.j2", "comment": ""}, "what begins a comment line"),
        ({"template": "/t.j2", "comment": "#\n"}, "control or invisible"),
        ({"template": "/t.j2", "comment": "#" * 17}, "at most 16"),
        ({"comment": "// "}, "belongs to a template"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_a_problem(written: dict[str, Any], problem: str) -> None:
    options, (what,) = read(path="/run/friends", **written)
    assert options is None
    assert problem in what
