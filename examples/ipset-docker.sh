#!/bin/sh
# A port published by Docker that only the friends of an allowlist named jellyfin reach.
#
# Run it after docker.service has started, and again whenever you like. The port is the one of this
# machine: here the destination has been redirected already, so connection tracking is asked for it,
# and for the direction, or the container's own answers would be dropped.

set -e

allowlist=jellyfin
port=8096

# guard PROGRAM SET
guard() {
    set -- "$1" -m conntrack --ctorigdstport "$port" --ctdir ORIGINAL \
        -m set ! --match-set "allowsync-$allowlist-$2" src -j DROP
    program=$1
    shift
    "$program" -w 10 -C DOCKER-USER "$@" 2>/dev/null || "$program" -w 10 -I DOCKER-USER "$@"
}

ipset -exist create "allowsync-$allowlist-4" hash:net family inet
ipset -exist create "allowsync-$allowlist-6" hash:net family inet6
guard iptables 4
# Without IPv6 in Docker there is no such chain in ip6tables.
if ip6tables -w 10 -n -L DOCKER-USER >/dev/null 2>&1; then
    guard ip6tables 6
fi
