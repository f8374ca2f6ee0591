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
            "No usable answer (timeout, SERVFAIL, REFUSED): keep the last known addresses this "
            "long.",
        ),
        "keep_absent": Option(
            Duration(longest=_TEN_YEARS),
            "The DNS says there is no address (NXDOMAIN, NODATA): keep the last known addresses "
            "at least this long.",
        ),
        "absent_runs": Option(
            Integer(1, _MANY),
            "The same in consecutive runs: both have to pass before an address is removed.",
        ),
        "keep_replaced": Option(
            Duration(longest=_TEN_YEARS),
            "Keep an address that was replaced by another at least this long.",
        ),
        "replaced_runs": Option(
            Integer(1, _MANY), "The same in runs: both have to pass before it is removed."
        ),
        "latch_absent": Option(
            Duration(longest=_TEN_YEARS),
            "After a longer absence, the name is trusted again only after `allowsync approve "
            "HOST`.",
        ),
        "max_addresses": Option(
            Integer(1, 1000),
            "The most addresses per family; an answer with more is rejected.",
        ),
        "guard_window": Option(
            Duration(zero=False, longest=_TEN_YEARS),
            "How long the guards remember new networks, their hosts, and rejected networks.",
        ),
        "max_sharing": Option(
            Integer(1, _MANY),
            "A new address that more hosts than this have within guard_window is rejected.",
        ),
        "max_moves": Option(
            Integer(1, _MANY),
            "The most new addresses per host and day. Further ones are held back and reported.",
        ),
        "canary": Option(
            Boolean(),
            "Before a new address is granted, query a random sibling of the name, which a "
            "wildcard record or a hijacked resolver answers as well.",
        ),
        "accept": Option(
            ListOf(AcceptedNetwork(), unique=True),
            "Special-purpose networks whose addresses are granted nevertheless: a LAN, a tailnet.",
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
                "The largest share of an allowlist's hosts that may lose access in one run.",
            ),
            "always_allow_hosts": Option(
                Integer(0, _MANY),
                "This many hosts may always lose access in one run, whatever their share.",
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
                "The nameservers to query; empty means the system's. `192.0.2.53`, "
                "`192.0.2.53:5353`, `[2001:db8::53]:5353`, `tls://ADDRESS#NAME` with the name in "
                "its certificate, or `tls://ADDRESS` for a certificate with the address (RFC "
                "7858), `https://HOST/PATH` (RFC 8484; extra `doh`).",
            ),
            "agreement": Option(
                Integer(1, 100),
                "How many of the nameservers must give an address before a new one is granted.",
            ),
            "dnssec": Option(
                Choice(Dnssec),
                "`require`: an answer without the AD bit from a trusted resolver is rejected.",
            ),
            "timeout": Option(
                Duration(zero=False, longest=timedelta(minutes=5)),
                "The timeout of one query to one nameserver.",
            ),
            "attempts": Option(
                Integer(1, 20), "The most attempts for a query, over all nameservers, with backoff."
            ),
            "deadline": Option(
                Duration(zero=False, longest=timedelta(hours=1)),
                "The time limit for all queries of a run.",
            ),
        },
    ),
)

# The top-level keys that are no sections.
SINGLE_OPTIONS: Final[Options] = {
    "state": Option(
        Optional(AbsolutePath("the path of a file")),
        "The state database, with addresses and history. Default: `/var/lib/allowsync/state.db`; "
        "without root `$XDG_STATE_HOME/allowsync/state.db`.",
        None,
    ),
    "hosts_from": Option(
        Optional(Object(HostsFrom)),
        "A file of hosts, up to many thousands, that another program maintains: `hosts_from: "
        "{jsonlines: customers.jsonl}`.",
        None,
    ),
    "notify": Option(
        ListOf(CHANNEL), "Notification channels (Apprise URLs). Each event is sent once.", ()
    ),
    "heartbeat": Option(
        Optional(HEARTBEAT),
        "A URL that is requested after every run (conventions of Healthchecks and Uptime Kuma).",
        None,
    ),
    "metrics": Option(
        Optional(AbsolutePath("the path of a file", suffix=".prom")),
        "A metrics file for the textfile collector of the Prometheus node_exporter.",
        None,
    ),
    "history": Option(
        Duration(zero=False, longest=_TEN_YEARS),
        "How long to keep the history, which `history` and `explain --at` show.",
        timedelta(days=400),
    ),
    "sources": Option(
        Sources(),
        "Other URLs for the sources that hosts name in `networks`: `sources: {cloudflare: {url: "
        "https://…}}`.",
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
        "Lists of networks that others maintain, for `lists` of hosts and denylists: `lists: "
        "{office: {file: office.txt}}` (docs/lists.md).",
        {},
    ),
    "report": Option(
        Optional(AbsolutePath("the path of a file", suffix=".html")),
        "An HTML page with the hosts that have access to each target, rewritten after every run "
        "(see `allowsync status --html`).",
        None,
    ),
}
