"""`allowsync status`: who is allowed where."""

from __future__ import annotations

import click

from allowsync.cli.common import Invocation, common, echo_json, instant


@click.command()
@common
def status(invocation: Invocation) -> int:
    """Who is allowed where, by which addresses, since when, until when, how fresh.

    Asks no DNS and writes nothing. Exit code 1 if a target cannot be read or is out of step, 3 if
    some host rests on old knowledge.
    """
    from allowsync.standing import look

    standing = look(invocation.load("allowsync.status/1"), instant())
    code = standing.exit_code
    if invocation.json:
        from allowsync.report.document import status_document

        echo_json(status_document(standing, code))
        return int(code)
    from allowsync.report.text import status_lines, status_warnings

    if not invocation.quiet:
        invocation.echo(status_lines(standing))
    invocation.echo(status_warnings(standing), err=True)
    return int(code)
