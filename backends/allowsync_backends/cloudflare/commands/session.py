"""A command's session on an account: queries, changes, and the report of both."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from allowsync.cli.common import Invocation, agreed, common, echo_json
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import NoReturn

    from allowsync.config.settings import Target
    from allowsync.text import Line
    from allowsync_backends.cloudflare.client import CloudflareClient
    from allowsync_backends.cloudflare.commands.access import Access, AccessOptions
    from allowsync_backends.cloudflare.errors import CloudflareError
    from allowsync_backends.cloudflare.values import AccountList

F = TypeVar("F", bound="Callable[..., Any]")


class Work(Value):
    """One command, on one account.

    Attributes:
        invocation: The options of every command.
        schema: The schema name of this command's document.
        access: The account.
    """

    invocation: Invocation
    schema: str
    access: Access

    def stop(self, code: ExitCode, where: str, *what: str) -> NoReturn:
        """Print the reason, and end with that exit code."""
        self.stop_at(code, [Notice(where, one) for one in what])

    def stop_at(self, code: ExitCode, notices: Iterable[Notice]) -> NoReturn:
        """Print reasons for several places, and end with that exit code."""
        self.invocation.stop(self.schema, code, notices)

    @contextmanager
    def asking(self) -> Iterator[CloudflareClient]:
        """Yield a read-only client. A failure ends the command with exit code 1."""
        with self._told(), _connected(self.access) as client:
            yield client

    @contextmanager
    def changing(self, place: str) -> Iterator[CloudflareClient]:
        """Yield a client that may change something, exclusively among this machine's processes.

        Args:
            place: The changed object, in words.
        """
        from allowsync_backends.cloudflare.account_lock import one_writer

        with (
            self._told(place),
            _connected(self.access) as client,
            one_writer(self.access.options.account_id, client.transport.budget),
        ):
            yield client

    def found(self, client: CloudflareClient, name: str) -> AccountList:
        """Return the list of that name, of addresses. Without one the command ends."""
        from allowsync.config.errors import known_names, suggestion
        from allowsync.text import quote

        lists = client.lists()
        one = next((one for one in lists if one.name == name), None)
        if one is None:
            names = [one.name for one in lists]
            hint = suggestion(name, names) or known_names(names, "its lists")
            self.stop(
                ExitCode.USAGE, "command line", f"the account has no list {quote(name)}{hint}"
            )
        return self.of_addresses(one)

    def of_addresses(self, one: AccountList) -> AccountList:
        """Return a list, if it is one of addresses. Otherwise the command ends."""
        from allowsync_backends.cloudflare.values import ListKind

        if one.kind is not ListKind.IP:
            what = f"the list {one.name!r} holds {one.kind.value} items, not addresses"
            self.stop(ExitCode.USAGE, "command line", what)
        return one

    def confirm(self, question: str, lines: Iterable[Line] = (), *, yes: bool) -> None:
        """Ask, unless the answer is given. Without a terminal to ask at, the command ends."""
        if yes:
            return
        if not sys.stdin.isatty():
            what = f"would ask: {question} Without a terminal for the question, pass --yes"
            self.stop(ExitCode.USAGE, "command line", what)
        self.invocation.echo(lines, err=True)
        agreed(question)

    def tell(self, lines: Iterable[Line], document: dict[str, Any]) -> int:
        """Print the result, as text or as one document."""
        if self.invocation.json:
            full = {"schema": self.schema, "exit_code": 0, **document, "problems": []}
            echo_json(full)
        elif not self.invocation.quiet:
            self.invocation.echo(lines)
        return int(ExitCode.IN_STEP)

    @contextmanager
    def _told(self, place: str = "") -> Iterator[None]:
        from allowsync_backends.cloudflare.errors import AccountBusy, CloudflareError

        try:
            yield
        except AccountBusy as error:
            self.stop(ExitCode.BUSY, self._account, str(error))
        except CloudflareError as error:
            self.stop(
                ExitCode.FAILED,
                self._account,
                _said(error, place, self.access.options.token_origin),
            )

    @property
    def _account(self) -> str:
        return f"account {self.access.options.account_id}"


def _said(error: CloudflareError, place: str, kept: str) -> str:
    from allowsync_backends.cloudflare.error_messages import unconfirmed, what_happened

    if place and unconfirmed(error):
        return f"could not confirm the change of {place}; it may be old or new: {error}"
    if place and error.call.method != "GET":
        return f"{place} was not changed, or only in part: {what_happened(error, kept)}"
    return what_happened(error, kept)


@contextmanager
def _connected(access: Access) -> Iterator[CloudflareClient]:
    from allowsync_backends.cloudflare.client import connect

    options = access.options
    with connect(options.api_url, options.token, options.account_id) as client:
        yield client


def on_account(schema: str) -> Callable[[F], F]:
    """Give a command the options of all commands and those that name an account.

    It is called with a `Work` before its own options.

    Args:
        schema: The schema name of its document.
    """

    def decorated(command: F) -> F:
        @_account_options
        @common
        @functools.wraps(command)
        def with_work(
            invocation: Invocation,
            target: str | None,
            account_id: str | None,
            token_file: str | None,
            token_env: str | None,
            api_url: str | None,
            **options: Any,
        ) -> Any:
            from allowsync_backends.cloudflare.commands.access import AccessOptions

            asked = AccessOptions(target, account_id, token_file, token_env, api_url)
            work = Work(invocation, schema, _access(invocation, schema, asked))
            return command(work, **options)

        return with_work  # type: ignore[return-value]

    return decorated


def _account_options(command: F) -> F:
    options = (
        click.option(
            "--target",
            metavar="NAME",
            help="The configured target to take account and token from: jellyfin/cloudflare.",
        ),
        click.option("--account-id", metavar="ID", help="The account, if no target names it."),
        click.option("--token-file", metavar="PATH", help="A file that holds the API token."),
        click.option("--token-env", metavar="NAME", help="Instead: an environment variable."),
        click.option("--api-url", metavar="URL", help="The URL of the API."),
    )
    for one in reversed(options):
        command = one(command)
    return command


def _access(invocation: Invocation, schema: str, asked: AccessOptions) -> Access:
    from allowsync_backends.cloudflare.commands.access import NoAccessError, access

    targets = _targets(invocation, schema, asked)
    try:
        return access(asked, targets, os.environ)
    except NoAccessError as error:
        invocation.stop(schema, ExitCode.USAGE, error.notices)


def _targets(invocation: Invocation, schema: str, asked: AccessOptions) -> tuple[Target, ...]:
    """Return the configured targets. Where the command line is complete, they may be missing."""
    from allowsync.config import ConfigError, load
    from allowsync.text import Line

    if not asked.complete or invocation.config is not None:
        return invocation.load(schema).targets
    if not invocation.place.exists():
        return ()
    try:
        return load(invocation.place, environ=os.environ, uid=os.geteuid()).targets
    except ConfigError as error:
        what = f"{error.problems[0]}: so it is not known what belongs to targets of this machine"
        invocation.echo([Line(what, "yellow")], err=True)
        return ()
