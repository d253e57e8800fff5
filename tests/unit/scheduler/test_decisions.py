"""The scheduler's pure parts, one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubesim.api.corev1 import PodSpec
from kubesim.controlplane.scheduler.backoff import BackoffQueue, QueuedPodInfo
from kubesim.controlplane.scheduler.cache import Cache
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import HostPort, PodInfos
from kubesim.controlplane.scheduler.framework.resources import Resource, pod_requests
from kubesim.controlplane.scheduler.framework.scorers import balanced_allocation, broken_linear
from kubesim.controlplane.scheduler.schedule_one import num_feasible_nodes_to_find, select_host
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.sim.time import SECOND


def go_heap_root(totals: list[int]) -> int:
    """What is on top after building a binary heap by sifting down from the middle."""
    heap = list(range(len(totals)))
    for top in range(len(heap) // 2 - 1, -1, -1):
        i = top
        while (child := 2 * i + 1) < len(heap):
            right = child + 1
            if right < len(heap) and totals[heap[right]] > totals[heap[child]]:
                child = right
            if totals[heap[child]] <= totals[heap[i]]:
                break
            heap[i], heap[child] = heap[child], heap[i]
            i = child
    return heap[0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_host_is_the_root_of_the_heap(totals: list[int]) -> None:
    """Ties are broken as building a heap breaks them."""
    assert go_heap_root(totals) == select_host(totals)


def test_how_many_feasible_nodes_are_enough() -> None:
    """All of fewer than 100; else a share that shrinks with the cluster, but at least 100."""
    sizes = (99, 100, 1000, 5000, 6000, 15000)
    found = [num_feasible_nodes_to_find(size, 0) for size in sizes]

    assert [99, 100, 420, 500, 300, 750] == found
    assert 2500 == num_feasible_nodes_to_find(5000, 50)


def test_nodes_are_listed_zone_by_zone_in_turn() -> None:
    """One node of each zone at a time, zones in the order of their first node."""
    cache = Cache(PodInfos())
    zones = {"a": "z1", "b": "z1", "c": "z2", "d": "z1", "e": "z3"}
    for name, zone in zones.items():
        cache.add_node(node(name, labels={"topology.kubernetes.io/zone": zone}))

    assert ["a", "c", "e", "b", "d"] == [info.name for info in cache.node_infos]
    cache.remove_node("a")
    assert ["b", "c", "e", "d"] == [info.name for info in cache.node_infos]


def test_removed_pod_gives_its_place_to_the_last_one() -> None:
    """Pods of a node keep upstream's order, and the totals follow."""
    infos, info = PodInfos(), NodeInfo("n")
    for name in "abcd":
        info.add_pod(infos.of(pod(name, cpu="1")))
    info.remove_pod("b")

    assert ["a", "d", "c"] == [item.pod.name for item in info.pods]
    assert 3000 == info.requested.milli_cpu


def test_equal_pods_share_a_signature() -> None:
    """What plugins never look at (a name, a command) does not make two pods different."""
    infos = PodInfos()
    one, other, bigger = (infos.of(item) for item in (pod("a"), pod("b"), pod("c", cpu="2")))

    assert one.signature is other.signature
    assert one.signature is not bigger.signature


def test_wildcard_address_conflicts_with_every_address() -> None:
    """A host port taken on all addresses is taken on each, and the other way round."""
    info = NodeInfo("n")
    info.used_ports.add(HostPort("10.0.0.1", "TCP", 80))

    assert info.conflicts_with([HostPort("0.0.0.0", "TCP", 80)])
    assert info.conflicts_with([HostPort("10.0.0.1", "TCP", 80)])
    assert not info.conflicts_with([HostPort("10.0.0.2", "TCP", 80)])
    assert not info.conflicts_with([HostPort("0.0.0.0", "UDP", 80)])


def test_requests_count_sidecars_and_the_largest_init_container() -> None:
    """A sidecar runs beside everything that follows it; ordinary init containers run alone."""

    def container(name: str, cpu: str, **more: str) -> dict[str, object]:
        return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}

    spec = PodSpec.model_validate(
        {
            "initContainers": [
                container("first", "500m"),
                container("sidecar", "200m", restartPolicy="Always"),
                container("second", "700m"),
            ],
            "containers": [container("main", "300m")],
            "overhead": {"cpu": "50m"},
        }
    )

    assert 950 == Resource(pod_requests(spec)).milli_cpu


def test_unchanged_balance_scores_75() -> None:
    """A pod that uses all resources alike brings no change."""
    assert 75 == balanced_allocation((1, 2), (0, 0), (10, 20))
    assert 55 == balanced_allocation((8, 0), (0, 0), (10, 10))


def test_curve_is_level_outside_of_its_points() -> None:
    """The scoring curve is a broken line with level ends."""
    points = [(10, 0), (50, 100)]

    assert [0, 0, 50, 100, 100] == [broken_linear(points, x) for x in (0, 10, 30, 50, 99)]


def test_penalties_double_up_to_ten_seconds() -> None:
    """1, 2, 4, 8, 10 and again 10 seconds, each cut to whole seconds."""
    queue = BackoffQueue(initial_ns=SECOND, max_ns=10 * SECOND, sort_key=lambda _info, at: (at,))
    item = QueuedPodInfo(PodInfos().of(pod("a")), 0)
    penalties = []
    for _try in range(6):
        item.unschedulable_plugins = {"NodeResourcesFit": None}
        item.count_failure()
        item.timestamp_ns = SECOND // 2
        penalties.append(queue.expiration_ns(item) // SECOND)

    assert [1, 2, 4, 8, 10, 10] == penalties


def test_pods_whose_penalties_end_together_are_taken_by_importance() -> None:
    """Within one second the backoff queue follows the order of the active one."""
    infos = PodInfos()
    queue = BackoffQueue(
        initial_ns=SECOND, max_ns=10 * SECOND, sort_key=lambda info, at: (-info.priority, at)
    )
    for i, (name, priority) in enumerate((("low", 1), ("high", 9), ("mid", 5))):
        item = QueuedPodInfo(infos.of(pod(name, priority=priority)), i)
        item.unschedulable_plugins = {"NodeResourcesFit": None}
        item.count_failure()
        queue.push(item)

    taken = [queue.pop() for _pod in range(3)]
    assert ["high", "mid", "low"] == [item.info.pod.name for item in taken if item is not None]
