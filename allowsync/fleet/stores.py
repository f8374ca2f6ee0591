"""The store that a configuration names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allowsync.config.fleet import Fleet
    from allowsync.fleet.etcd_store import EtcdStore
    from allowsync.fleet.store import DecisionStore, WritableStore


def reading_store(fleet: Fleet) -> DecisionStore:
    """The store for reading. Unused kinds are not imported."""
    https = fleet.store.https
    if https is None:
        return writable_store(fleet)
    from allowsync.fleet.https_store import HttpsStore

    return HttpsStore(https.url, None if https.ca is None else str(https.ca))


def writable_store(fleet: Fleet) -> WritableStore:
    """The store for publishing, of a configuration that names a writable one."""
    options = fleet.store
    if options.file is not None:
        from allowsync.fleet.file_store import FileStore

        return FileStore(options.file)
    return etcd_store(fleet)


def etcd_store(fleet: Fleet) -> EtcdStore:
    """The store, of a configuration that names etcd."""
    from allowsync.fleet.etcd_store import EtcdStore

    assert fleet.store.etcd is not None  # noqa: S101 - the callers looked
    return EtcdStore(fleet.store.etcd, fleet.name, machine_name(fleet), fleet.lease)


def machine_name(fleet: Fleet) -> str:
    """The name of this machine in the fleet."""
    return fleet.machine or os.uname().nodename
