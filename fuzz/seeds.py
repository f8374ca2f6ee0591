"""Where fuzzing starts: small inputs that are in order, and pieces that mean something."""

from __future__ import annotations

from typing import Final

_A: Final = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x51\2\x45\1"
_CNAME: Final = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1x\xc0\x0c"
_CONFIGURATION: Final = b"""hosts:
  alice: alice.example.org
  bob: {hostname: [b.example.org, bb.example.org], until: 2027-01-31, ipv6_prefix: 56}
  office: {networks: [81.2.69.0/24, "2a01:4f8::/48"]}
allowlists:
  web: &w {hosts: [alice], targets: [nftables: {ports: [443/tcp], open_interfaces: [lo]}]}
  ssh: {targets: [file: {path: /tmp/x, check: [/bin/true], mode: "0644"}]}
resolver: {nameservers: ["192.0.2.53:5353", "tls://1.1.1.1#one.one.one.one"], timeout: 500ms}
policy: {keep_absent: 1h, max_moves: 0x10, accept: [10.0.0.0/8], canary: true}
limits: {max_remove_hosts: 0.5}
heartbeat: https://example.org/x
"""
_ODD_KEY: Final = (
    b"hosts: {a: a.example.org}\nallowlists: {w: {}}\nresolver: {? [10.0.0.0/8] : 1}\n"
)
_LISTING: Final = (
    b'{"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "allowsync_web"}}, '
    b'{"set": {"name": "ipv4", "type": "ipv4_addr", "flags": ["interval"], "elem": ["81.2.69.1", '
    b'{"prefix": {"addr": "81.2.70.0", "len": 24}}, {"range": ["81.2.71.1", "81.2.71.9"]}, '
    b'{"elem": {"val": "81.2.72.1", "timeout": 5, "comment": "x"}}]}}]}'
)
_IPSET: Final = (
    b"Name: allowsync-web-4\nType: hash:net\nRevision: 7\nHeader: family inet hashsize 1024 "
    b"maxelem 65536 bucketsize 12 initval 0x1\nSize in memory: 600\nReferences: 2\n"
    b"Number of entries: 2\nMembers:\n81.2.69.1\n81.2.70.0/24\n"
)
_IPTABLES: Final = (
    b"-P PREROUTING ACCEPT\n-P INPUT DROP\n-N allowsync-web\n-N x\n"
    b"-A PREROUTING -j allowsync-web\n-A PREROUTING -i eth0 -g x\n"
    b'-A INPUT -p tcp -m multiport --dports 22,400:500 -m comment --comment "a \'b" -j ACCEPT\n'
    b"-A x -j x\n-A allowsync-web -i lo -j RETURN\n"
)
_STREAMS: Final = (
    b"tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=50 dport=443 src=10.0.0.2 "
    b"dst=10.0.0.1 sport=443 dport=50 [ASSURED] mark=0 use=1\nLISTEN 0 128 *:443 *:*\n"
)

_JAIL: Final = b"These IP addresses/networks are ignored:\n|- a.example.org\n`- 2a01:4f8::/48\n"
_BANNED: Final = b"[{'door': ['81.2.69.1', 'a name']}, {'gate': []}]\n"
_JAILS: Final = b"['set', 'door', 'addignoreip', '::1', '10.0.0.1/8']\n['start', 'door']\n"
_VARIABLE: Final = (
    b'# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
    b"# In jails: door gate\n[DEFAULT]\nallowsync_x =\n    81.2.69.1/32\n    2a01:4f8::/48\n"
)
_MARK: Final = (
    b'# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
    b"# 81.2.69.1/32 a\n"
    b"# 81.2.69.1/32 b (replaced)\n"
    b"# 2a01:4f8::/48\n"
    b"# template 563c45e15abad66e1262385ae1403a7b text 5021d0651b47eb6efbfd4fddd77af2ac\n"
    b"allow all;\n"
)

_DECISION: Final = (
    b'{"allowlist":"web","decided":1795176000000000,"epoch":1,"fleet":"home","hosts":['
    b'{"hostnames":["alice.example.org"],"name":"alice","networks":[{"network":"81.2.70.0/24"}],'
    b'"policy":{"accept":["10.0.0.0/8"]},"queries":[{"family":"ipv4","held":[{"address":"81.2.69.1"'
    b',"confirmed":1795172400000000,"since":1795168800000000}],"hostname":"alice.example.org",'
    b'"last_found":1795172400000000}]}],"interval":3600000000,"schema":"allowsync.list/1",'
    b'"sequence":7}'
)

