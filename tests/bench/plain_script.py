"""What people run from cron today, written as well as such scripts usually are.

    plain_script.py HOSTS STATE "FAMILY TABLE SET"

Looks up one name after the other, IPv4 only, compares with what it wrote down last time, and calls
nft only if something changed. It trusts its file: what the set really holds is never read.
It imports no pathlib, as nobody would who wants such a script to be quick.
"""

import os
import socket
import subprocess
import sys


def read_lines(path: str) -> list[str]:
    """The lines of a file; none if there is no file."""
    try:
        with open(path) as file:  # noqa: PTH123
            return [line.strip() for line in file if line.strip()]
    except FileNotFoundError:
        return []


def lookup(name: str) -> set[str]:
    """The IPv4 addresses of a name."""
    found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    return {str(entry[4][0]) for entry in found}


def nft(verb: str, place: str, addresses: set[str]) -> None:
    """Add or delete elements."""
    elements = "{ " + ", ".join(sorted(addresses)) + " }"
    subprocess.run(["nft", verb, "element", *place.split(), elements], check=True)


def main(hosts_file: str, state_file: str, place: str) -> int:
    """One run. Gives the exit code."""
    before = {line.split()[0]: line.split()[1] for line in read_lines(state_file)}
    now = {}
    failed = False
    for name in read_lines(hosts_file):
        try:
            now[name] = ",".join(sorted(lookup(name)))
        except OSError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
            if name in before:
                now[name] = before[name]
    old = {one for text in before.values() for one in text.split(",")}
    new = {one for text in now.values() for one in text.split(",")}
    if new - old:
        nft("add", place, new - old)
    if old - new:
        nft("delete", place, old - new)
    if now != before:
        with open(state_file + ".new", "w") as file:  # noqa: PTH123
            file.writelines(f"{name} {text}\n" for name, text in now.items())
        os.replace(state_file + ".new", state_file)  # noqa: PTH105
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
