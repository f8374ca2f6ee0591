"""The keys of the configuration besides hosts and allowlists, each with its kind and help."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from allowsync.config.channel_kinds import CHANNEL, HEARTBEAT
from allowsync.config.fleet import Fleet
from allowsync.config.hosts_from import HostsFrom
from allowsync.config.kinds import (
    AbsolutePath,
    Boolean,
    Choice,
    Duration,
    Integer,
    ListOf,
    Number,
    Optional,
)
from allowsync.config.list_kinds import lists_kind
from allowsync.config.nameservers import NameserverKind
from allowsync.config.networks import AcceptedNetwork
from allowsync.config.schema.object import Object, Option, plain_options
from allowsync.config.source_kinds import Sources
from allowsync.model.nameserver import Dnssec, ResolverSettings
from allowsync.model.types import Limits, Policy

if TYPE_CHECKING:
    from allowsync.config.schema.object import Options

_TEN_YEARS: Final = timedelta(days=3650)
_MANY: Final = 1_000_000

POLICY_OPTIONS: Final[Options] = plain_options(
    Policy,
    {
        "keep_unavailable": Option(
            Duration(longest=_TEN_YEARS),
            "The DNS could not say: keep the last good addresses this long.",
        ),
        "keep_absent": Option(
            Duration(longest=_TEN_YEARS),
            "The DNS says there is no address: keep the last good ones at least this long.",
        ),
        "absent_runs": Option(
            Integer(1, _MANY),
            "The same, counted in runs in a row: both must be over before anything goes.",
        ),
        "keep_replaced": Option(
            Duration(longest=_TEN_YEARS),
            "An address that was replaced by another stays at least this long.",
        ),
        "replaced_runs": Option(
            Integer(1, _MANY), "The same, counted in runs: both must be over before it goes."
        ),
        "latch_absent": Option(
            Duration(longest=_TEN_YEARS),
            "Absent longer than this: `allowsync approve HOST` before the name is trusted again.",
        ),
        "max_addresses": Option(
            Integer(1, 1000),
            "Per family. An answer with more addresses is rejected.",
        ),
        "guard_window": Option(
            Duration(zero=False, longest=_TEN_YEARS),
            "How long the guards remember which networks came, from whom, and what they refused.",
        ),
        "max_sharing": Option(
            Integer(1, _MANY),
            "An address no host held before, given by more hosts than this within guard_window, "
            "is not believed.",
        ),
        "max_moves": Option(
            Integer(1, _MANY),
            "New addresses per host and day. Beyond that a new one is held back and reported.",
        ),
        "canary": Option(
            Boolean(),
            "Before a new address is granted, ask for a random sibling of the name: a wildcard or "
            "a hijack answers that too.",
        ),
        "accept": Option(
            ListOf(AcceptedNetwork(), unique=True),
            "Networks whose addresses are granted although they are special: a LAN, a tailnet.",
        ),
    },
)
POLICY: Final = Object(Policy, POLICY_OPTIONS)

LIMITS: Final = Object(
    Limits,
    plain_options(
        Limits,
        {
            "max_remove_hosts": Option(
                Number(0, 1),
                "A run may take access from at most this share of an allowlist's hosts.",
            ),
            "always_allow_hosts": Option(
                Integer(0, _MANY),
                "A run may always take access from this many hosts, whatever their share.",
            ),
            "allow_empty": Option(Boolean(), "Whether a run may empty an allowlist."),
        },
    ),
)

RESOLVER: Final = Object(
    ResolverSettings,
    plain_options(
        ResolverSettings,
        {
            "nameservers": Option(
                ListOf(NameserverKind(), unique=True),
                "Who is asked; empty means the system's. `192.0.2.53`, `192.0.2.53:5353`, "
                "`[2001:db8::53]:5353`, `tls://ADDRESS#NAME` with the name of its certificate, "
                "or `tls://ADDRESS` for one that holds the address (RFC 7858), `https://HOST/PATH` "
                "(RFC 8484; extra `doh`).",
            ),
            "agreement": Option(
                Integer(1, 100),
                "How many of the nameservers must give an address before a new one is granted.",
            ),
            "dnssec": Option(
                Choice(Dnssec),
                "`require`: an answer without the AD bit from a trusted resolver is no answer.",
            ),
            "timeout": Option(
                Duration(zero=False, longest=timedelta(minutes=5)),
                "For one question to one server.",
            ),
            "attempts": Option(Integer(1, 20), "Over all servers, with growing pauses."),
            "deadline": Option(
                Duration(zero=False, longest=timedelta(hours=1)),
                "For all names of a run.",
            ),
        },
    ),
)

# The top-level keys that are no sections.
SINGLE_OPTIONS: Final[Options] = {
    "state": Option(
        Optional(AbsolutePath("the path of a file")),
        "The database that remembers addresses and history. Default: "
        "`/var/lib/allowsync/state.db`; without root `$XDG_STATE_HOME/allowsync/state.db`.",
        None,
    ),
    "hosts_from": Option(
        Optional(Object(HostsFrom)),
        "A file that another program keeps hosts in, by the thousand: "
        "`hosts_from: {jsonlines: customers.jsonl}`.",
        None,
    ),
    "notify": Option(
        ListOf(CHANNEL), "Notification channels (Apprise URLs). Each event is sent once.", ()
    ),
    "heartbeat": Option(
        Optional(HEARTBEAT),
        "Pinged at the end of every run (conventions of Healthchecks and Uptime Kuma).",
        None,
    ),
    "metrics": Option(
        Optional(AbsolutePath("the path of a file", suffix=".prom")),
        "A file for the textfile collector of Prometheus' node_exporter.",
        None,
    ),
    "history": Option(
        Duration(zero=False, longest=_TEN_YEARS),
        "How long the history is kept that `history` and `explain --at` tell of.",
        timedelta(days=400),
    ),
    "sources": Option(
        Sources(),
        "How a source that hosts name among their `networks` is asked, where it is not asked as "
        "usual: `sources: {cloudflare: {url: https://…}}`.",
        {},
    ),
    "fleet": Option(
        Optional(Object(Fleet)),
        "Machines that share decisions: one resolves and decides, the others follow "
        "(docs/fleet.md).",
        None,
    ),
    "lists": Option(
        lists_kind(),
        "Lists of networks that others keep, for `lists` of hosts and denylists. "
        "`lists: {office: {file: office.txt}}`; docs/lists.md tells what becomes of them.",
        {},
    ),
    "report": Option(
        Optional(AbsolutePath("the path of a file", suffix=".html")),
        "A page that says who has access where, rewritten after every run (see "
        "`allowsync status --html`).",
        None,
    ),
}
