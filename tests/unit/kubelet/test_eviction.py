"""Node-pressure eviction on a real node: who goes, when, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from harness import SECOND, Cluster, NodeUnderTest, bound, image, program

from kubesim.api.corev1 import Node, Pod
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.podutil import get_node_condition, get_pod_condition
from kubesim.controlplane.apiserver.admission.priority import SYSTEM_PRIORITY_CLASSES
from kubesim.facts import EventRecorded, ImageRemoved
from kubesim.node.kubelet.configuration import Threshold
from kubesim.wire.image import DiskUse

MI, GI = 1 << 20, 1 << 30
NODE_MI = 8192


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def uses(name: str, mi: int, **more: Any) -> Any:
    return image(name, runs=program(memory_bytes=mi * MI, **more))


def requesting(name: str, ref: str, memory: str = "", **more: Any) -> Pod:
    resources = {"requests": {"memory": memory}} if memory else {}
    return bound(name, containers=[{"name": "main", "image": ref, "resources": resources}], **more)


def evictions(cluster: Cluster) -> list[tuple[float, str]]:
    return [
        (round(at / SECOND, 3), fact.name)
        for at, fact in cluster.sim.journal.of(EventRecorded)
        if fact.reason == "Evicted"
    ]


def condition(cluster: Cluster, kind: str = "MemoryPressure") -> str:
    found = get_node_condition(cluster.api.get(Node, "n1").status, kind)
    assert found is not None
    return found.status


def test_the_pod_beyond_its_request_goes_and_the_others_stay(cluster: Cluster) -> None:
    """A leak takes the node under 100Mi; the leaking pod goes, and nobody else."""
    leak = uses("leak:1", 4800, growth_bytes=8 * MI, growth_every_ns=SECOND)
    NodeUnderTest(cluster, leak, uses("good:1", 3000))
    cluster.api.create(requesting("good", "good:1", "3000Mi"))
    cluster.api.create(requesting("leak", "leak:1", "1000Mi"))
    cluster.run(60)

    leaking = cluster.pod("leak").status
    assert ("Failed", "Evicted") == (leaking.phase, leaking.reason)
    assert "The node was low on resource: memory. Threshold quantity: 100Mi" in str(
        leaking.message
    )
    assert "Container main was using" in str(leaking.message)
    assert "request is 1000Mi, has larger consumption of memory. " in str(leaking.message)
    assert "Running" == cluster.pod("good").status.phase
    assert ["leak"] == [name for _, name in evictions(cluster)]


def test_a_leak_that_is_too_fast_for_the_monitor_is_killed_by_the_kernel(cluster: Cluster) -> None:
    """100Mi are gone in less than ten seconds: nobody is evicted."""
    leak = uses("leak:1", 1000, growth_bytes=500 * MI, growth_every_ns=SECOND)
    node = NodeUnderTest(cluster, leak)
    cluster.api.create(requesting("leak", "leak:1", "1000Mi", restartPolicy="Never"))
    cluster.run(60)

    assert [] == evictions(cluster)
    [(_, ended)] = node.exits()
    assert (137, "OOMKilled") == (ended.exit_code, ended.reason)


def test_an_eviction_is_a_disruption_and_everything_of_the_pod_goes(cluster: Cluster) -> None:
    """Condition DisruptionTarget; containers at once, the sandbox with the next collection."""
    node = NodeUnderTest(cluster, uses("big:1", NODE_MI - 80))
    cluster.api.create(requesting("big", "big:1"))
    cluster.run(100)

    disrupted = get_pod_condition(cluster.pod("big").status, "DisruptionTarget")
    assert disrupted is not None
    assert ("True", "TerminationByKubelet") == (disrupted.status, disrupted.reason)
    assert () == node.containerd.list_containers(cluster.pod("big").uid)
    assert ["RemoveContainer", "RemovePodSandbox"] == node.cri_calls()[-2:]
    assert cluster.pod("big").status.container_statuses[0].state.terminated is not None


def test_one_pod_goes_at_a_time_until_there_is_enough(cluster: Cluster) -> None:
    """Each look sees what the one before has freed."""
    NodeUnderTest(cluster, uses("p:1", 1620))
    for name in "abcde":
        cluster.api.create(requesting(name, "p:1", "100Mi"))
    cluster.run(120)

    assert 1 == len(evictions(cluster))
    assert 4 == sum(one.status.phase == "Running" for one in cluster.pods())


def test_minimum_reclaim_makes_more_pods_go(cluster: Cluster) -> None:
    """100Mi is not enough then; the second goes when the first is gone."""
    reclaim = FrozenMap({"memory.available": Threshold.parse("3Gi")})
    NodeUnderTest(cluster, uses("p:1", 1620), eviction_minimum_reclaim=reclaim)
    for name in "abcde":
        cluster.api.create(requesting(name, "p:1", "100Mi"))
    cluster.run(120)

    (first_s, _), (second_s, _) = evictions(cluster)
    assert 1 <= round(second_s - first_s, 3) < 10


def test_pressure_is_a_condition_until_five_minutes_after(cluster: Cluster) -> None:
    """Reported on the ten-second grid of the node's status."""
    NodeUnderTest(cluster, uses("big:1", NODE_MI - 80))
    cluster.api.create(requesting("big", "big:1"))
    cluster.run(30)
    during = condition(cluster)
    cluster.run(270)
    later = condition(cluster)
    cluster.run(60)

    assert ("True", "True", "False") == (during, later, condition(cluster))
    assert ["Node n1 status is now: NodeHasInsufficientMemory"] == cluster.events(
        "NodeHasInsufficientMemory"
    )
    assert 1 == len(cluster.events("NodeHasSufficientMemory"))


