"""`allowsync fleet split`: a fleet out of a single machine's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from allowsync.cli.common import Invocation, common, echo_json
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.value import Value
from allowsync.text import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.setup.fleet_split import FleetHalves
    from allowsync.setup.replacement import ConfigFile

SCHEMA = "allowsync.fleet.split/1"

_KEY = "/etc/allowsync/signing.key"
_PASSWORD = "/etc/allowsync/etcd.password"  # noqa: S105 - a path, not a password


class StoreChoice(Value):
    """The store of the documents, as given.

    Attributes:
        store: A folder of the machine that decides; None with etcd.
        url: The URL of that folder for other machines; None: they read the same folder.
        etcd: The members' URLs.
        ca: The file of certificate authorities that servers are checked against.
    """

    store: Path | None
    url: str | None
    etcd: tuple[str, ...]
    ca: Path | None

    @property
    def misuse(self) -> str:
        """The reason why it is invalid; empty if it is valid."""
        if (self.store is None) is (not self.etcd):
            return "expected one of --store and --etcd"
        if self.url is not None and self.etcd:
            return "--url needs --store"
        return ""

    @property
    def publisher(self) -> dict[str, Any]:
        """The store of the machine that decides."""
        return {"file": str(self.store)} if self.store is not None else self._etcd("resolver")

    @property
    def follower(self) -> dict[str, Any]:
        """The store of every other machine."""
        if self.url is not None:
            return {"https": {"url": self.url, **self._authority}}
        return self.publisher if self.store is not None else self._etcd("applier")

    def _etcd(self, role: str) -> dict[str, Any]:
        user = {"user": f"allowsync-{role}", "password_file": _PASSWORD}
        return {"etcd": {"endpoints": list(self.etcd), **self._authority, **user}}

    @property
    def _authority(self) -> dict[str, str]:
        return {} if self.ca is None else {"ca": str(self.ca)}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The name of the fleet.")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Decisions are files of this folder.",
)
@click.option("--url", metavar="URL", help="Where other machines read that folder, by HTTPS.")
@click.option("--etcd", multiple=True, metavar="URL", help="Instead: a member of etcd; repeatable.")
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The certificates that those servers' are held to.",
)
@common
def split(
    invocation: Invocation,
    folder: Path,
    name: str,
    store: Path | None,
    url: str | None,
    etcd: tuple[str, ...],
    ca: Path | None,
) -> int:
    """Make a fleet out of this machine's configuration.

    Writes into FOLDER, which must not be there yet: publisher.yaml, for the machine that decides
    from now on; follower.yaml, for each other, with the same lists and targets and without hosts;
    and signing.key, for the first of them alone. The configuration of this machine stays as it is.
    """
    from allowsync.config.installed import lacking_for_fleet
    from allowsync.fleet.envelope import new_signing_key, public_key_of
    from allowsync.setup.replacement import NotReplaced, editing
    from allowsync.setup.text_edit import UneditableError

    choice = StoreChoice(store, url, etcd, ca)
    if choice.misuse:
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("fleet split", choice.misuse)])
    if why := lacking_for_fleet():
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice("fleet", why)])
    config = invocation.load(SCHEMA)
    private = new_signing_key()
    public = public_key_of(private)
    try:
        with editing(config.path, write=False) as found:
            halves = _halves(found, choice, name, public)
    except (NotReplaced, UneditableError) as error:
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice(str(config.path), str(error))])
    _validate(invocation, found, halves)
    try:
        _write(folder, halves, private)
    except OSError as error:
        what = f"not written: {error.strerror}; name a folder that is not there yet"
        invocation.stop(SCHEMA, ExitCode.FAILED, [Notice(str(folder), what)])
    steps = list(_steps(folder, choice))
    if invocation.json:
        told = {"folder": str(folder), "public": public, "next": steps, "problems": []}
        echo_json({"schema": SCHEMA, "exit_code": 0, **told})
    else:
        said = f"{folder}: publisher.yaml, follower.yaml and signing.key are written; next:"
        numbered = (Line(f"{number}. {one}") for number, one in enumerate(steps, 1))
        invocation.echo([Line(said), *numbered])
    return 0


def _halves(found: ConfigFile, choice: StoreChoice, name: str, public: str) -> FleetHalves:
    from allowsync.setup.fleet_split import split as halves_of

    keys = {"keys": [public]}
    return halves_of(
        found.text,
        {"name": name, "store": choice.publisher, **keys, "signing_key_file": _KEY},
        {"name": name, "store": choice.follower, **keys},
    )


def _validate(invocation: Invocation, found: ConfigFile, halves: FleetHalves) -> None:
    """Stop if a half is not valid as a configuration."""
    from allowsync.config.errors import ConfigError
    from allowsync.setup.replacement import validated

    for half in (halves.publisher, halves.follower):
        try:
            validated(found, half, None)
        except ConfigError as error:
            problems = [Notice(one.where, one.what) for one in error.problems]
            invocation.stop(SCHEMA, ExitCode.USAGE, problems)


def _write(folder: Path, halves: FleetHalves, private: str) -> None:
    """Write the files of the fleet. Raises OSError: the folder exists, or cannot be made."""
    folder.mkdir(mode=0o700)
    for name, content in (
        ("publisher.yaml", halves.publisher),
        ("follower.yaml", halves.follower),
        ("signing.key", f"{private}\n"),
    ):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(folder / name, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(content)


def _steps(folder: Path, choice: StoreChoice) -> Iterator[str]:
    """The remaining steps, in order."""
    if choice.etcd:
        yield (
            "etcd: make the users allowsync-resolver and allowsync-applier "
            f"(examples/fleet/etcd-users.sh), each machine with its password in {_PASSWORD}"
        )
    yield (
        f"the machine that decides: {folder}/signing.key as {_KEY} (mode 0600), "
        f"{folder}/publisher.yaml as its configuration; then: allowsync check; allowsync apply; "
        "allowsync schedule install"
    )
    if choice.url is not None:
        yield f"serve {choice.store} as {choice.url}"
    elif choice.store is not None:
        yield f"carry {choice.store} to each other machine (a mount, rsync), or serve it: --url"
    yield (
        f"each other machine: {folder}/follower.yaml as its configuration; then: "
        "allowsync apply --dry-run; allowsync apply; allowsync schedule install"
    )
    yield f"delete {folder}/signing.key: the machine that decides alone has it"
