"""What `check` finds by trying a template: on who has access now, on nobody, on made-up hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Severity
from allowsync_backends.file.template import Source, TemplateError, View, render_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.types import Entry

_SHOWN: Final = 100  # characters


def unreadable(error: TemplateError) -> Finding:
    """The finding of a template that makes nothing at all."""
    return Finding(Severity.ERROR, str(error), "until then the file stays as it is")


def wrong(source: Source, allowlist: str, held: tuple[Entry, ...]) -> Iterator[Finding]:
    """What is wrong with a template, and what it makes for nobody.

    Args:
        source: The template.
        allowlist: The allowlist's name.
        held: Who has access now.
    """
    views = [View(allowlist), View(allowlist, everybody=True)]
    views += [View(allowlist, held)] if held else []
    try:
        made = render_each(source, views)
    except TemplateError as error:
        yield unreadable(error)
        return
    nobody, somebody = made[0], made[-1]
    if isinstance(somebody, TemplateError):
        yield unreadable(somebody)
    elif nobody == somebody:
        yield Finding(
            Severity.WARNING,
            f"{source.path} makes the same text whoever has access",
            "does it ask for a host by a name that is not on this allowlist?",
        )
    yield _for_nobody(nobody)


def _for_nobody(made: str | TemplateError) -> Finding:
    if isinstance(made, TemplateError):
        return Finding(
            Severity.WARNING,
            f"when nobody has access any more, the file stays as it was: {made}",
            "let the template say what holds then: {% if 'alice' in hosts %} … {% else %} … "
            "{% endif %}",
        )
    text = " ".join(made.split())
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return Finding(Severity.INFO, f"for nobody the template makes: {shown or 'nothing'}")
