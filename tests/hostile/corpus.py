"""Configurations somebody means harm with, or who lost a fight with an editor."""

from __future__ import annotations

from typing import Final

# What is put into a place of a configuration, as YAML. `{planted}` is a file that must not appear.
VALUES: Final = {
    "a command in backquotes": "'`touch {planted}`'",
    "a command in parentheses": "'$(touch {planted})'",
    "a second command": "'x; touch {planted}'",
    "a pipe": "'x | touch {planted}'",
    "an object": "!!python/object/apply:os.system ['touch {planted}']",
    "an option": "'--help'",
    "a short option": "'-f/etc/passwd'",
    "terminal control": '"\\e[2J\\e]0;owned\\a"',
    "a second line": '"x\\nroot: yes"',
    "a carriage return": '"x\\rok"',
    "nothing visible": '"\\0"',
    "right to left": '"\\u202Eevil"',
    "a path upwards": "'../../../../etc/passwd'",
    "a format": "'{0.__class__.__mro__}%n%s'",
    "ten thousand letters": "x" * 10_000,
    "a huge number": "9" * 400,
    "more time than there is": "999999999w",
    "the last day of all": "9999-12-31",
    "a negative number": "-1",
    "infinity": ".inf",
    "not a number": ".nan",
    "a list in lists": "[" * 40 + "]" * 40,
    "a mapping": "{__class__: {__init__: x}}",
    "nothing": "~",
    "a tag": "!include /etc/passwd",
}

# Where it is put.
PLACES: Final = {
    "a host's name": "hosts: {? VALUE : a.example.org}\nallowlists: {w: {targets: [TARGET]}}\n",
    "a hostname": "hosts: {a: VALUE}\nallowlists: {w: {targets: [TARGET]}}\n",
    "fixed networks": "hosts: {a: {networks: [VALUE]}}\nallowlists: {w: {targets: [TARGET]}}\n",
    "an end": "hosts: {a: {hostname: a.example.org, until: VALUE}}\n"
    "allowlists: {w: {targets: [TARGET]}}\n",
    "an allowlist's name": "hosts: {a: a.example.org}\n"
    "allowlists: {? VALUE : {targets: [TARGET]}}\n",
    "a member": "hosts: {a: a.example.org}\nallowlists: {w: {hosts: [VALUE], targets: [TARGET]}}\n",
    "a target's name": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [file: {path: /tmp/x, name: VALUE}]}}\n",
    "a kind of target": "hosts: {a: a.example.org}\nallowlists: {w: {targets: [? VALUE : {}]}}\n",
    "a port": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [nftables: {ports: [VALUE]}]}}\n",
    "an interface": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [nftables: {ports: [1/tcp], open_interfaces: [VALUE]}]}}\n",
    "a set": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [nftables: {set: {table: VALUE, ipv4: VALUE}}]}}\n",
    "a file": "hosts: {a: a.example.org}\nallowlists: {w: {targets: [file: {path: VALUE}]}}\n",
    "a command": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [file: {path: /tmp/x, check: [VALUE], reload: VALUE}]}}\n",
    "a nameserver": "GOODresolver: {nameservers: [VALUE]}\n",
    "a span": "GOODpolicy: {keep_absent: VALUE}\n",
    "a number": "GOODpolicy: {max_moves: VALUE}\n",
    "a share": "GOODlimits: {max_remove_hosts: VALUE}\n",
    "the state": "GOODstate: VALUE\n",
    "an unknown key": "GOOD? VALUE : 1\n",
    **{
        f"a key of {section}": f"GOOD{section}: {{? VALUE : 1}}\n"
        for section in ("resolver", "policy", "limits")
    },
    "a key of a host": "hosts: {a: {hostname: a.example.org, ? VALUE : 1}}\n"
    "allowlists: {w: {targets: [TARGET]}}\n",
    "a key of an allowlist": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [TARGET], ? VALUE : 1}}\n",
    "an option of a target": "hosts: {a: a.example.org}\n"
    "allowlists: {w: {targets: [file: {path: /tmp/x, ? VALUE : 1}]}}\n",
}

GOOD: Final = "hosts: {a: a.example.org}\nallowlists: {w: {targets: [TARGET]}}\n"
TARGET: Final = "nftables: {ports: [443/tcp]}"

SHAPE: Final = "the whole file"

SHAPES: Final = {
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf",
    "two bytes a letter": GOOD.encode("utf-16"),
    "no text": bytes(range(256)),
    "zeros": bytes(4096),
    "a database": b"SQLite format 3\0" + bytes(4000),
    "a program": b"\x7fELF" + bytes(200),
    "a script": b"#!/bin/sh\ntouch {planted}\n",
    "a list": b"- a\n- b\n",
    "a word": b"hosts\n",
    "a number": b"1\n",
    "a tab": b"hosts:\n\ta: a.example.org\n",
    "a quote without end": b'hosts: {a: "a.example.org\n',
    "a bracket without end": b"hosts: {a: [[[[[[[[\n",
    "a bracket too many": b"hosts: {}}}}}\n",
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand braces": b"{a: " * 100_000,
    "a hundred thousand dashes": b"- " * 100_000,
    "laughter": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108)
    ),
    "an alias of itself": b"hosts: &a {a: *a}\n",
    "an alias of nobody": b"hosts: *nobody\n",
    "a key twice": b"hosts: {a: a.example.org}\nhosts: {b: b.example.org}\n",
    "a host twice": b"hosts: {a: a.example.org, a: evil.example.org}\n",
    "two documents": b"hosts: {}\n---\nhosts: {evil: evil.example.org}\n",
    "a merge": b"hosts: &h {a: a.example.org}\nallowlists: {<<: *h}\n",
    "an unknown encoding": b"\xff\xfe\xfd\n",
    "half a letter": b"hosts: {a: \xc3}\n",
    "an overlong letter": b"hosts: {a: \xc0\xaf}\n",
    "a surrogate": b"hosts: {a: \xed\xa0\x80}\n",
    "twenty thousand unknown keys": b"".join(b"k%d: 1\n" % n for n in range(20_000)),
    "a key of a megabyte": b"k" * 1_000_000 + b": 1\n",
    "a binary tag": b"hosts: !!binary aGk=\n",
    "an omap": b"hosts: !!omap [a: b]\n",
    "a Python tuple": b"hosts: !!python/tuple [a, b]\n",
    "a Python module": b"hosts: !!python/module:os\n",
    "a Python name": b"hosts: !!python/name:os.system\n",
    "a Python object": b"!!python/object/new:subprocess.Popen [[touch, {planted}]]\n",
}


def configurations(planted: str) -> dict[str, bytes]:
    """Every one of them by name; `planted` is a file that no configuration may make appear."""
    filled = {
        f"{place}: {name}": layout.replace("GOOD", GOOD)
        .replace("TARGET", TARGET)
        .replace("VALUE", value.replace("{planted}", planted))
        .encode()
        for place, layout in PLACES.items()
        for name, value in VALUES.items()
    }
    shapes = {
        f"{SHAPE}: {name}": content.replace(b"{planted}", planted.encode())
        for name, content in SHAPES.items()
    }
    return {**filled, **shapes}
