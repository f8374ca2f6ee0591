"""The configuration of one machine, split for the machine that decides and the others. Pure.

Both are the existing text with a few values inserted or removed, so comments and order stay.
The caller validates the resulting texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.config.schema.yaml_spans import Form, Span
from allowsync.model.value import Value
from allowsync.setup.host_edit import ConfigurationText, scalar
from allowsync.setup.text_edit import Edit, UneditableError, edited, insertion, removal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAPPINGS = (Form.BLOCK_MAPPING, Form.FLOW_MAPPING)
_ROLES = ("publish", "follow")


class FleetHalves(Value):
    """The two configurations.

    Attributes:
        publisher: For the machine that decides: hosts, and every list published.
        follower: For every other: the same lists and targets, without hosts.
    """

    publisher: str
    follower: str


def split(text: str, publisher: Mapping[str, Any], follower: Mapping[str, Any]) -> FleetHalves:
    """Make both configurations.

    Args:
        text: The configuration of one machine.
        publisher: The section `fleet` of the machine that decides.
        follower: That of every other.

    Raises:
        UneditableError: It belongs to a fleet already, or its syntax is not supported.
    """
    root = ConfigurationText(text).root
    if root.at("fleet") is not None:
        raise UneditableError("fleet: there is such a section already")
    lists = list(_lists(root))
    publishing = edited(text, (one for _, body in lists for one in _published(text, body)))
    following = edited(text, (one for _, body in lists for one in _followed(text, body)))
    return FleetHalves(
        _with_section(publishing, publisher), _with_section(_without_hosts(following), follower)
    )


def _lists(root: Span) -> Iterator[tuple[str, Span]]:
    """Yield the allowlists, each a literal mapping."""
    section = root.at("allowlists")
    if section is None or section.form not in _MAPPINGS:
        raise UneditableError("allowlists: expected a mapping that is written out")
    for key, body in section.pairs:
        if body.form not in _MAPPINGS:
            raise UneditableError(f"allowlists.{key.text}: expected a mapping that is written out")
        if role := next((one for one in _ROLES if body.at(one) is not None), ""):
            raise UneditableError(f"allowlists.{key.text}.{role}: it is of a fleet already")
        yield key.text, body


def _published(text: str, body: Span) -> list[Edit]:
    return insertion(text, body, ["publish: true"])


def _followed(text: str, body: Span) -> list[Edit]:
    """The edits that replace the hosts, if named, by `follow`."""
    for key, value in body.pairs:
        if key.text == "hosts":
            return [Edit(key.start, max(key.end, value.end), "follow: true")]
    return insertion(text, body, ["follow: true"])


def _without_hosts(text: str) -> str:
    for section in ("hosts", "hosts_from"):
        root = ConfigurationText(text).root
        for number, (key, _) in enumerate(root.pairs):
            if key.text == section:
                text = edited(text, [removal(text, root, number)])
    return text


def _with_section(text: str, section: Mapping[str, Any]) -> str:
    root = ConfigurationText(text).root
    if root.form is Form.FLOW_MAPPING:
        return edited(text, insertion(text, root, [f"fleet: {_inline(section)}"]))
    lines = [f"  {key}: {_inline(value)}" for key, value in section.items()]
    return edited(text, insertion(text, root, ["fleet:", *lines]))


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return f"{{{', '.join(f'{key}: {_inline(one)}' for key, one in value.items())}}}"
