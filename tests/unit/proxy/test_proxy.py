"""kube-proxy: from a Service's port to one of its endpoints."""

from collections import Counter
from math import sqrt

import pytest
from harness import MILLISECOND, Cluster, service

from kubesim.api.corev1 import ObjectReference, Service
from kubesim.api.discoveryv1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from kubesim.facts import EndpointProgrammed
from kubesim.node.proxy import KubeProxy
from kubesim.sim.distribution import Constant

READY = EndpointConditions(ready=True, serving=True, terminating=False)
UNREADY = EndpointConditions(ready=False, serving=False, terminating=False)
LEAVING = EndpointConditions(ready=False, serving=True, terminating=True)
GOING = EndpointConditions(ready=False, serving=False, terminating=True)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def proxy(cluster: Cluster) -> KubeProxy:
    return KubeProxy(
        cluster.sim, client=cluster.client(), name="ingress", sync=Constant(100 * MILLISECOND)
    )


def endpoint(number: int, conditions: EndpointConditions = READY) -> Endpoint:
    return Endpoint(
        addresses=(f"10.0.0.{number}",),
        conditions=conditions,
        target_ref=ObjectReference(kind="Pod", name=f"p{number}", uid=f"u{number}"),
    )


def piece(
    *endpoints: Endpoint, name: str = "s", ports: tuple[EndpointPort, ...] = ()
) -> EndpointSlice:
    return EndpointSlice.model_validate(
        {"metadata": {"name": name, "namespace": "default",
                      "labels": {"kubernetes.io/service-name": "web"}},
         "addressType": "IPv4"},
    ).replace(endpoints=endpoints, ports=ports or (EndpointPort(name="", port=8080),))  # fmt: skip


def picks(cluster: Cluster, proxy: KubeProxy, *endpoints: Endpoint, times: int = 200) -> set[str]:
    """The pods that are chosen for a Service with those endpoints."""
    cluster.api.create(service())
    cluster.api.create(piece(*endpoints))
    cluster.run(1)
    chosen = (proxy.pick("default/web", 80) for _ in range(times))
    return {backend.pod for backend in chosen if backend is not None}


def test_a_backend_has_the_endpoints_address_and_port(cluster: Cluster, proxy: KubeProxy) -> None:
    """And says which pod it is."""
    picks(cluster, proxy, endpoint(1))
    backend = proxy.pick("default/web", 80)
    assert backend is not None

    assert ("10.0.0.1", 8080, "p1", "u1") == (
        backend.ip, backend.port, backend.pod, backend.pod_uid,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("endpoints", "chosen"),
    [
        ([], set()),
        ([endpoint(1), endpoint(2)], {"p1", "p2"}),
        ([endpoint(1, UNREADY), endpoint(2)], {"p2"}),
        ([endpoint(1, LEAVING), endpoint(2)], {"p2"}),
        ([endpoint(1, LEAVING), endpoint(2, LEAVING)], {"p1", "p2"}),
        ([endpoint(1, LEAVING), endpoint(2, GOING), endpoint(3, UNREADY)], {"p1"}),
        ([endpoint(1, UNREADY), endpoint(2, GOING)], set()),
    ],
)
def test_terminating_endpoints_are_the_last_resort(
    cluster: Cluster, proxy: KubeProxy, endpoints: list[Endpoint], chosen: set[str]
) -> None:
    """Ready ones first; only without any, those that still serve while they terminate."""
    assert chosen == picks(cluster, proxy, *endpoints)


def test_the_choice_is_uniform(cluster: Cluster, proxy: KubeProxy) -> None:
    """Each of four gets a quarter."""
    picks(cluster, proxy, *[endpoint(n) for n in range(4)])
    counts = Counter(
        backend.pod for _ in range(20_000) if (backend := proxy.pick("default/web", 80))
    )

    assert all(abs(count - 5000) < 5 * sqrt(20_000 * 3 / 16) for count in counts.values())
    assert 4 == len(counts)


def test_unknown_services_and_ports_have_no_backend(cluster: Cluster, proxy: KubeProxy) -> None:
    """Nor has a Service that was deleted."""
    picks(cluster, proxy, endpoint(1))

    assert None is proxy.pick("default/other", 80)
    assert None is proxy.pick("default/web", 81)

    cluster.api.delete(Service, "default/web")
    cluster.run(1)

    assert None is proxy.pick("default/web", 80)


def test_ports_are_matched_by_name(cluster: Cluster, proxy: KubeProxy) -> None:
    """A Service's port leads to the endpoints' port of its name, over all slices."""
    cluster.api.create(service(ports=[{"name": "a", "port": 80}, {"name": "b", "port": 81}]))
    a, b = EndpointPort(name="a", port=1000), EndpointPort(name="b", port=2000)
    cluster.api.create(piece(endpoint(1), name="one", ports=(a, b)))
    cluster.api.create(piece(endpoint(2), name="two", ports=(b,)))
    cluster.run(1)
    found = {
        port: {(x.pod, x.port) for _ in range(50) if (x := proxy.pick("default/web", port))}
        for port in (80, 81)
    }

    assert {80: {("p1", 1000)}, 81: {("p1", 2000), ("p2", 2000)}} == found


def test_rules_follow_at_the_next_sync(cluster: Cluster, proxy: KubeProxy) -> None:
    """Requests in between still go by the old rules, also to a pod that is gone."""
    picks(cluster, proxy, endpoint(1))
    cluster.update(EndpointSlice, "default/s", lambda s: s.replace(endpoints=(endpoint(2),)))
    cluster.run(0.1)
    before = proxy.pick("default/web", 80)
    cluster.run(0.001)
    after = proxy.pick("default/web", 80)
    assert before is not None
    assert after is not None

    assert ("p1", "p2") == (before.pod, after.pod)


