"""The document of network settings: its fields, their types and defaults, for each version.

As the class NetworkConfiguration has them in Jellyfin 10.8.13 and in 10.9 to 12.
"""

from __future__ import annotations

from typing import Any, Final

Settings = dict[str, Any]

_COMMON: Final[Settings] = {
    "BaseUrl": "",
    "EnableHttps": False,
    "RequireHttps": False,
    "CertificatePath": "",
    "CertificatePassword": "",
    "PublicHttpsPort": 8920,
    "AutoDiscovery": True,
    "EnableUPnP": False,
    "EnableRemoteAccess": True,
    "LocalNetworkSubnets": [],
    "LocalNetworkAddresses": [],
    "KnownProxies": [],
    "IgnoreVirtualInterfaces": True,
    "EnablePublishedServerUriByRequest": False,
    "PublishedServerUriBySubnet": [],
    "RemoteIPFilter": [],
    "IsRemoteIPFilterBlacklist": False,
}

_OLD: Final[Settings] = {
    "HttpServerPortNumber": 8096,
    "HttpsPortNumber": 8920,
    "PublicPort": 8096,
    "UPnPCreateHttpPortMap": False,
    "UDPPortRange": "",
    "EnableIPV6": False,
    "EnableIPV4": True,
    "EnableSSDPTracing": False,
    "SSDPTracingFilter": "",
    "UDPSendCount": 2,
    "UDPSendDelay": 100,
    "VirtualInterfaceNames": "vEthernet*",
    "GatewayMonitorPeriod": 60,
    "TrustAllIP6Interfaces": False,
    "HDHomerunPortRange": "",
    "AutoDiscoveryTracing": False,
    "EnableMultiSocketBinding": True,  # never written
}

_NEW: Final[Settings] = {
    "InternalHttpPort": 8096,
    "InternalHttpsPort": 8920,
    "PublicHttpPort": 8096,
    "EnableIPv4": True,
    "EnableIPv6": False,
    "VirtualInterfaceNames": ["veth"],
}


class InvalidSettings(Exception):
    """What was sent is no document of network settings: HTTP 400."""


def defaults(version: tuple[int, ...]) -> Settings:
    """The settings of a server that was never configured."""
    fields = {**_COMMON, **(_OLD if version < (10, 9) else _NEW)}
    return {name: list(of) if isinstance(of, list) else of for name, of in fields.items()}


def deserialized(sent: object, known: Settings) -> Settings:
    """A document as the server understands it: what it does not know is gone, what lacks is as new.

    Raises:
        InvalidSettings: It is none.
    """
    if not isinstance(sent, dict):
        raise InvalidSettings("no object")
    return {name: _value(name, sent.get(name, default), default) for name, default in known.items()}


def serialized(settings: Settings) -> Settings:
    """A document as the server gives it: without what is null."""
    return {name: of for name, of in settings.items() if of is not None}


def _value(name: str, value: Any, default: Any) -> Any:
    if value is None and isinstance(default, str | list):
        return None
    if isinstance(default, list):
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise InvalidSettings(name)
        return list(value)
    if type(value) is not type(default):
        raise InvalidSettings(name)
    return value
