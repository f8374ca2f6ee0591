"""The path of a packet from an address to a port of this machine, found by sending packets.

The machine's packet filter is copied into network namespaces of a process of its own, and packets
are sent through the copy. Import this late: only callers that ask need it.
"""

from allowsync.packetpath.client import ask
from allowsync.packetpath.question import Aim, Answer, Answers, Machine, PacketVerdict, Question

__all__ = ["Aim", "Answer", "Answers", "Machine", "PacketVerdict", "Question", "ask"]
