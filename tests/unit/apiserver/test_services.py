"""Addresses and ports of Services."""

from __future__ import annotations

import pytest
from harness import Cluster, service

from kubesim.api.corev1 import Service
from kubesim.controlplane.client import Invalid


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def made(cluster: Cluster, name: str, **spec: object) -> Service:
    return cluster.api.create(service(name, **spec))


def refusal(cluster: Cluster, name: str, **spec: object) -> str:
    with pytest.raises(Invalid) as caught:
        made(cluster, name, **spec)
    return caught.value.message


def test_every_service_has_an_address_of_its_own(cluster: Cluster) -> None:
    """Headless ones and names of others have none; one that is asked for is skipped afterwards."""
    chosen = made(cluster, "a", clusterIP="10.96.1.1")
    first, second = (made(cluster, name).spec.cluster_ip for name in ("b", "c"))

    assert "10.96.1.1" == chosen.spec.cluster_ip
    assert first is not None
    assert first.startswith("10.96.1.")
    assert 3 == len({"10.96.1.1", first, second})
    assert "None" == made(cluster, "headless", clusterIP="None").spec.cluster_ip
    named = made(cluster, "named", type="ExternalName", externalName="db.example", ports=[])
    assert named.spec.cluster_ip is None


def test_an_address_is_given_once(cluster: Cluster) -> None:
    """Nor may it lie outside; when its Service is gone it is free."""
    made(cluster, "a", clusterIP="10.96.1.1")

    told = 'spec.clusterIPs: Invalid value: ["10.96.1.1"]: failed to allocate IP 10.96.1.1: '
    assert told + "provided IP is already allocated" in refusal(
        cluster, "b", clusterIP="10.96.1.1"
    )
    assert "The range of valid IPs is 10.96.0.0/12" in refusal(cluster, "b", clusterIP="1.2.3.4")
    cluster.api.delete(Service, "default/a")
    assert "10.96.1.1" == made(cluster, "b", clusterIP="10.96.1.1").spec.cluster_ip


def test_node_ports_come_from_the_range(cluster: Cluster) -> None:
    """Chosen or given, each once; below the range and taken ones are refused."""
    port = {"port": 80, "targetPort": 8080}
    given = made(cluster, "a", type="NodePort").spec.ports[0].node_port
    chosen = made(cluster, "b", type="NodePort", ports=[{**port, "nodePort": 30080}])

    assert given is not None
    assert 30086 <= given <= 32767
    assert 30080 == chosen.spec.ports[0].node_port
    assert (
        "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    ) in refusal(cluster, "c", type="NodePort", ports=[{**port, "nodePort": 30080}])
    assert "The range of valid ports is 30000-32767" in refusal(
        cluster, "c", type="NodePort", ports=[{**port, "nodePort": 80}]
    )
    assert made(cluster, "c", type="LoadBalancer").spec.ports[0].node_port
    assert made(cluster, "d").spec.ports[0].node_port is None


def test_what_was_given_stays(cluster: Cluster) -> None:
    """An update that says nothing of address and ports keeps both; a ClusterIP has no node port."""
    before = made(cluster, "a", type="NodePort")
    cluster.api.update(service("a", type="NodePort", selector={"app": "b"}))
    after = cluster.api.get(Service, "default/a")

    assert before.spec.cluster_ip == after.spec.cluster_ip
    assert before.spec.ports == after.spec.ports
    cluster.api.update(service("a"))
    assert cluster.api.get(Service, "default/a").spec.ports[0].node_port is None
    assert before.spec.cluster_ip == cluster.api.get(Service, "default/a").spec.cluster_ip


def test_an_unknown_traffic_distribution_is_refused(cluster: Cluster) -> None:
    """The three that there are, are named."""
    told = refusal(cluster, "a", trafficDistribution="Nearby")

    assert '"PreferClose", "PreferSameNode", "PreferSameZone"' in told
