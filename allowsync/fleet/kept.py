"""Files beside the state that keep a fleet's accepted documents, lead and last report.

The payloads are kept without their signatures: they were verified on arrival, and no other user
can have written these files since.
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
    """An accepted document.

    Attributes:
        document: The document.
        mark: The store's identifier of it.
        store: The store it came from.
        seal: A digest of the keys by which this machine signed it; empty where it did not.
    """

    document: ListDocument
    mark: str
    store: str
    seal: str = ""

    def age(self, now: Now) -> str:
        """The problem with its age; empty where there is none."""
        at = f"{self.document.decided:%Y-%m-%d %H:%M} UTC"
        if self._is_to_come(now):
            return f"it was decided at {at}, which is still to come: a clock is off"
        if now.passed(self.document.decided) > 2 * self.document.interval + _SLACK:
            return f"nothing newer was published than at {at}: no machine leads, or a clock is off"
        return ""

    def doubt(self, now: Now, *, is_first: bool) -> str:
        """The reason why a document must not replace the held one; empty where it may.

        One of a wrong age may not: it would admit hosts without credible knowledge. A machine that
        holds none accepts its first at any age (`policy.keep_unavailable` bounds that), so that one
        without a state comes up while no machine leads; but never one from the future.
        """
        return "" if is_first and not self._is_to_come(now) else self.age(now)

    def _is_to_come(self, now: Now) -> bool:
        return self.document.decided > now.instant + _SLACK


class LastReport(NamedTuple):
    """The last report of this machine to the store.

    Attributes:
        content: A digest of the report without its time.
        at: The time of the report.
        refused: The reason for a refusal by the store; empty where it was accepted.
    """

    content: str
    at: datetime
    refused: str


def read_document(state: Path, fleet: str, name: str) -> KeptDocument | None:
    """The last accepted document of an allowlist; None where there is none."""
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
    """Keep a document. Return whether that succeeded."""
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
    """Keep a lead. Return whether that succeeded."""
    about = {"lease": lead.lease, "fence": lead.fence, "ends": number(lead.ends)}
    return write_kept(_lead_path(state), {**about, "store": store[:1000]}, b"")


def read_last_report(state: Path, store: str) -> LastReport | None:
    """The last report to a store; None where there was none."""
    heading = read_heading(_report_path(state))
    if heading is None or heading.get("store") != store[:1000]:
        return None
    try:
        at = instant(int(heading["at"]))
        return LastReport(str(heading["content"]), at, str(heading["refused"]))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def write_last_report(state: Path, store: str, told: LastReport) -> bool:
    """Keep the last report to a store. Return whether that succeeded."""
    about = {"content": told.content, "at": number(told.at), "refused": told.refused[:300]}
    return write_kept(_report_path(state), {**about, "store": store[:1000]}, b"")


def forget_lead(state: Path) -> None:
    """Delete the kept lead."""
    path = _lead_path(state)
    with suppress(OSError, StateError), as_owner(path):
        path.unlink(missing_ok=True)


def _document_path(state: Path, name: str) -> Path:
    return state.with_name(f"{state.name}.{name}.fleet")


def _lead_path(state: Path) -> Path:
    return state.with_name(f"{state.name}.lead")


def _report_path(state: Path) -> Path:
    return state.with_name(f"{state.name}.told")
