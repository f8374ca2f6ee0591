"""What a machine keeps of its fleet, in files beside the state: documents, and its lead.

The payloads are kept without their signatures: they were believed when they came, and no other
could have written these files since.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from allowsync.config.secure_file import digest_of
from allowsync.fleet.document import ListDocument, decoded, encoded
from allowsync.fleet.fields import DocumentError
from allowsync.fleet.store import Lead
from allowsync.model.value import Value
from allowsync.state.codec import instant, number
from allowsync.state.errors import StateError
from allowsync.state.files import as_owner
from allowsync.state.kept_files import read_body, read_heading, write_kept

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from allowsync.policy.clock import Now

_SLACK = timedelta(minutes=5)


class KeptDocument(Value):
    """A document that was believed.

    Attributes:
        document: The document.
        mark: What the store knows it by.
        store: Which store that is.
        seal: By which keys this machine signed it, as a digest; empty where it did not.
    """

    document: ListDocument
    mark: str
    store: str
    seal: str = ""

    def age(self, now: Now) -> str:
        """What is wrong with its age; empty where nothing is."""
        at = f"{self.document.decided:%Y-%m-%d %H:%M} UTC"
        if self._is_to_come(now):
            return f"it was decided at {at}, which is still to come: a clock is off"
        if now.passed(self.document.decided) > 2 * self.document.interval + _SLACK:
            return f"nothing newer was published than at {at}: no machine leads, or a clock is off"
        return ""

    def doubt(self, now: Now, *, is_first: bool) -> str:
        """Why a document must not take the place of what is held; empty where it may.

        One of a wrong age may not: it would let in hosts by what cannot be believed. A machine that
        holds none takes its first as old as it is (`policy.keep_unavailable` bounds that), so that
        one without a state comes up while no machine leads; one that is still to come, never.
        """
        return "" if is_first and not self._is_to_come(now) else self.age(now)

    def _is_to_come(self, now: Now) -> bool:
        return self.document.decided > now.instant + _SLACK


class LastReport(NamedTuple):
    """What this machine told the store of itself.

    Attributes:
        content: A digest of what it said, beside the time.
        at: When that was.
        refused: Why the store did not take it; empty where it did.
    """

    content: str
    at: datetime
    refused: str


def read_document(state: Path, fleet: str, name: str) -> KeptDocument | None:
    """The document of an allowlist that was believed last; None where there is none."""
    path = _document_path(state, name)
    heading = read_heading(path)
    if heading is None or heading.get("fleet") != fleet:
        return None
    body = read_body(path, str(heading.get("digest")))
    try:
        return None if body is None else KeptDocument(decoded(body), *_known_by(heading))
    except DocumentError:
        return None


def _known_by(heading: dict[str, str]) -> tuple[str, str, str]:
    return str(heading.get("mark")), str(heading.get("store")), str(heading.get("seal", ""))


def write_document(state: Path, name: str, kept: KeptDocument) -> bool:
    """Keep a document. Whether that could be done."""
    body = encoded(kept.document)
    heading = {
        "fleet": kept.document.fleet,
        "mark": kept.mark,
        "store": kept.store[:1000],
        "seal": kept.seal,
        "digest": digest_of(body),
    }
    return write_kept(_document_path(state, name), heading, body)


def read_lead(state: Path, store: str) -> Lead | None:
    """The lead that this machine had in a store; None where it had none."""
    heading = read_heading(_lead_path(state))
    if heading is None or heading.get("store") != store[:1000]:
        return None
    try:
        return Lead(str(heading["lease"]), str(heading["fence"]), instant(int(heading["ends"])))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def write_lead(state: Path, store: str, lead: Lead) -> bool:
    """Keep a lead. Whether that could be done."""
    about = {"lease": lead.lease, "fence": lead.fence, "ends": number(lead.ends)}
    return write_kept(_lead_path(state), {**about, "store": store[:1000]}, b"")


def read_last_report(state: Path, store: str) -> LastReport | None:
    """What was told a store last; None where nothing was."""
    heading = read_heading(_report_path(state))
    if heading is None or heading.get("store") != store[:1000]:
        return None
    try:
        at = instant(int(heading["at"]))
        return LastReport(str(heading["content"]), at, str(heading["refused"]))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def write_last_report(state: Path, store: str, told: LastReport) -> bool:
    """Keep what was told a store. Whether that could be done."""
    about = {"content": told.content, "at": number(told.at), "refused": told.refused[:300]}
    return write_kept(_report_path(state), {**about, "store": store[:1000]}, b"")


def forget_lead(state: Path) -> None:
    """Keep no lead any more."""
    path = _lead_path(state)
    with suppress(OSError, StateError), as_owner(path):
        path.unlink(missing_ok=True)


def _document_path(state: Path, name: str) -> Path:
    return state.with_name(f"{state.name}.{name}.fleet")


def _lead_path(state: Path) -> Path:
    return state.with_name(f"{state.name}.lead")


def _report_path(state: Path) -> Path:
    return state.with_name(f"{state.name}.told")
