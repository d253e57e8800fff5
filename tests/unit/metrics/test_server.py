"""metrics-server: two readings make a value, one does not."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubesim.api.corev1 import ContainerState, ContainerStateRunning, ContainerStatus
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.metrics import ContainerReading, MetricsServer
from kubesim.sim import Sim
from kubesim.sim.time import SECOND
from tests.harness import Cluster, pod

EVERYTHING = LabelSelector()


@dataclass
class Kubelet:
    """A node whose containers use a fixed number of cores from when they started."""

    sim: Sim
    name: str = "n"
    running: dict[str, tuple[int, int]] = field(default_factory=dict)
    reads: int = 0

    def activity(self) -> object:
        rest = not any(milli for _, milli in self.running.values())
        return tuple(self.running.items()) if rest else object()

    def readings(self) -> Iterable[ContainerReading]:
        self.reads += 1
        for uid, (started_ns, milli) in self.running.items():
            yield ContainerReading(
                pod_uid=uid,
                container="c",
                attempt=0,
                started_ns=self.sim.start_time_ns + started_ns,
                cpu_ns=(self.sim.now - started_ns) * milli // 1000,
                memory_bytes=64,
            )


def cluster_with_server() -> tuple[Cluster, Kubelet, MetricsServer]:
    cluster = Cluster()
    kubelet = Kubelet(cluster.sim)
    server = MetricsServer(cluster.sim, client=cluster.client(), kubelets=lambda: [kubelet])
    return cluster, kubelet, server


def running(cluster: Cluster, name: str, kubelet: Kubelet, milli: int) -> None:
    """A pod whose container runs from now on."""
    made = cluster.api.create(pod(name))
    state = ContainerState(running=ContainerStateRunning())
    status = ContainerStatus(
        name="c", ready=True, restart_count=0, image="i", image_id="i", state=state
    )
    cluster.api.update_status(
        made.replace(status=made.status.replace(phase="Running", container_statuses=(status,)))
    )
    kubelet.running[made.uid] = (cluster.sim.now, milli)


def usage(server: MetricsServer) -> dict[str, int]:
    return {
        item.name: item.containers[0].usage_milli["cpu"]
        for item in server.pod_metrics("default", EVERYTHING)
    }


def test_nothing_is_read_while_nobody_wants_it():
    """Without a reader no kubelet is asked, and the calendar stays empty."""
    cluster, kubelet, _ = cluster_with_server()

    cluster.run(3600)

    assert 0 == kubelet.reads
    assert cluster.sim.next_event_ns is None


def test_a_pod_has_a_value_after_its_second_reading():
    """CPU is the use between two readings over the time between them."""
    cluster, kubelet, server = cluster_with_server()
    running(cluster, "a", kubelet, 250)
    cluster.run(1)
    server.want("test")
    cluster.run(13)
    assert {} == usage(server)

    cluster.run(12)

    assert {"a": 250} == usage(server)


def test_a_reading_is_as_old_as_the_housekeeping_that_made_it():
    """The timestamp is the instant of the reading, on the grid of 15 s, not that of the answer."""
    cluster, kubelet, server = cluster_with_server()
    running(cluster, "a", kubelet, 250)
    server.want("test")
    cluster.run_to(44)

    (item,) = server.pod_metrics("default", EVERYTHING)

    assert 30 * SECOND == item.timestamp_ns - cluster.sim.start_time_ns
    assert 15 * SECOND == item.window_ns


def test_a_container_that_is_fresh_counts_from_its_start():
    """One that started 10 to 15 s before its first reading has a value at once."""
    cluster, kubelet, server = cluster_with_server()
    server.want("test")
    cluster.run(3)
    running(cluster, "young", kubelet, 400)
    cluster.run(5)
    running(cluster, "younger", kubelet, 400)

    cluster.run_to(29)

    assert {"young": 400} == usage(server)


def test_reading_ends_with_the_last_reader():
    """Nobody is asked any more when the last reader has gone."""
    cluster, kubelet, server = cluster_with_server()
    server.want("one")
    server.want("two")
    server.release("one")
    cluster.run(20)
    server.release("two")
    cluster.run(20)
    before = kubelet.reads

    cluster.run(3600)

    assert before == kubelet.reads


def test_readings_that_find_nothing_new_are_passed_over():
    """When somebody asks it is as if they had taken place: the last one, and the one before it."""
    cluster, kubelet, server = cluster_with_server()
    running(cluster, "a", kubelet, 0)
    cluster.run(1)
    server.want("test")
    cluster.run(3600)
    (metrics,) = server.pod_metrics("default", EVERYTHING)

    assert kubelet.reads < 6
    assert 15 * SECOND == metrics.window_ns
    assert 0 <= cluster.sim.wall_ns - metrics.timestamp_ns < 25 * SECOND
    before = server.version
    running(cluster, "b", kubelet, 500)
    cluster.run(60)
    assert {"a": 0, "b": 500} == usage(server)
    assert server.version > before
