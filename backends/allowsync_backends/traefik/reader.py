"""Traefik as the reader of a file: it watches the file, and its API shows the version in force."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.value import Value
from allowsync_backends.common.server.supervisor import State
from allowsync_backends.file.reader import Commands, checks_drafts, missing_programs
from allowsync_backends.traefik.api import Api, ApiUnreachable, NoAnswer
from allowsync_backends.traefik.document import Unfit, definitions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from allowsync.model.target import Finding, TrustedProxies
    from allowsync_backends.traefik.document import Definition
    from allowsync_backends.traefik.options import MiddlewareKind, TraefikOptions
    from allowsync_backends.traefik.syntax import TraefikSyntax

# Traefik loads changes every two seconds at most (`providersThrottleDuration`).
PATIENCE: Final = 30.0  # seconds; a small machine that is busy may take ten
STEP: Final = 0.02


class TraefikReader(Value):
    """A Traefik that notices changes of its files by itself.

    Traefik has no check of its own, so a new file is parsed before it takes the old one's place.
    """

    options: TraefikOptions
    syntax: TraefikSyntax

    @property
    def is_told(self) -> bool:
        """Whether anything is done once new content is in place: a command, or asking the API."""
        return self.options.api is not None or self._commands.is_told

    @property
    def is_startable(self) -> bool:
        """Always false: it starts without the file, too."""
        return False

    @property
    def _commands(self) -> Commands:
        return Commands(self.options.check, self.options.reload)

    @property
    def waits(self) -> bool:
        """Always false: it watches its folder."""
        return False

    def objection_to(self, draft: str) -> str:
        """Return why Traefik would refuse a new file, or the error of the check."""
        from pathlib import Path

        try:
            definitions(Path(draft).read_text(), self.syntax)
        except (Unfit, UnicodeDecodeError) as error:
            return f"Traefik would not take it: {error}"
        return self._commands.objection_to(draft) if checks_drafts(self.options.check) else ""

    def objection(self) -> str:
        """Return the error of the check with the file in place."""
        return self._commands.objection()

    def take_notice(self) -> str:
        """Run the reload, if there is one, and wait until Traefik uses the file."""
        failure = self._commands.take_notice()
        if failure or self.options.api is None:
            return failure
        try:
            return self._followed(Api(self.options.api), self._expected())
        except (BackendError, Unfit) as error:
            return str(error)

    def _expected(self) -> Mapping[MiddlewareKind, Definition] | None:
        """Return the definitions in the file; None when there is no file."""
        try:
            return definitions(self.options.path.read_text(), self.syntax)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendError(f"{self.options.path} cannot be read: {error.strerror}") from error

    def _followed(self, api: Api, expected: Mapping[MiddlewareKind, Definition] | None) -> str:
        """Wait until the API shows the expected definitions; else return the difference.

        Raises:
            BackendError: It is no API of Traefik, or Traefik refuses the new file.
        """
        deadline = time.monotonic() + PATIENCE
        while lacking := self._lacking(api, expected):
            if time.monotonic() > deadline:
                return f"{lacking} after {PATIENCE:g} s"
            time.sleep(STEP)
        return ""

    def _lacking(self, api: Api, expected: Mapping[MiddlewareKind, Definition] | None) -> str:
        try:
            differences = (
                self._difference(api, kind, None if expected is None else expected[kind])
                for kind in self.syntax.kinds
            )
            return next(filter(None, differences), "")
        except ApiUnreachable as error:
            # A stopped one reads the file when it starts.
            return "" if self._is_stopped() else str(error)
        except NoAnswer as error:
            return str(error)

    def _difference(self, api: Api, kind: MiddlewareKind, expected: Definition | None) -> str:
        """Return how one middleware differs from the expected one; empty when it does not."""
        found, name = api.middleware(kind, self.syntax.name), f"{self.syntax.name}@file"
        if found is None:
            return "" if expected is None else f"Traefik does not know the middleware {name}"
        if expected is None:
            return f"Traefik still has the middleware {name}"
        if found.definition != expected:
            return f"Traefik uses {_other(found.definition, expected)} in the middleware {name}"
        if found.errors:
            raise BackendError(f"Traefik refuses the middleware {name}: {found.errors[0][:200]}")
        return ""

    def _is_stopped(self) -> bool:
        """Whether Traefik is stopped. Where its unit is not configured, a silent API means that."""
        running = self.options.known_running
        return running is None or running.state() is State.STOPPED

    def findings(self, path: Path) -> Sequence[Finding]:
        """Check that Traefik runs, sees the file, and has routers that use the middleware."""
        from allowsync_backends.traefik.check import findings

        running = self.options.known_running
        return (
            *missing_programs(self.options.check, self.options.reload),
            *(() if running is None else running.findings(path)),
            *findings(self.options, self.syntax, path),
        )

    def trusted_proxies(self, path: Path) -> TrustedProxies | None:  # noqa: ARG002 - by the API
        """Return the trusted proxies where the middleware is used."""
        from allowsync_backends.traefik.proxies import believed

        return believed(self.options, self.syntax)


def _other(found: Definition, expected: Definition) -> str:
    return "other settings" if found.ranges == expected.ranges else "other networks"
