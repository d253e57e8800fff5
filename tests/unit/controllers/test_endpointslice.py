"""The EndpointSlice controller: who is behind a Service and takes traffic."""

from typing import Any

import pytest
from harness import Cluster, PlayedKubelet, node, pod, replica_set, service

from kubesim.api.corev1 import Pod, Service
from kubesim.api.discoveryv1 import Endpoint, EndpointSlice
from kubesim.controlplane.controllers import (
    EndpointSliceController,
    GarbageCollector,
    ReplicaSetController,
)
from kubesim.controlplane.controllers.endpointslice import target_port
from kubesim.facts import ObjectWritten


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    EndpointSliceController(made.sim, client=made.client())
    return made


def slices(cluster: Cluster) -> list[EndpointSlice]:
    return list(cluster.api.list(EndpointSlice))


def endpoints(cluster: Cluster) -> list[Endpoint]:
    return [endpoint for piece in slices(cluster) for endpoint in piece.endpoints]


def conditions(cluster: Cluster) -> dict[str, tuple[bool | None, ...]]:
    return {
        e.target_ref.name or "": (
            e.conditions.ready,
            e.conditions.serving,
            e.conditions.terminating,
        )
        for e in endpoints(cluster)
        if e.target_ref is not None
    }


def backend(cluster: Cluster, name: str, ip: str, **more: Any) -> None:
    """A running, ready pod of the Service."""
    cluster.api.create(pod(name, labels={"app": "web"}, **more))
    cluster.api.bind(f"default/{name}", "n1")
    cluster.set_ready(name, ip=ip)


def test_a_service_without_pods_has_one_empty_slice(cluster: Cluster) -> None:
    """The placeholder carries the labels by which the Service's slices are found."""
    cluster.api.create(service())
    cluster.run(3)
    (piece,) = slices(cluster)

    assert ((), ()) == (piece.endpoints, piece.ports)
    assert "web" == piece.metadata.labels["kubernetes.io/service-name"]
    assert (
        "endpointslice-controller.k8s.io"
        == (piece.metadata.labels["endpointslice.kubernetes.io/managed-by"])
    )
    assert "web-" == piece.name[:4]


def test_a_service_without_a_selector_is_left_alone(cluster: Cluster) -> None:
    """Somebody else looks after its endpoints."""
    cluster.api.create(service(selector={}))
    cluster.api.create(service("out", type="ExternalName", externalName="example.com"))
    cluster.run(3)

    assert [] == slices(cluster)


def test_ready_pods_of_the_selector_are_endpoints(cluster: Cluster) -> None:
    """With address, node, reference and the port behind the Service's port."""
    cluster.api.create(service())
    backend(cluster, "a", "10.0.0.1")
    cluster.api.create(pod("other", labels={"app": "other"}))
    cluster.run(3)
    (piece,) = slices(cluster)
    (endpoint,) = piece.endpoints

    assert ("10.0.0.1",) == endpoint.addresses
    assert "n1" == endpoint.node_name
    assert cluster.pod("a").uid == endpoint.target_ref.uid  # type: ignore[union-attr]
    assert [("", "TCP", 8080)] == [(p.name, p.protocol, p.port) for p in piece.ports]


def test_ready_serving_and_terminating(cluster: Cluster) -> None:
    """A pod on its way out may still serve, but is never ready."""
    cluster.api.create(service())
    for number, name in enumerate(("ready", "unready", "going", "going-unready")):
        backend(cluster, name, f"10.0.0.{number}")
    for name in ("unready", "going-unready"):
        cluster.set_ready(name, ready=False)
    for name in ("going", "going-unready"):
        cluster.api.delete(Pod, f"default/{name}")
    cluster.run(3)

    assert {
        "ready": (True, True, False),
        "unready": (False, False, False),
        "going": (False, True, True),
        "going-unready": (False, False, True),
    } == conditions(cluster)


def test_a_service_may_want_pods_that_are_not_ready(cluster: Cluster) -> None:
    """publishNotReadyAddresses makes every endpoint ready, whatever it serves."""
    cluster.api.create(service(publishNotReadyAddresses=True))
    backend(cluster, "a", "10.0.0.1")
    cluster.set_ready("a", ready=False)
    cluster.run(3)

    assert {"a": (True, False, False)} == conditions(cluster)


def test_pods_without_address_or_future_are_no_endpoints(cluster: Cluster) -> None:
    """Pending, succeeded and failed pods are left out."""
    cluster.api.create(service())
    cluster.api.create(pod("pending", labels={"app": "web"}))
    for name, phase in (("done", "Succeeded"), ("broken", "Failed")):
        backend(cluster, name, "10.0.0.9")
        cluster.api.patch(
            Pod, f"default/{name}",
            lambda p, to=phase: p.replace(status=p.status.replace(phase=to)), status=True,
        )  # fmt: skip
    cluster.run(3)

    assert {} == conditions(cluster)


def test_endpoints_follow_their_pods(cluster: Cluster) -> None:
    """Readiness, labels and deletion show within milliseconds."""
    cluster.api.create(service())
    backend(cluster, "a", "10.0.0.1")
    seen = []
    cluster.run(2)
    seen.append(conditions(cluster))
    cluster.set_ready("a", ready=False)
    cluster.run(2)
    seen.append(conditions(cluster))
    cluster.update(
        Pod, "default/a",
        lambda p: p.replace(metadata=p.metadata.replace(labels=p.metadata.labels.without("app"))),
    )  # fmt: skip
    cluster.run(2)
    seen.append(conditions(cluster))

    assert [{"a": (True, True, False)}, {"a": (False, False, False)}, {}] == seen


