"""DNS resolution. Every outcome comes back as an `Answer`, never as an exception.

Method:

* Every question goes out at once, over a few connected UDP sockets, at most 100 in flight per
  nameserver (a stock dnsmasq refuses above 150), re-sent early and with backoff, under one
  deadline. One thread, one `selectors` loop: a lost datagram delays its own question only.
* Spoofing is made hard as RFC 5452 says: random ids and ports, a source checked by the kernel, the
  question compared exactly, its letters in random case where the server echoes them.
* EDNS (RFC 6891) is not used. The answers wanted here are a handful of addresses, which fit in 512
  octets; the rare larger one is truncated and asked for again over TCP. An unsent option cannot be
  refused or dropped by an old server or middlebox.
* A nameserver configured for TLS or HTTPS is never asked in clear text instead. The blocking parts
  of that, connecting or a whole exchange by a library, run in daemon threads.
* All of it runs in a process without rights (`child`). The run starts it, accepts only answers to
  its own questions, and ends it at the deadline (`process`).
"""
