"""Trials of a template by `check`: with the present entries, none, and made-up hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Severity
from allowsync_backends.file.template import TemplateError, TemplateSource, View, render_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Entry

_SHOWN: Final = 100  # characters


def unreadable(error: TemplateError) -> Finding:
    """Return the finding of a template that cannot be rendered at all."""
    return Finding(Severity.ERROR, str(error), "until then the file stays as it is")


def wrong(source: TemplateSource, allowlist: str, held: tuple[Entry, ...]) -> Iterator[Finding]:
    """Report faults of a template, and its text without entries.

    Args:
        source: The template.
        allowlist: The allowlist's name.
        held: The present entries.
    """
    views = [View(allowlist), View(allowlist, everybody=True)]
    views += [View(allowlist, held)] if held else []
    try:
        made = render_each(source, views)
    except TemplateError as error:
        yield unreadable(error)
        return
    empty, filled = made[0], made[-1]
    if isinstance(filled, TemplateError):
        yield unreadable(filled)
    elif empty == filled:
        yield Finding(
            Severity.WARNING,
            f"{source.path} makes the same text for every set of entries",
            "does it ask for a host by a name that is not on this allowlist?",
        )
    yield _without_entries(empty)


def _without_entries(made: str | TemplateError) -> Finding:
    if isinstance(made, TemplateError):
        return Finding(
            Severity.WARNING,
            f"without entries the file stays as it was: {made}",
            "let the template say what holds then: {% if 'alice' in hosts %} … {% else %} … "
            "{% endif %}",
        )
    text = " ".join(made.split())
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return Finding(Severity.INFO, f"without entries the template makes: {shown or 'nothing'}")
