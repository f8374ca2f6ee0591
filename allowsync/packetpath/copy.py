"""A copy of a machine's packet filter, in network namespaces that only this process holds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from allowsync.packetpath import legacy, links, nftables, routing
from allowsync.packetpath.isolation import enter, new_network, prepare
from allowsync.packetpath.netlink import NETFILTER, ROUTE, Netlink
from allowsync.packetpath.outside import Outside
from allowsync.packetpath.question import PacketsUnavailable
from allowsync.packetpath.trace import legacy_traces
from allowsync.packetpath.unlimited import unlimited

if TYPE_CHECKING:
    from allowsync.packetpath.isolation import Tools
    from allowsync.packetpath.original import Original
    from allowsync.packetpath.trace import TraceEvent

TABLE: Final = "allowsync_packetpath"
_TRACE_GROUP: Final = 1 << 8  # NFNLGRP_NFTRACE

# The first chain a packet meets turns tracing on; one that reaches a last chain has passed.
# The copy's own packets are traced as well: a rule may stop the answer.
_TRACED: Final = """table netdev {table} {{
 chain begin {{
  type filter hook ingress devices = {{ {devices} }} priority -2147483648; meta nftrace set 1
 }}
}}
table inet {table} {{
 chain input {{ type filter hook input priority 2147483646; accept; }}
 chain output {{ type filter hook output priority -2147483648; meta nftrace set 1; }}
 chain forward {{ type filter hook forward priority 2147483646; accept; }}
 chain postrouting {{ type filter hook postrouting priority 2147483646; accept; }}
}}
"""


def has_passed(told: TraceEvent) -> bool:
    """Whether a packet has passed the machine's last rule."""
    return told.table == TABLE and told.chain in ("input", "postrouting")


class Copy:
    """The copy, entered; packets sent into its cables from outside meet the machine's rules.

    Attributes:
        original: The machine copied.
        cables: Its interfaces.
        network: The file that holds its network namespace.
        traces: The socket of nftables' trace events.
        legacy_traces: The same for iptables-legacy, where there is any.
        outside: The other ends of its cables.

    Raises:
        PacketsUnavailable: A part cannot be copied.
    """

    def __init__(self, original: Original, tools: Tools) -> None:
        self.original, self.tools = original, tools
        refused: list[str] = []
        prepare()
        outside = new_network()
        routing.write_setting("ipv6/conf/default/disable_ipv6", "1")
        self.network = new_network()
        routing.be_silent()
        self.cables = links.lay(original, outside, self.network, refused)
        self._lit: set[int] = set()
        self._is_settled = False
        enter(outside)
        self.outside = Outside(outside)
        enter(self.network)
        for index, link in self.cables.ends.items():
            if link.is_running or index in original.uplinks:
                self.light(index)
        routing.settle(original, self.cables, refused)
        enter(outside)
        for index in self._lit:
            if self.cables.ends[index].is_up:
                links.await_carrier(self.cables.outer[index])
        enter(self.network)
        refused += legacy.load_sets(original.sets, tools)
        refused += nftables.load(unlimited(original.ruleset))
        refused += legacy.load_tables(original.tables, tools)
        refused += legacy.load_recent(original.recent)
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise PacketsUnavailable(f"a part could not be copied: {refused[0]}{more}")
        self._is_settled = True
        for index in sorted(self._lit):
            self._await_bridge(index)
        self.traces = Netlink(NETFILTER, _TRACE_GROUP, blocking=False)
        self.legacy_traces = legacy_traces() if original.tables else None
        self._watch()

    def _watch(self) -> None:
        """Install the copy's own chains."""
        devices = ", ".join(f'"{one.name}"' for one in self.cables.ends.values())
        if not devices:
            raise PacketsUnavailable("there is no interface that packets could arrive at")
        legacy.trace(self.original.tables, self.tools)
        self.tools.run("nft", "-f", "-", feed=_TRACED.format(devices=devices, table=TABLE))

    def clear(self) -> None:
        """Remove all rules, for probes without any: the last thing to do."""
        self.tools.run("nft", "flush", "ruleset")
        for version, saved in self.original.tables.items():
            legacy.empty(version, saved, self.tools)
        self._watch()

    def light(self, index: int) -> None:
        """Give an interface its carrier, if it has none."""
        if index in self._lit:
            return
        enter(self.outside.network)
        netlink = Netlink(ROUTE)
        links.switch_on(netlink, self.cables.outer[index])
        netlink.close()
        enter(self.network)
        self._lit.add(index)
        if self._is_settled:
            if self.cables.ends[index].is_up:
                links.await_carrier(index)
            self._await_bridge(index)

    def _await_bridge(self, index: int) -> None:
        """Wait for the bridge that an interface is a port of: its forwarding starts later."""
        link = self.cables.ends[index]
        bridge = self.original.links.get(link.master)
        if link.master in self.cables.bridges and link.is_up and bridge and bridge.is_up:
            links.await_bridge(link.master, index)

    def close(self) -> None:
        """Close the namespaces; the end of the process does the same."""
        for one in (self.outside.network, self.network):
            os.close(one)
