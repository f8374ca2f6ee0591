"""`allowsync apply --dry-run --assume HOST=ANSWER --at TIME`: an outage or a move, rehearsed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.cli.common import Progress, choose, echo_json, instant
from allowsync.dns.process import ResolverProcess
from allowsync.engine.assumption import AssumedDns, Assumption
from allowsync.engine.options import Request
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.outcome import ExitCode, Notice, worst
from allowsync.model.types import Family

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import NoReturn

    from allowsync.cli.apply_arguments import ApplyArguments
    from allowsync.cli.common import Invocation
    from allowsync.config.settings import Config
    from allowsync.model.answer import Answer
    from allowsync.model.types import Host, Query
    from allowsync.plan.result import RunReport

SCHEMA: Final = "allowsync.run/1"
MOST_RUNS: Final = 10_000
USUAL_INTERVAL: Final = timedelta(minutes=5)

_WORDS: Final = "SERVFAIL, REFUSED, TIMEOUT, NXDOMAIN, NODATA, or addresses such as 203.0.113.9"
_TTL: Final = 60


def rehearse_once(wanted: ApplyArguments) -> int:
    """Report the effect of assumed answers, now or by the runs until an instant.

    Args:
        wanted: The arguments of a dry run, with the assumptions and the time of the last run.

    Raises:
        Stop: The configuration is not valid, or an assumption is about an unknown name.
    """
    invocation = wanted.invocation
    with ResolverProcess() as resolver:
        resolver.start()
        config = invocation.load(SCHEMA)
        known = [*config.allowlists, *(one.name for one in config.targets)]
        choose(invocation, SCHEMA, wanted.only, known, "allowlist or target")
        assumptions = [_assumption(invocation, config, one) for one in wanted.assume]
        resolver.use(config.resolver, len(config.hosts))
        names = [str(one) for one in resolver.nameservers] or [""]
        queries = [query for host in config.hosts.values() for query in host.queries]
        dns = AssumedDns(resolver, names, assumptions, queries)
        request = Request(wanted.only, force=wanted.force, dry_run=True)
        if wanted.at is None:
            return _one_run(wanted, config, request, dns, assumptions)
        return _many_runs(wanted, config, request, dns, assumptions, wanted.at)


def _one_run(
    wanted: ApplyArguments,
    config: Config,
    request: Request,
    dns: AssumedDns,
    assumptions: Sequence[Assumption],
) -> int:
    from allowsync.engine.run import run
    from allowsync.report.json import run_document
    from allowsync.report.rehearsal import assumed_document, assumed_lines
    from allowsync.report.text import run_lines, warnings
    from allowsync.system.clock import pulse

    report = run(config, request, dns, pulse())
    code, invocation = _code(wanted, report), wanted.invocation
    if invocation.json:
        echo_json({**run_document(report, code), "assumed": assumed_document(assumptions)})
        return int(code)
    invocation.echo(assumed_lines(assumptions))
    invocation.echo(run_lines(report, every_target=True))
    invocation.echo(warnings(report), err=True)
    return int(code)


def _many_runs(
    wanted: ApplyArguments,
    config: Config,
    request: Request,
    dns: AssumedDns,
    assumptions: Sequence[Assumption],
    ends: datetime,
) -> int:
    from allowsync.engine.rehearsal import count_of, rehearse
    from allowsync.report.rehearsal import assumed_lines, rehearsal_document, rehearsal_lines
    from allowsync.report.text import notices
    from allowsync.system.clock import pulse

    invocation, began = wanted.invocation, pulse()
    interval = _interval(invocation)
    count = count_of(began.wall, ends, interval)
    if count > MOST_RUNS:
        what = f"--at: {count} runs are too many to rehearse; the most is {MOST_RUNS}"
        _refuse(invocation, what)
    progress = Progress("rehearsing", wanted=not invocation.json and not invocation.quiet)
    found = rehearse(config, request, dns, began, ends, interval, progress)
    code = _code(wanted, found.report)
    if invocation.json:
        echo_json(rehearsal_document(found, assumptions, code))
        return int(code)
    invocation.echo(assumed_lines(assumptions))
    invocation.echo(rehearsal_lines(found))
    invocation.echo(notices(found.report), err=True)
    return int(code)


def _code(wanted: ApplyArguments, report: RunReport) -> ExitCode:
    changes = wanted.detailed_exitcode and report.has_changes
    return worst((report.exit_code, ExitCode.CHANGES if changes else ExitCode.IN_STEP))


def _interval(invocation: Invocation) -> timedelta:
    """The interval of the installed schedule; without one, the default."""
    from pathlib import Path

    from allowsync.schedule.facts import schedule_facts
    from allowsync.schedule.files import Disk

    found = schedule_facts(invocation.place.absolute(), Disk(Path("/")), instant())
    return (None if found is None else found.interval) or USUAL_INTERVAL


def _assumption(invocation: Invocation, config: Config, text: str) -> Assumption:
    """The assumption of an argument. Stops if it is invalid."""
    from allowsync.text import quote

    subject, equals, said = text.partition("=")
    by_name: dict[str, list[Query]] = {}
    for host in config.hosts.values():
        for query in host.queries:
            by_name.setdefault(query.hostname, []).append(query)
    for host in config.hosts.values():
        by_name[host.name] = list(host.queries)
    if not equals:
        _refuse(invocation, f"--assume: expected HOST=ANSWER, got {quote(text)}")
    choose(invocation, SCHEMA, (subject,), by_name, "host or hostname")
    if not by_name[subject]:
        what = f"--assume: {subject} has no hostname: its networks do not come from the DNS"
        _refuse(invocation, what)
    if not any(_is_asked_here(host, subject) for host in config.hosts.values()):
        what = f"--assume: another machine asks the DNS for {subject}; assume it there"
        _refuse(invocation, what)
    answers = _answers(said)
    if answers is None:
        _refuse(invocation, f"--assume: {subject}: expected {_WORDS}; got {quote(said)}")
    given = {query: answers[query.family] for query in by_name[subject]}
    return Assumption(subject, said, given)


def _is_asked_here(host: Host, subject: str) -> bool:
    """Whether this machine queries the DNS for a host, given by label or hostname."""
    meant = subject == host.name or any(subject == one.hostname for one in host.queries)
    return meant and not host.followed


def _answers(said: str) -> Mapping[Family, Answer] | None:
    """The answers for a text, by family; a family without addresses is absent."""
    from ipaddress import ip_address

    word = said.strip().upper()
    if word in ("NXDOMAIN", "NODATA"):
        return dict.fromkeys(Family, Absent(word))
    if word in ("SERVFAIL", "REFUSED", "TIMEOUT"):
        return dict.fromkeys(Family, Unavailable("no answer" if word == "TIMEOUT" else word))
    try:
        addresses = {ip_address(one.strip()) for one in said.split(",")}
    except ValueError:
        return None
    found: dict[Family, Answer] = dict.fromkeys(Family, Absent("NODATA"))
    for family in Family:
        mine = sorted((one for one in addresses if Family.of(one) is family), key=int)
        if mine:
            found[family] = Found(tuple(mine), _TTL)
    return found


def _refuse(invocation: Invocation, what: str) -> NoReturn:
    invocation.stop(SCHEMA, ExitCode.USAGE, [Notice("command line", what)])