def test_a_named_port_is_looked_up_in_each_pod(cluster: Cluster) -> None:
    """Pods that name different numbers go into different slices; a missing name has no port."""
    cluster.api.create(service(ports=[{"name": "http", "port": 80, "targetPort": "web"}]))
    for number, port in enumerate((8080, 8080, 9090), start=1):
        container = {
            "name": "main", "image": "app:1", "ports": [{"name": "web", "containerPort": port}]
        }  # fmt: skip
        backend(cluster, f"p{number}", f"10.0.0.{number}", containers=[container])
    backend(cluster, "without", "10.0.0.9")
    cluster.run(3)
    by_port = {
        tuple(port.port for port in piece.ports): len(piece.endpoints) for piece in slices(cluster)
    }

    assert {(8080,): 2, (9090,): 1, (): 1} == by_port


def test_a_port_is_found_by_name_and_protocol() -> None:
    """TCP and UDP may share a name; no target is the Service's own port."""
    ports = [
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        {"name": "dns", "containerPort": 54, "protocol": "TCP"},
    ]
    target = pod(containers=[{"name": "main", "image": "app:1", "ports": ports}])
    tcp, udp, plain = service(
        ports=[
            {"port": 1, "targetPort": "dns"},
            {"port": 2, "targetPort": "dns", "protocol": "UDP"},
            {"port": 3},
        ]
    ).spec.ports

    assert [54, 53, 3] == [target_port(port, target) for port in (tcp, udp, plain)]


def test_a_slice_holds_a_hundred(cluster: Cluster) -> None:
    """250 pods are three slices, and scaling down removes the surplus."""
    client = cluster.client()
    ReplicaSetController(cluster.sim, client=client)
    PlayedKubelet(cluster)
    cluster.api.create(service())
    cluster.api.create(replica_set(replicas=250))
    cluster.run(10)

    assert [50, 100, 100] == sorted(len(piece.endpoints) for piece in slices(cluster))

    cluster.update(
        type(replica_set()), "default/web", lambda r: r.replace(spec=r.spec.replace(replicas=20))
    )
    cluster.run(20)

    assert [20] == [len(piece.endpoints) for piece in slices(cluster)]


def test_a_sync_before_its_own_write_came_back_waits_a_second(cluster: Cluster) -> None:
    """Two pods that become ready within a watch latency never make two slices."""
    cluster.api.create(service())
    cluster.run(5)
    began = cluster.sim.now
    backend(cluster, "a", "10.0.0.1")
    cluster.run(0.0015)
    backend(cluster, "b", "10.0.0.2")
    cluster.run(0.5)

    assert 1 == len(slices(cluster))
    assert {"a"} == set(conditions(cluster))

    cluster.run(1)

    assert {"a", "b"} == set(conditions(cluster))
    assert cluster.sim.now - began < 2_000_000_000


def test_many_services_at_once_have_one_slice_each() -> None:
    """However slow the cache is, the first slice is made once."""
    slow = Cluster(latency_ns=50_000_000)
    EndpointSliceController(slow.sim, client=slow.client())
    for name in ("web", "api"):
        slow.api.create(service(name))
    for number in range(10):
        backend(slow, f"p{number}", f"10.0.0.{number}")
        slow.run(0.02)
    slow.run(20)

    assert [0, 10] == sorted(len(piece.endpoints) for piece in slices(slow))


def test_nothing_is_written_when_nothing_changed(cluster: Cluster) -> None:
    """A pod's other fields do not touch its endpoint."""
    cluster.api.create(service())
    backend(cluster, "a", "10.0.0.1")
    cluster.run(5)
    writes = len(cluster.facts(ObjectWritten))
    cluster.set_ready("a")
    cluster.run(5)

    assert writes == len(cluster.facts(ObjectWritten))


def test_a_slice_that_somebody_deleted_comes_back(cluster: Cluster) -> None:
    """The controller puts right what others did to its slices."""
    cluster.api.create(service())
    backend(cluster, "a", "10.0.0.1")
    cluster.run(5)
    cluster.api.delete(EndpointSlice, slices(cluster)[0].key)
    cluster.run(5)

    assert {"a"} == set(conditions(cluster))


def test_a_deleted_services_slices_go(cluster: Cluster) -> None:
    """The garbage collector takes them, and nobody makes them again."""
    GarbageCollector(cluster.sim, client=cluster.client("gc"))
    cluster.api.create(service())
    backend(cluster, "a", "10.0.0.1")
    cluster.run(5)
    cluster.api.delete(Service, "default/web")
    cluster.run(5)

    assert [] == slices(cluster)


@pytest.mark.parametrize(
    ("wanted", "zones", "nodes"),
    [
        (None, [], []),
        ("PreferClose", ["a"], []),
        ("PreferSameZone", ["a"], []),
        ("PreferSameNode", ["a"], ["n1"]),
    ],
)
def test_hints_tell_who_should_come(
    cluster: Cluster, wanted: str | None, zones: list[str], nodes: list[str]
) -> None:
    """Ready endpoints are for callers of their zone, or node; those that are not ready for nobody."""
    cluster.api.create(node("n1", **{"topology.kubernetes.io/zone": "a"}))
    backend(cluster, "ready", "10.0.0.1")
    backend(cluster, "waiting", "10.0.0.2")
    cluster.set_ready("waiting", ready=False, ip="10.0.0.2")
    more = {} if wanted is None else {"trafficDistribution": wanted}
    cluster.api.create(service(**more))
    cluster.run(3)
    ready, waiting = endpoints(cluster)
    hints = ready.hints

    assert "a" == ready.zone
    assert zones == ([one.name for one in hints.for_zones] if hints else [])
    assert nodes == ([one.name for one in hints.for_nodes] if hints else [])
    assert waiting.hints is None
