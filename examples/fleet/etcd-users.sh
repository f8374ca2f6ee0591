#!/bin/sh
# Users and roles of etcd for a fleet: one may publish, one may read the lists
# and say of itself how its last run ended.
#
#   ETCDCTL_ENDPOINTS=https://etcd1.example.net:2379 ETCDCTL_USER=root ETCDCTL_PASSWORD=... \
#       ./etcd-users.sh home resolver.password applier.password
#
# The two files hold a line each. Authentication itself is yours to enable (etcdctl auth enable).
set -eu

fleet=$1
resolver=$2
applier=$3

etcdctl role add allowsync-resolver
etcdctl role grant-permission --prefix=true allowsync-resolver readwrite "/allowsync/$fleet/"
etcdctl user add allowsync-resolver --interactive=false < "$resolver"
etcdctl user grant-role allowsync-resolver allowsync-resolver

etcdctl role add allowsync-applier
etcdctl role grant-permission --prefix=true allowsync-applier read "/allowsync/$fleet/lists/"
etcdctl role grant-permission --prefix=true allowsync-applier read "/allowsync/$fleet/parts/"
# What each machine says of its last run, for `allowsync fleet status`; it can be left out.
etcdctl role grant-permission --prefix=true allowsync-applier write "/allowsync/$fleet/machines/"
etcdctl user add allowsync-applier --interactive=false < "$applier"
etcdctl user grant-role allowsync-applier allowsync-applier