def test_best_effort_is_not_let_in_under_memory_pressure(cluster: Cluster) -> None:
    """Its pod fails at once; one that requests memory runs."""
    NodeUnderTest(cluster, uses("big:1", NODE_MI - 80), uses("small:1", 10))
    cluster.api.create(requesting("big", "big:1"))
    cluster.run(30)
    cluster.api.create(requesting("effort", "small:1"))
    cluster.api.create(requesting("burst", "small:1", "10Mi"))
    cluster.run(30)

    refused = cluster.pod("effort").status
    assert ("Failed", "Evicted") == (refused.phase, refused.reason)
    assert "Pod was rejected: The node had condition: [MemoryPressure]. " == refused.message
    assert "Running" == cluster.pod("burst").status.phase


def test_a_critical_pod_is_never_evicted(cluster: Cluster) -> None:
    """The next one goes, though it is within its request."""
    NodeUnderTest(cluster, uses("big:1", 5000), uses("small:1", 3100))
    for made in SYSTEM_PRIORITY_CLASSES:
        cluster.api.create(made)
    important = requesting("critical", "big:1", priorityClassName="system-cluster-critical")
    cluster.api.create(important)
    cluster.api.create(requesting("good", "small:1", "3200Mi"))
    cluster.run(60)

    assert ["good"] == [name for _, name in evictions(cluster)]
    assert "Running" == cluster.pod("critical").status.phase


def test_a_soft_threshold_waits_and_grants_a_grace_period(cluster: Cluster) -> None:
    """30 s below 1Gi, then up to 20 s to end."""
    node = NodeUnderTest(
        cluster,
        uses("big:1", NODE_MI - 500),
        eviction_soft=FrozenMap({"memory.available": Threshold.parse("1Gi")}),
        eviction_soft_grace_period_ns=FrozenMap({"memory.available": 30 * SECOND}),
        eviction_max_pod_grace_period_s=20,
    )
    cluster.api.create(requesting("big", "big:1"))
    cluster.run(120)

    [(at_s, name)] = evictions(cluster)
    started_s = node.starts()[0] / SECOND
    assert "big" == name
    assert 30 <= at_s - started_s <= 40


def test_a_hard_eviction_kills_after_two_seconds(cluster: Cluster) -> None:
    """One second of grace, of which the kubelet makes its minimum of two."""
    node = NodeUnderTest(cluster, uses("big:1", NODE_MI - 80))
    cluster.api.create(requesting("big", "big:1", terminationGracePeriodSeconds=300))
    cluster.run(60)

    [(evicted_s, _)] = evictions(cluster)
    assert node.exits()[0][0] / SECOND - evicted_s <= 2