def test_changes_within_a_sync_are_one_sync(cluster: Cluster, proxy: KubeProxy) -> None:
    """The second change does not put the sync off."""
    cluster.api.create(service())
    cluster.api.create(piece(endpoint(1)))
    cluster.run(0.09)
    cluster.update(EndpointSlice, "default/s", lambda s: s.replace(endpoints=(endpoint(2),)))
    cluster.run(0.02)
    backend = proxy.pick("default/web", 80)
    assert backend is not None

    assert "p2" == backend.pod


def test_a_pod_is_programmed_once(cluster: Cluster, proxy: KubeProxy) -> None:
    """The fact is about the first time, and about ready endpoints."""
    picks(cluster, proxy, endpoint(1), endpoint(2, UNREADY))
    for conditions in (UNREADY, READY):
        cluster.update(
            EndpointSlice, "default/s",
            lambda s, c=conditions: s.replace(endpoints=(endpoint(1, c),)),
        )  # fmt: skip
        cluster.run(1)
    (fact,) = cluster.facts(EndpointProgrammed)

    assert ("ingress", "default", "web", "u1") == (
        fact.proxy,
        fact.namespace,
        fact.service,
        fact.pod_uid,
    )


def test_a_slice_that_is_gone_takes_its_backends_along(cluster: Cluster, proxy: KubeProxy) -> None:
    """Nothing is remembered of it."""
    picks(cluster, proxy, endpoint(1))
    cluster.api.delete(EndpointSlice, "default/s")
    cluster.run(1)

    assert None is proxy.pick("default/web", 80)


def on(number: int, node: str, conditions: EndpointConditions = READY) -> Endpoint:
    return endpoint(number, conditions).replace(node_name=node)


def chosen(cluster: Cluster, proxy: KubeProxy, *endpoints: Endpoint, **spec: object) -> set[str]:
    """The pods that a proxy chooses for a Service of that spec."""
    made = service()
    cluster.api.create(made.replace(spec=made.spec.replace(**spec)))
    cluster.api.create(piece(*endpoints))
    cluster.run(1)
    found = (proxy.pick("default/web", 80) for _ in range(200))
    return {backend.pod for backend in found if backend is not None}


@pytest.mark.parametrize(
    ("node", "pods"), [("n1", {"p1"}), ("n2", {"p2"}), ("n3", set()), ("", {"p1", "p2"})]
)
def test_an_internal_policy_of_local_keeps_to_the_node(
    cluster: Cluster, node: str, pods: set[str]
) -> None:
    """A node's own, also when they terminate and others do not; from outside it means nothing."""
    proxy = KubeProxy(
        cluster.sim, client=cluster.client(), name="p", sync=Constant(MILLISECOND), node=node
    )
    endpoints = (on(1, "n1"), on(2, "n2", LEAVING if node == "n2" else READY))

    assert pods == chosen(cluster, proxy, *endpoints, internal_traffic_policy="Local")


def test_an_external_policy_of_local_chooses_a_node_first(
    cluster: Cluster, proxy: KubeProxy
) -> None:
    """Each node as often as the other, however many pods it has; leaving pods' nodes not at all."""
    endpoints = (on(1, "n1"), on(2, "n2"), on(3, "n2"), on(4, "n2"), on(5, "n3", LEAVING))
    chosen(cluster, proxy, *endpoints, external_traffic_policy="Local", type="LoadBalancer")
    counts = Counter(getattr(proxy.pick("default/web", 80), "pod", "") for _ in range(4000))

    assert {"p1", "p2", "p3", "p4"} == set(counts)
    assert abs(counts["p1"] - 2000) < 4 * sqrt(1000)


def test_a_client_sticks_to_its_pod(cluster: Cluster, proxy: KubeProxy) -> None:
    """As long as the rules have it; clients are spread, and forgotten after the time-out."""
    chosen(cluster, proxy, *(endpoint(n) for n in range(1, 9)), session_affinity="ClientIP")
    first = {c: proxy.pick("default/web", 80, c) for c in "abcdefgh"}
    again = {c: proxy.pick("default/web", 80, c) for c in "abcdefgh"}
    cluster.run(10_802)
    late = {c: proxy.pick("default/web", 80, c) for c in "abcdefgh"}

    assert first == again
    assert len({backend.pod for backend in first.values() if backend is not None}) > 1
    assert first != late


def hinted(number: int, *, zone: str = "", node: str = "") -> Endpoint:
    """An endpoint for callers of a zone, or a node."""
    hints = EndpointHints(
        for_zones=(ForZone(name=zone),) if zone else (),
        for_nodes=(ForNode(name=node),) if node else (),
    )
    return endpoint(number).replace(hints=hints)


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([hinted(1, zone="a"), hinted(2, zone="b"), hinted(3, zone="a")], {"p1", "p3"}),
        ([hinted(1, zone="b"), hinted(2, zone="b")], {"p1", "p2"}),  # none for this zone
        ([hinted(1, zone="a"), endpoint(2)], {"p1", "p2"}),  # one without a hint
        ([hinted(1, zone="a", node="n1"), hinted(2, zone="a", node="n2")], {"p1"}),
        ([hinted(1, zone="a", node="n3"), hinted(2, zone="b", node="n2")], {"p1"}),
    ],
)
def test_hints_keep_callers_near(
    cluster: Cluster, endpoints: list[Endpoint], expected: set[str]
) -> None:
    """To their node, else to their zone, as long as every ready endpoint has such a hint."""
    proxy = KubeProxy(
        cluster.sim,
        client=cluster.client(),
        name="n1",
        sync=Constant(100 * MILLISECOND),
        node="n1",
        zone=lambda: "a",
    )

    assert expected == picks(cluster, proxy, *endpoints)
