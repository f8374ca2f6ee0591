"""`allowsync resolve`: the present answers of each nameserver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from allowsync.cli.common import Invocation, choose, common, echo_json, instant
from allowsync.cli.completion_values import hosts as complete
from allowsync.model.outcome import ExitCode, Notice, worst
from allowsync.model.value import Value, replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from allowsync.config.settings import Config
    from allowsync.dns.process import ResolverProcess
    from allowsync.inspect.diagnostics import Located, NameserverAnswers
    from allowsync.model.types import Host
    from allowsync.policy.published import SourceRecord
    from allowsync.text import Line

SCHEMA = "allowsync.resolve/1"


@click.command()
@click.argument("hosts", nargs=-1, metavar="[HOST|HOSTNAME]...", shell_complete=complete)
@common
def resolve(invocation: Invocation, hosts: tuple[str, ...]) -> int:
    """Show what each nameserver answers now, and what allowsync would make of it.

    HOST is a label of the configuration; without any, all are asked. HOSTNAME is any name, such as
    alice.duckdns.org, whether the configuration has it or not. Changes nothing. Exit code 3 if some
    host got no usable answer from any nameserver.
    """
    from allowsync.dns.process import ResolverProcess

    with ResolverProcess() as dns:
        dns.start()
        return _resolved(invocation, hosts, dns)


def _resolved(invocation: Invocation, hosts: tuple[str, ...], dns: ResolverProcess) -> int:
    from allowsync.engine.published import ask_all, known
    from allowsync.inspect.diagnostics import heard
    from allowsync.text import Line

    config = invocation.load(SCHEMA)
    asked = _asked(invocation, config, hosts)
    queries = dict.fromkeys(query for host in asked for query in host.queries)
    answers = dns.use(config.resolver, len(config.hosts)).survey(queries) if queries else {}
    found = list(heard(asked, answers, known(config).proxies))
    mine = replace(config, hosts={host.name: host for host in asked}, allowlists={})
    sources = _Sources(mine, ask_all(mine, instant()))
    doubts = _doubts(config, [host.name for host in asked])
    code = worst((_code(found), sources.code))
    if invocation.json:
        echo_json({**_document(found, doubts, code), "sources": sources.documents()})
    else:
        told = [Line(str(one), "yellow") for one in doubts]
        invocation.echo([*_lines(found), *sources.lines(), *_unasked(asked), *told])
    return int(code)


def _unasked(hosts: list[Host]) -> Iterator[Line]:
    """The hosts that have fixed networks alone."""
    from allowsync.text import Line

    for host in hosts:
        if not host.queries and not host.sources:
            yield Line(f"{host.name}: it has fixed networks alone; there is nothing to resolve")


def _asked(invocation: Invocation, config: Config, given: tuple[str, ...]) -> list[Host]:
    """The hosts given by label or hostname; without any, all.

    Raises:
        Stop: An argument is neither; reported with a suggestion, exit code 2.
    """
    from allowsync.setup.answers import is_address

    named = {one: _by_hostname(config, one) for one in given if one not in config.hosts}
    unknown = tuple(one for one, found in named.items() if not found)
    for one in filter(is_address, unknown):
        what = f"{one} is an address, not a name; whether it is allowed: allowsync explain {one}"
        invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
    choose(invocation, SCHEMA, unknown, config.hosts, "host")
    labelled = [host for name, host in config.hosts.items() if not given or name in given]
    return [*labelled, *(host for found in named.values() for host in found)]


def _by_hostname(config: Config, written: str) -> list[Host]:
    """Each host with this hostname, reduced to it; a new one if no host has it."""
    from allowsync.config.hostnames import Hostname
    from allowsync.config.schema.kind import UnfitError
    from allowsync.config.schema.nodes import Scalar, ScalarType
    from allowsync.model.types import Host

    try:
        name = Hostname().read(Scalar(written, ScalarType.TEXT, 0))
    except UnfitError:
        return []
    having = [one for one in config.hosts.values() if name in one.hostnames]
    if not having:
        return [Host(name, (name,), policy=config.policy)]
    return [replace(one, hostnames=(name,), networks=(), sources=()) for one in having]


class _Sources(Value):
    """The answers of the sources of networks that hosts name."""

    config: Config
    asked: Mapping[str, SourceRecord]

    @property
    def code(self) -> ExitCode:
        """The exit code: 3 if a source gave no usable answer."""
        silent = any(one.trouble for one in self.asked.values())
        return ExitCode.OLD_KNOWLEDGE if silent else ExitCode.IN_STEP

    def lines(self) -> Iterator[Line]:
        from allowsync.policy.published import said_of
        from allowsync.text import Line

        for host in self.config.hosts.values():
            for name in host.sources:
                kept = self.asked[name]
                yield Line(f"{host.name}  {name}")
                yield Line(f"    {kept.url:<24}  {said_of(kept)}", "yellow" if kept.trouble else "")

    def documents(self) -> list[dict[str, Any]]:
        return [
            {
                "source": name,
                "url": kept.url,
                "networks": [str(network) for network in kept.networks],
                "reason": kept.trouble or None,
            }
            for name, kept in self.asked.items()
        ]


def _doubts(config: Config, names: Collection[str]) -> list[Located]:
    """The networks retained by guards in the last run; empty without a readable state."""
    from allowsync.inspect.diagnostics import about_memory
    from allowsync.policy.clock import at_rest
    from allowsync.state import StateError, Store

    try:
        with Store.reading(config.state) as store:
            still = at_rest(store.chronology(), instant())
            told = about_memory(config, store.hosts(), still)
            return [one for one in told if one.where in names]
    except StateError:
        return []


def _code(found: list[NameserverAnswers]) -> ExitCode:
    """The exit code: 3 if a host has no address, and its absence is not proved."""
    from allowsync.model.answer import Absent, Found

    said = [(one.host, judged.answer) for one in found for judged in one.answers.values()]
    seen = {host for host, answer in said if isinstance(answer, Found)}
    silent = {host for host, answer in said if not isinstance(answer, Found | Absent)} - seen
    return ExitCode.OLD_KNOWLEDGE if silent else ExitCode.IN_STEP


def _lines(found: list[NameserverAnswers]) -> Iterator[Line]:
    from allowsync.inspect.diagnostics import believed
    from allowsync.text import Line

    for one in found:
        yield Line(f"{one.host}  {one.query.hostname}  {one.query.family.value}")
        for server, judged in one.answers.items():
            yield Line(f"    {server:<24}  {believed(judged)}")
            for rejected in judged.rejected:
                yield Line(f"      {rejected.address} rejected: {rejected.reason}", "yellow")


def _document(
    found: list[NameserverAnswers], doubts: list[Located], code: ExitCode
) -> dict[str, Any]:
    from allowsync.report.json import query_document

    return {
        "schema": SCHEMA,
        "exit_code": int(code),
        "answers": [
            {"host": one.host, "nameserver": server, **query_document(judged)}
            for one in found
            for server, judged in one.answers.items()
        ],
        "held_back": [{"host": one.where, "what": one.finding.what} for one in doubts],
        "problems": [],
    }
