#!/bin/sh
# A gate on a home router that cannot run allowsync, such as OpenWrt with nftables: who is on the list
# reaches Jellyfin in the LAN, and no one else. allowsync runs on a machine in the LAN, see router-list.yaml.
#
#   router-gate.sh http://192.168.178.20:8000/jellyfin.txt    fetch the list: by cron, every minute
#   router-gate.sh -                                          take it from standard input: by ssh
#   router-gate.sh - </dev/null                               at boot, before the firewall: put up the last one
#
# A list that cannot be had, or is not whole, changes nothing. The last good one is kept, and put up again
# where the gate is gone. Without one, the gate is shut. See routers.md of the documentation.
set -eu

from=$1
kept=/etc/jellyfin-gate.txt     # on OpenWrt /etc is kept over a restart
wan=wan                         # where strangers come from
jellyfin4=192.168.178.20
jellyfin6=::20                  # how its address ends, whatever prefix the LAN has
port=8096

new=$(mktemp)
trap 'rm -f "$new"' EXIT

fetched() {
  case $from in
    -) cat ;;
    *) wget -q -T 10 -O - "$from" ;;
  esac
}

# Its first line, nothing but networks after that, and no line cut short.
whole() {
  [ "$(head -n 1 "$1")" = '# Written by allowsync for allowlist "jellyfin". Do not edit: changes are overwritten.' ] &&
    ! sed 1d "$1" | grep -qvE '^[0-9a-f.:]+/([89]|[1-9][0-9]{1,2})$' &&
    [ -z "$(tail -c 1 "$1")" ]
}

elements() {
  sed -nE "1d; /$2/s/.*/add element inet jellyfin_gate $1 { & }/p" "$3"
}

# One transaction: the old gate stands until the new one does.
put_up() {
  nft -f - <<END
table inet jellyfin_gate
delete table inet jellyfin_gate
table inet jellyfin_gate {
	set ipv4 { type ipv4_addr; flags interval; auto-merge; }
	set ipv6 { type ipv6_addr; flags interval; auto-merge; }
	chain forward {
		type filter hook forward priority filter - 5;
		iifname "$wan" ip daddr $jellyfin4 tcp dport $port ip saddr != @ipv4 drop
		iifname "$wan" ip6 daddr & ::ffff:ffff:ffff:ffff == $jellyfin6 tcp dport $port ip6 saddr != @ipv6 drop
	}
}
$(elements ipv4 '\.' "$1")
$(elements ipv6 ':' "$1")
END
}

# What is up already stays, where the list is the same.
up() {
  nft list table inet jellyfin_gate >/dev/null 2>&1
}

if fetched >"$new" && whole "$new"; then
  cmp -s "$new" "$kept" && up && exit
  put_up "$new"
  cp "$new" "$kept.new" && mv "$kept.new" "$kept"
  exit
fi
[ -e "$kept" ] || : >"$kept"
up || put_up "$kept"
echo "router-gate: no whole list from $from; the last one stays" >&2
exit 1
