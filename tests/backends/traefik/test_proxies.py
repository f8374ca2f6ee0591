"""Which proxies a Traefik believes where our middleware is used."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.file.backend import FileBackend

from tests.backends.traefik.conftest import APP
from tests.support.traefik import entry_point

if TYPE_CHECKING:
    from allowsync.model.target import TrustedProxies
    from tests.backends.traefik.conftest import Place
    from tests.support.traefik import Standin

CDN = "192.0.2.0/24"
DEEP = {"depth": 1}


def believed(place: Place, **options: Any) -> TrustedProxies | None:
    target = place.target(**options)
    assert isinstance(target, FileBackend)
    return target.trusted_proxies()


def test_without_a_depth_none_is_believed_whatever_entry_points_say(
    place: Place, standin: Standin
) -> None:
    standin.entry_points = [entry_point("web", trustedIPs=[CDN])]
    place.put("81.2.69.1")
    found = believed(place)
    assert found is not None
    assert (found.networks, found.headers, found.ports) == ((), (), (80,))


@pytest.mark.parametrize(
    ("forwarded", "networks"),
    [({"trustedIPs": [CDN]}, [CDN]), ({}, []), ({"insecure": True}, ["0.0.0.0/0", "::/0"])],
)
def test_with_a_depth_the_entry_points_say_which(
    place: Place, standin: Standin, forwarded: dict[str, Any], networks: list[str]
) -> None:
    other = {**entry_point("other", trustedIPs=["10.0.0.0/8"]), "address": ":81"}
    standin.entry_points = [entry_point("web", **forwarded), other]
    app = APP.replace("service: app", "service: app, entryPoints: [web]")
    (place.folder / "app.yml").write_text(app)
    place.put("81.2.69.1", **DEEP)
    found = believed(place, **DEEP)
    assert found is not None
    assert found.networks == tuple(map(ip_network, networks))
    assert (found.headers, found.ports) == (("X-Forwarded-For",), (80,))


@pytest.mark.parametrize(
    "entry",
    [
        {**entry_point("web"), "proxyProtocol": {"trustedIPs": [CDN]}},
        {**entry_point("web"), "address": "127.0.0.1:80"},
        entry_point("web", trustedIPs=["proxy"]),
    ],
)
def test_what_cannot_be_told_is_not_known(
    place: Place, standin: Standin, entry: dict[str, Any]
) -> None:
    standin.entry_points = [entry]
    place.put("81.2.69.1", **DEEP)
    assert believed(place, **DEEP) is None


def test_without_an_answer_of_the_api_the_options_alone_tell(place: Place, nowhere: str) -> None:
    for options in ({}, {"api": nowhere}):
        found = believed(place, **options)
        assert found is not None
        assert (found.networks, found.ports) == ((), ())
        assert believed(place, **DEEP, **options) is None
