"""A Jellyfin server as far as its network settings go: strict, with a state, and faults on order.

with FakeJellyfin() as fake:
    fake.settings["RemoteIPFilter"] = ["198.51.100.0/24"]
    ...  # ask fake.url with fake.key
    assert not fake.lets_in("203.0.113.7")
"""

from testkit.fake_jellyfin.faults import JellyfinFault
from testkit.fake_jellyfin.media_server import FakeJellyfin, LoggedCall

__all__ = ["FakeJellyfin", "JellyfinFault", "LoggedCall"]