# Signed by the key whose seed is `allowsync fuzz key, not a secret`.
KEY: Final = "ed25519:PsBkE+YRa71Sn1zByVqMmmbO/0wUyrQllfKbNsgkAXE="
SIGNED: Final = b'{"a":1}'
_ENVELOPE: Final = (
    b'{"payload":"%b","payloadType":"application/vnd.allowsync.list+json%b","signatures":[{"keyid":'
    b'"ed25519:PsBkE+YRa71Sn1zByVqMmmbO/0wUyrQllfKbNsgkAXE=","sig":"%b"}]}'
)
_PLAIN: Final = _ENVELOPE % (
    b"eyJhIjoxfQ==",
    b"",
    b"0w9BLxey/43k+PuYLU07RthdFS0j6vs37HFL4/mf+WW4XSy2zIQRWeEk8zfwxNQkAX726i6M/TsPdCECVco4Bw==",
)
_COMPRESSED: Final = _ENVELOPE % (
    b"eJyrVkpUsjKsBQAIKgIJ",
    b"+zlib",
    b"RxYziJMqBPlnBYWElUGBNhowdqkvplfUCf3MdWppCcsIcShRpJlaTKsYemKz+smgtQuq+1K56M1J5WqAfylCCg==",
)
# What is signed as compressed, and is not.
_NOT_COMPRESSED: Final = _ENVELOPE % (
    b"eyJhIjoxfQ==",
    b"+zlib",
    b"oshX1Q7hnzIyrYhwQXveXJwo8PAwwUbcyrVyfus1Gn5gLaply4zOFy2O4v+0BLO3b4HC+aBi+ACVx1NxZcToDw==",
)
_HEAD: Final = b'{"parts":3,"sha256":"%b"}' % (b"5a" * 32)
_HOST_LINES: Final = (
    b'{"name":"alice","hostname":"alice.example.org"}\n'
    b'{"name":"bob","hostname":["b.example.org"],"families":["ipv4"],"until":"2027-01-31"}\n'
    b'{"name":"office","networks":["81.2.70.0/24"],"max_addresses":2,"keep_absent":"1h"}\n'
)

_LISTS: Final = (
    b"# FireHOL\n0.0.0.0/8\n1.10.16.0/20 ; SBL256894\n2a06:e480::/29\n224.0.0.0/3\n",
    b'{"cidr":"1.10.16.0/20"}\n{"cidr":["::1", 5]}\n{"type":"metadata","records":2}\n',
    b'[{"cidr": "1.10.16.0/20"}, {"cidr": "2a06:e480::/29"}]',
    b'network;name\n1.10.16.0/20;"a;b"\n"\n',
    b"<html>",
    # The form of the file `hosts`, in which lists of names to block are published: no networks.
    b"127.0.0.1 localhost\n::1\tlocalhost\n0.0.0.0 ads.example.org # x\n0.0.0.0 0.0.0.0\n",
)
_HEADING: Final = (
    b'# Written by allowsync for allowlist "x". Do not edit: changes are overwritten.\n'
)
_FILES: Final = tuple(
    text.replace(b"allowlist", kind)
    for kind in (b"allowlist", b"denylist")
    for text in (
        _HEADING + b"81.2.69.1/32\n2a01:4f8::/48\n",
        (
            b'{\n  "generator": "allowsync",\n  "allowlist": "x",\n'
            b'  "networks": [\n    "81.2.69.1/32"\n]}\n'
        ),
        _HEADING + b"geo $remote_addr $x {\n    default 0;\n    81.2.69.1/32 1;\n}\n",
        _HEADING + b"allow 81.2.69.1/32;\nset_real_ip_from ::/0;\ndeny all;\n",
        _HEADING + b"<RequireAny>\n    Require ip 0.0.0.0/1 128.0.0.0/1\n</RequireAny>\n",
        _HEADING + b"RemoteIPTrustedProxy 255.255.255.255\n",
        _HEADING + b"(allowsync_x) {\n\t@a {\n\t\tnot {\n\t\t\tremote_ip 81.2.69.1/32\n",
        _HEADING + b"trusted_proxies static \\\n\t81.2.69.1/32 \\\n\t::/0\n",
        _HEADING + b'http:\n      ipAllowList:\n        sourceRange:\n          - "81.2.69.1/32"\n',
    )
)

SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "configuration": (
        _CONFIGURATION,
        b"hosts: {a: &a [*a]}\n",
        b"!!python/name:os.system x\n",
        _ODD_KEY,
    ),
    "ipset": (_IPSET, _IPSET.replace(b"inet ", b"inet6 timeout 5 "), b"Members:\n::1/0\n"),
    "iptables": (_IPTABLES, _STREAMS, b'[{"addr_info": [{"local": "::1"}]}]', b"-A \xff"),
    "fail2ban": (_JAIL, _BANNED, _JAILS, _VARIABLE),
    "listing": (_LISTING, b'{"nftables": []}', b"table inet x {}"),
    "mark": (_MARK, _MARK.replace(b"# ", b"") * 2),
    "networks": _LISTS,
    "denylist": (*_LISTS, b"0.0.0.0/8\n81.2.64.0/20\n2a02:8000::/20\n2000::/16\n81.2.69.1\n"),
    "files": _FILES,
    "decision": (_DECISION, _DECISION.replace(b'"hosts"', b'"h"'), b"{}"),
    "envelope": (_PLAIN, _COMPRESSED, _NOT_COMPRESSED, _HEAD, b""),
    "hosts": (_HOST_LINES, b"\xef\xbb\xbf" + _HOST_LINES.replace(b"\n", b"\r\n\n"), b"[" * 99),
    "answer": (_A, _CNAME + _A, b"\0\0\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1" + _A),
    "rows": (
        b"web/nftables\nipv4\n4\x51\2\x45\1\ni\0\6\2\0\0\0\0\0\nn\n[]\n{}",
        b"a\nb\xff\ni\x7f\xff\xff\xff\xff\xff\xff\xff",
    ),
    "file": (b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20" + bytes(76), b""),
}
