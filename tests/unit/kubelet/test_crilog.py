"""The CRI calls of a pod, in the order in which the kubelet issues them."""

from harness import Cluster, NodeUnderTest, bound, image, program

from kubesim.facts import CriCalled
from kubesim.sim.time import seconds


def start(*, pulled: bool = True) -> list[str]:
    """Is the image here; get it and its size; whose process is it; create and start."""
    pull = ["PullImage", "ImageStatus"] if pulled else []
    return ["ImageStatus", *pull, "ImageStatus", "CreateContainer", "StartContainer"]


def test_the_calls_of_a_pod_with_every_kind_of_container() -> None:
    """Sandbox, init container to its end, sidecar, then both containers: image, create, start each."""
    cluster = Cluster()
    once = image("init:1", runs=program(run_ns=seconds(0.5)))
    NodeUnderTest(cluster, once, image("a:1"), image("b:1", runs=program(port=81)))
    cluster.api.create(
        bound(
            initContainers=[
                {"name": "init", "image": "init:1"},
                {"name": "side", "image": "a:1", "restartPolicy": "Always"},
            ],
            containers=[{"name": "one", "image": "b:1"}, {"name": "two", "image": "init:1"}],
            restartPolicy="Never",
        )
    )
    cluster.run(10)
    calls = [(call.method, call.subject) for call in cluster.facts(CriCalled)]

    assert [
        "RunPodSandbox", "PodSandboxStatus", *start(), *start(), *start(), *start(pulled=False),
    ] == [method for method, _ in calls]  # fmt: skip
    assert ["init", "side", "one", "two"] == [
        subject for method, subject in calls if method == "CreateContainer"
    ]
