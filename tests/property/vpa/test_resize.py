"""In-place resizes in any order: nobody gets what is not there, and everybody gets what is."""

from __future__ import annotations

from typing import Any

from harness import Cluster, NodeUnderTest, bound, image, program, quantities
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.corev1 import Pod, ResourceRequirements
from kubesim.api.podresize import IN_PROGRESS, PENDING, reserved_spec
from kubesim.api.podutil import get_pod_condition, pod_requests
from kubesim.api.quantity import Quantity

NAMES = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(1, 38), st.integers(0, 3)), max_size=8
)
CORES = 4000


@given(STEPS)
@settings(max_examples=15, deadline=None)
def test_resizes_settle(steps: list[tuple[str, int, int]]) -> None:
    """After any resizes what is allocated fits, and what fits is allocated and in force."""
    cluster = Cluster()
    NodeUnderTest(cluster, image(runs=program()))
    for name in NAMES:
        resources: dict[str, Any] = {"requests": {"cpu": "1"}}
        container = {"name": "main", "image": "app:1", "resources": resources}
        cluster.api.create(bound(name, containers=[container]))
    cluster.run(5)
    for name, tenths, pause_s in steps:
        requests = quantities(cpu=f"{tenths}00m")

        def change(pod: Pod, requests: Any = requests) -> Pod:
            wanted = ResourceRequirements(requests=requests)
            first = pod.spec.containers[0].replace(resources=wanted)
            return pod.replace(spec=pod.spec.replace(containers=(first,)))

        cluster.api.resize(f"default/{name}", change)
        cluster.run(pause_s)
    cluster.run(20)
    pods = [cluster.pod(name) for name in NAMES]
    wanted = {pod.name: pod.spec.containers[0].resources.requests["cpu"] for pod in pods}
    has: dict[str, Quantity] = {}
    for pod in pods:
        status = pod.status.container_statuses[0]
        assert status.resources is not None
        assert status.resources.requests == status.allocated_resources
        assert get_pod_condition(pod.status, IN_PROGRESS) is None
        assert status.restart_count == 0
        has[pod.name] = status.allocated_resources["cpu"]
    assert sum(quantity.milli_value() for quantity in has.values()) <= CORES
    for pod in pods:
        waits = get_pod_condition(pod.status, PENDING) is not None
        assert waits == (has[pod.name] != wanted[pod.name])
        others = sum(has[name].milli_value() for name in NAMES if name != pod.name)
        assert not waits or others + wanted[pod.name].milli_value() > CORES
        reserved = pod_requests(reserved_spec(pod))["cpu"]
        assert reserved == max(has[pod.name], wanted[pod.name])