def test_a_memory_notification_comes_before_the_next_look(cluster: Cluster) -> None:
    """``kernelMemcgNotification``: the kernel says it when it happens."""
    node = NodeUnderTest(cluster, uses("big:1", NODE_MI - 80), kernel_memcg_notification=True)
    cluster.api.create(requesting("big", "big:1"))
    cluster.run(60)

    [(at_s, _)] = evictions(cluster)
    assert at_s - node.starts()[0] / SECOND < 0.001


def test_images_go_before_pods_when_the_disk_is_full(cluster: Cluster) -> None:
    """An unused image is worth less than any pod."""
    unused = image("old:1", 300 * 10**6)
    writer = image("w:1", runs=program(disk=DiskUse(growth_bytes=10**7, growth_every_ns=SECOND)))
    node = NodeUnderTest(
        cluster,
        unused,
        writer,
        disk="1G",
        disk_bytes=10**9,
        image_gc_high_threshold_percent=100,
        image_gc_low_threshold_percent=99,
    )
    cluster.api.create(bound("first", containers=[{"name": "main", "image": "old:1"}]))
    cluster.run(60)
    cluster.api.delete(Pod, "default/first")
    cluster.run(700)  # until the kubelet has known the image for two minutes
    cluster.api.create(requesting("writer", "w:1"))
    cluster.run(50)
    removed = [fact.image for fact in cluster.facts(ImageRemoved)]
    evicted = evictions(cluster)
    cluster.run(100)

    assert (["old:1"], []) == (removed, evicted)
    [(_, name)] = evictions(cluster)
    status = cluster.pod("writer").status
    assert "writer" == name
    assert "The node was low on resource: ephemeral-storage. " in str(status.message)
    assert "True" == condition(cluster, "DiskPressure")
    assert node.machine.disk.used_bytes < 10**8


def test_a_container_that_writes_more_than_its_limit_is_evicted(cluster: Cluster) -> None:
    """At the next look, whatever the node has."""
    writer = image("w:1", runs=program(disk=DiskUse(growth_bytes=MI, growth_every_ns=SECOND)))
    NodeUnderTest(cluster, writer, disk_bytes=100 * GI)
    limits = {"limits": {"ephemeral-storage": "20Mi"}}
    cluster.api.create(
        bound("w", containers=[{"name": "main", "image": "w:1", "resources": limits}])
    )
    cluster.run(60)

    [(at_s, _)] = evictions(cluster)
    assert 20 <= at_s <= 32
    assert (
        "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. "
        == cluster.pod("w").status.message
    )


def test_an_empty_dir_over_its_size_limit_is_seen_once_a_minute(cluster: Cluster) -> None:
    """Volumes are measured every minute (``volumeStatsAggPeriod``); the disk has its room back."""
    disk = DiskUse(path="/data/x", size_bytes=30 * MI)
    node = NodeUnderTest(cluster, image("w:1", runs=program(disk=disk)), disk_bytes=100 * GI)
    mounts = [{"name": "data", "mountPath": "/data"}]
    cluster.api.create(
        bound(
            "w",
            containers=[{"name": "main", "image": "w:1", "volumeMounts": mounts}],
            volumes=[{"name": "data", "emptyDir": {"sizeLimit": "20Mi"}}],
        )
    )
    cluster.run(5)
    before = node.machine.disk.used_by("nodefs")
    cluster.run(120)

    [(at_s, _)] = evictions(cluster)
    assert at_s <= 72
    assert 30 * MI <= before
    assert 0 == node.machine.disk.used_by("nodefs")
    assert (
        'Usage of EmptyDir volume "data" exceeds the limit "20Mi". '
        == cluster.pod("w").status.message
    )


def test_a_node_that_is_short_of_nothing_looks_at_nothing(cluster: Cluster) -> None:
    """A month costs no event."""
    NodeUnderTest(cluster, uses("good:1", 3000))
    cluster.api.create(requesting("good", "good:1", "3000Mi"))
    cluster.run(600)
    before = cluster.sim.events_processed
    cluster.run(30 * 86_400)

    assert cluster.sim.events_processed - before < 5
