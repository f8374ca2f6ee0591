"""Where values stand in YAML text."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from allowsync.config.schema.yaml_spans import Form, spans


class CountedText(str):
    """A text that counts the characters that are copied out of it."""

    __slots__ = ("copied",)
    copied: int

    def __getitem__(self, key: object) -> str:
        part = str(self)[key]  # type: ignore[index]
        self.copied += len(part)
        return part


@pytest.mark.parametrize("hosts", [10, 1000])
def test_each_character_is_looked_at_once(hosts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = yaml.parse  # which takes nothing but a plain text

    def plainly(stream: str, **more: Any) -> Any:
        return parse(str(stream), **more)

    monkeypatch.setattr(yaml, "parse", plainly)
    text = CountedText("".join(f"h{n}: host{n}.example.org\n" for n in range(hosts)))
    text.copied = 0
    root, _ = spans(text)
    assert root is not None
    assert len(root.pairs) == hosts
    assert 0 < text.copied <= len(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: b  # c\n", "b"),
        ("a: |\n  b\n  c\n\n\n# d\n", "|\n  b\n  c"),
        ("a: |+\n  b\n\n\n", "|+\n  b"),
        ("a: >\n\n\nb: c\n", ">"),
        ("a:\nb: c\n", ""),
        ("a:   \n", ""),
        ("a: &x 'b '  \n", "&x 'b '"),
    ],
)
def test_a_scalar_ends_behind_its_last_character(text: str, value: str) -> None:
    root, _ = spans(text)
    assert root is not None
    found = root.at("a")
    assert found is not None
    assert found.form is Form.SCALAR
    assert text[found.start : found.end] == value
