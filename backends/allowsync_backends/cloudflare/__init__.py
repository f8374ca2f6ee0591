"""Cloudflare IP lists, for rules that block every address outside of them, or in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendType, Needs
from allowsync_backends.cloudflare.options import CloudflareDenyOptions, CloudflareOptions

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend
    from allowsync.model.target import Placement

__all__ = ["TYPE", "CloudflareDenyOptions", "CloudflareOptions"]


def _make(placement: Placement, options: CloudflareOptions) -> Backend:
    from allowsync_backends.cloudflare.backend import CloudflareBackend

    return CloudflareBackend(placement.allowlist, options, effect=placement.effect)


def _needs(_: CloudflareOptions) -> Needs:
    return Needs(any_user=True, lasting=True, online=True)


TYPE = BackendType(
    "cloudflare",
    "A list of addresses in a Cloudflare account, for rules of your own",
    CloudflareOptions,
    _make,
    needs=_needs,
    api=API,
    denies=CloudflareDenyOptions,
)
