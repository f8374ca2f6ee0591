"""The API of a Kubernetes cluster, as far as lists of networks go: strict, and with a state.

with FakeKubernetes() as fake:
    fake.create("Service", {"metadata": {"namespace": "media", "name": "jellyfin"}, "spec": {…}})
    ...  # ask fake.url with fake.token
    assert fake.get("Middleware", "media", "friends")["spec"] == {…}
"""

from testkit.fake_kubernetes.api_server import FakeKubernetes
from testkit.fake_kubernetes.calls import ServedCall
from testkit.fake_kubernetes.faults import KubernetesFault

__all__ = ["FakeKubernetes", "KubernetesFault", "ServedCall"]
