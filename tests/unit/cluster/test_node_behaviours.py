"""What tells a faithful node from a guess, end to end: manifests in, instants and words out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import get_node_condition, get_pod_condition, is_pod_ready
from kubesim.facts import (
    ContainerExited,
    ContainerStarted,
    CriCalled,
    EventRecorded,
    ImageRemoved,
    ModuleLoaded,
    ObjectRefused,
    PodBound,
    RequestCompleted,
    StartupPhaseEnded,
)
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.sim.time import SECOND

GREETER = Path("scenarios/mixed-pool/modules/greeter/greeter.wasm").resolve()
WASM = {"name": "greeter:1", "wasm": {"module": str(GREETER), "kind": "wagi"}}
SPIN = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "spin"},
    "handler": "spin",
}


def live(
    folder: Path, *manifests: dict[str, Any], later: Any = None, at: str = "30s", **spec: Any
) -> LiveRun:
    """A run of a scenario of one small pool, unless ``spec`` says otherwise."""
    pool = {"name": "n", "count": 1, "capacity": {"cpu": "8", "memory": "32Gi"},
            "runtimes": ["runc", "spin"]}  # fmt: skip
    pool.update(spec.pop("pool", {}))
    timeline = []
    if later is not None:
        (folder / "later.yaml").write_text(yaml.safe_dump_all(later))
        timeline = [{"at": at, "apply": "later.yaml"}]
    document = {
        "apiVersion": "kubesim.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "behaviour"},
        "spec": {"duration": "2h", "nodePools": [pool], "timeline": timeline, **spec},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump_all([document, *manifests]))
    return LiveRun(load_scenario(folder))


def pod(name: str, image: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image}], **spec},
    }


def replicas(count: int, image: str, *, kind: str = "ReplicaSet", **more: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": image}], **more.pop("pod", {})},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            **more,
        },
    }


def run_to(live_run: LiveRun, at_s: float) -> None:
    live_run.simulation.run_until(round(at_s * SECOND))


def times(live_run: LiveRun, kind: Any, **fields: Any) -> list[float]:
    """When facts of a kind with those fields came, in seconds."""
    return [
        at / SECOND
        for at, fact in live_run.simulation.sim.journal.of(kind)
        if all(getattr(fact, name) == value for name, value in fields.items())
    ]


def pods(live_run: LiveRun) -> list[Pod]:
    return list(live_run.simulation.store.values(Pod))


def events(live_run: LiveRun, reason: str) -> list[str]:
    return [
        fact.message
        for _, fact in live_run.simulation.sim.journal.of(EventRecorded)
        if fact.reason == reason
    ]


def test_a_crash_loop_restarts_after_0_10_20_40_80_160_and_300_seconds(tmp_path: Path) -> None:
    """Counted from each end, so its run time comes on top; at most a second until it is seen."""
    crash = {
        "name": "c:1",
        "layers": [{"size": "1M"}],
        "program": {"runTime": "3s", "exitCode": 1},
    }
    run = live(tmp_path, pod("crash", "c:1"), images=[crash])
    run_to(run, 1900)
    ends, starts = times(run, ContainerExited), times(run, ContainerStarted)
    delays = [start - end for end, start in zip(ends, starts[1:], strict=False)]

    assert [0, 10, 20, 40, 80, 160, 300, 300] == [int(delay / 10) * 10 for delay in delays[:8]]
    assert all(0 <= delay - int(delay / 10) * 10 < 2.5 for delay in delays)


def test_a_crash_loop_is_forgotten_after_ten_minutes_without_a_crash(tmp_path: Path) -> None:
    """Who runs for eleven minutes between two crashes is always restarted at once."""
    crash = {"name": "c:1", "layers": [{"size": "1M"}],
             "program": {"runTime": "660s", "exitCode": 1}}  # fmt: skip
    run = live(tmp_path, pod("crash", "c:1"), images=[crash])
    run_to(run, 3000)
    ends, starts = times(run, ContainerExited), times(run, ContainerStarted)

    assert all(s - e < 2.5 for e, s in zip(ends, starts[1:], strict=False))
    assert 5 == len(starts)


@pytest.mark.parametrize(
    ("flags", "noticed_s"), [({}, 50), ({"node-monitor-grace-period": "40s"}, 40)]
)
def test_a_dead_node_is_not_ready_after_the_grace_period_and_evicted_300_seconds_later(
    tmp_path: Path, flags: dict[str, str], noticed_s: int
) -> None:
    """50 s, or the 40 s of Kubernetes up to 1.31; both counted from the last renewal of its lease."""
    run = live(
        tmp_path,
        replicas(2, "w:1"),
        pool={"count": 2},
        images=[{"name": "w:1", "layers": [{"size": "1M"}]}],
        timeline=[{"at": "60s", "failNode": "n-1"}],
        kubeControllerManager=flags,
    )
    run_to(run, 60)
    renewed_s = run.simulation.nodes["n-1"].kubelet.last_lease_renewal_ns() / SECOND
    run_to(run, 600)
    node = run.simulation.store.get(Node, "n-1")
    assert node is not None
    ready = get_node_condition(node.status, "Ready")
    assert ready is not None
    assert ready.last_transition_time is not None
    silent_s = (ready.last_transition_time - run.simulation.sim.start_time_ns) / SECOND
    [evicted_s] = times(run, EventRecorded, reason="TaintManagerEviction")

    assert "Unknown" == ready.status
    assert noticed_s <= silent_s - renewed_s <= noticed_s + 5.1
    assert 300 <= evicted_s - silent_s < 300.5


def test_images_are_collected_at_the_five_minute_tick_from_85_to_80_percent(
    tmp_path: Path,
) -> None:
    """Full at 85 %; at the tick as many unused images go as bring it down to 80 %, and no more."""
    names = [f"old-{number:02}:1" for number in range(40)]
    run = live(
        tmp_path,
        *[pod(name.partition(":")[0], name) for name in names],
        pool={
            "capacity": {"cpu": "64", "memory": "64Gi", "ephemeralStorage": "20G"},
            "kubelet": {
                "evictionHard": {"memory.available": "100Mi"},
                "serializeImagePulls": False,
                "registryPullQPS": 0,
            },
        },
        images=[{"name": name, "layers": [{"size": "115M"}]} for name in names],
    )
    run_to(run, 500)
    disk = run.simulation.nodes["n-0"].machine.disk
    used_bytes = disk.used_bytes
    for each in pods(run):
        run.simulation.apiserver.delete(Pod, each.key, grace_period_seconds=1)
    run_to(run, 1300)
    removed = times(run, ImageRemoved)

    # What is counted as freed is the compressed size, which containerd reports.
    wanted = disk.capacity_bytes * 20 // 100 - (disk.capacity_bytes - used_bytes)

    assert used_bytes * 100 // disk.capacity_bytes >= 85
    assert {600.0} == set(removed)
    assert -(-wanted // 115_000_000) == len(removed)


def test_what_was_compiled_goes_with_its_image(tmp_path: Path) -> None:
    """Image GC takes the compiled module too: the next pod pulls the image and compiles again."""
    run = live(
        tmp_path,
        SPIN,
        pod("first", "greeter:1", runtimeClassName="spin"),
        pool={
            "capacity": {"cpu": "8", "memory": "32Gi", "ephemeralStorage": "1G"},
            "kubelet": {
                "evictionHard": {"memory.available": "100Mi"},
                "imageGCHighThresholdPercent": 2,
                "imageGCLowThresholdPercent": 1,
                "imageMinimumGCAge": "1m",
            },
        },
        images=[WASM, {"name": "filler:1", "layers": [{"size": "50M"}]}],
        later=[pod("filler", "filler:1")],
        at="100s",
    )
    run_to(run, 130)
    (first,) = [each for each in pods(run) if each.name == "first"]
    run.simulation.apiserver.delete(Pod, first.key, grace_period_seconds=1)
    run_to(run, 700)
    again = pod("again", "greeter:1", runtimeClassName="spin")
    again["metadata"]["namespace"] = "default"
    run.simulation.apiserver.create(Pod.model_validate(again))
    run_to(run, 760)
    loads = [fact.compiled for _, fact in run.simulation.sim.journal.of(ModuleLoaded)]

    assert [600.0] == times(run, ImageRemoved, image="greeter:1")
    assert 2 == events(run, "Pulling").count('Pulling image "greeter:1"')
    assert [True, True] == loads


def test_a_small_wasm_image_waits_behind_a_large_one(tmp_path: Path) -> None:
    """``serializeImagePulls``, the default: 2 GB in front of 680 KB; side by side it takes no time."""
    big = {"name": "big:1", "layers": [{"size": "2G"}]}
    small = {**WASM, "layers": [{"size": "655k"}]}
    wasm = pod("small", "greeter:1", runtimeClassName="spin")
    waits: list[float] = []
    for kubelet in ({}, {"serializeImagePulls": False}):
        run = live(
            tmp_path,
            SPIN,
            pod("big", "big:1"),
            images=[big, small],
            pool={"kubelet": kubelet},
            later=[wasm],
        )
        run_to(run, 600)
        [phase] = [
            at / SECOND - fact.began_ns / SECOND
            for at, fact in run.simulation.sim.journal.of(StartupPhaseEnded)
            if fact.name == "small" and fact.phase == "pull"
        ]
        waits.append(phase)

    assert waits[0] > 60
    assert waits[1] < 3


def test_of_thirty_parallel_pulls_ten_pass_and_twenty_back_off(tmp_path: Path) -> None:
    """``registryPullQPS`` 5 and ``registryBurst`` 10: the others fail at once and come back."""
    names = [f"app-{number:02}:1" for number in range(30)]
    run = live(
        tmp_path,
        *[pod(name.partition(":")[0], name) for name in names],
        images=[{"name": name, "layers": [{"size": "1M"}]} for name in names],
        pool={
            "capacity": {"cpu": "64", "memory": "64Gi"},
            "kubelet": {"serializeImagePulls": False},
        },
    )
    run_to(run, 9)
    failed = [text for text in events(run, "Failed") if "pull QPS exceeded" in text]
    waiting = [
        status.state.waiting.reason
        for each in pods(run)
        for status in each.status.container_statuses
        if status.state.waiting is not None
    ]
    run_to(run, 60)

    assert 16 <= len(failed) <= 20  # those that came a little later find new tokens
    assert len(failed) == sum(reason in ("ErrImagePull", "ImagePullBackOff") for reason in waiting)
    assert all(is_pod_ready(each) for each in pods(run))


def test_a_rolling_update_rounds_surge_up_and_unavailable_down(tmp_path: Path) -> None:
    """25 % of ten: at most 13 pods at a time, never fewer than 8 ready."""
    images = [{"name": f"w:{n}", "layers": [{"size": "1M"}]} for n in (1, 2)]
    run = live(
        tmp_path,
        replicas(10, "w:1", kind="Deployment"),
        images=images,
        later=[replicas(10, "w:2", kind="Deployment")],
    )
    run_to(run, 29)
    most, least = 0, 10
    for tenth in range(300, 900):
        run_to(run, tenth / 10)
        here = [p for p in pods(run) if p.metadata.deletion_timestamp is None]
        most = max(most, len(here))
        least = min(least, sum(is_pod_ready(each) for each in here))
    new = [each.spec.containers[0].image for each in pods(run)]

    assert (13, 8) == (most, least)
    assert ["w:2"] * 10 == new


def test_a_wrong_handler_is_retried_and_an_absent_runtime_class_is_forbidden(
    tmp_path: Path,
) -> None:
    """The one fails on the node every ten to fifteen seconds; the other is no pod at all."""
    wrong = {**SPIN, "metadata": {"name": "wrong"}, "handler": "nothing"}
    run = live(
        tmp_path,
        wrong,
        pod("unlucky", "w:1", runtimeClassName="wrong"),
        pod("refused", "w:1", runtimeClassName="absent"),
        images=[{"name": "w:1", "layers": [{"size": "1M"}]}],
    )
    run_to(run, 60)
    tries = times(run, CriCalled, method="RunPodSandbox")
    [refused] = [fact for _, fact in run.simulation.sim.journal.of(ObjectRefused)]

    assert len(tries) >= 4
    assert all(10 <= later - earlier <= 15.1 for earlier, later in pairwise(tries))
    assert 'no runtime for "nothing" is configured' in events(run, "FailedCreatePodSandBox")[0]
    assert "refused" in str(refused)
    assert "is forbidden" in str(refused)
    assert ["unlucky"] == [each.name for each in pods(run)]


@pytest.mark.parametrize(("size", "attracted"), [("22M", False), ("900M", True)])
def test_image_locality_ignores_images_below_23_megabytes(
    tmp_path: Path, size: str, attracted: bool
) -> None:
    """A large image draws the next pod to the node that has it; a Wasm image's size does not."""
    taken = {"resources": {"requests": {"cpu": "100m", "memory": "200Mi"}}}
    first = pod("first", "w:1", nodeName="n-1")
    first["spec"]["containers"][0].update(taken)
    run = live(
        tmp_path,
        first,
        images=[{"name": "w:1", "layers": [{"size": size}]}],
        pool={"count": 2},
        later=[pod("second", "w:1")],
        at="120s",
    )
    run_to(run, 121)
    [bound] = [f.node for _, f in run.simulation.sim.journal.of(PodBound) if f.name == "second"]

    assert attracted is (bound == "n-1")


def test_max_pods_caps_wasm_density_long_before_memory_does(tmp_path: Path) -> None:
    """110 pods of some 20 MB; the 111th finds "Too many pods" and plenty of memory."""
    run = live(tmp_path, SPIN, replicas(120, "greeter:1", pod={"runtimeClassName": "spin"}),
               images=[WASM])  # fmt: skip
    run_to(run, 120)
    pending = [each for each in pods(run) if not each.spec.node_name]
    scheduled = get_pod_condition(pending[0].status, "PodScheduled")
    memory = run.simulation.nodes["n-0"].machine.memory

    assert 10 == len(pending)
    assert scheduled is not None
    assert "Too many pods" in (scheduled.message or "")
    assert memory.used_bytes < memory.capacity_bytes // 10


def test_the_second_start_of_a_wasm_image_on_a_node_skips_the_compilation(tmp_path: Path) -> None:
    """Once a node: the other pods load what the first one compiled."""
    run = live(
        tmp_path,
        SPIN,
        pod("first", "greeter:1", runtimeClassName="spin"),
        images=[WASM],
        later=[pod("second", "greeter:1", runtimeClassName="spin")],
    )
    run_to(run, 60)
    loads = [fact for _, fact in run.simulation.sim.journal.of(ModuleLoaded)]

    assert [True, False] == [load.compiled for load in loads]
    assert loads[1].took_ns * 5 < loads[0].took_ns


def test_a_spin_pod_has_no_more_than_1000_instances_at_a_time(tmp_path: Path) -> None:
    """The 1001st request at one time is answered with 500; a second later there is room again."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 80}]},
    }
    run = live(
        tmp_path,
        SPIN,
        service,
        replicas(1, "greeter:1", pod={"runtimeClassName": "spin"}),
        images=[WASM],
        pool={"capacity": {"cpu": "1", "memory": "32Gi"}},
        traffic=[
            {
                "name": "crowd",
                "service": "web",
                "from": "60s",
                "until": "61s",
                "connections": 1100,
                "thinkTime": "60s",
                "timeout": "30s",
            }
        ],
    )
    run_to(run, 70)
    statuses = [fact.status for _, fact in run.simulation.sim.journal.of(RequestCompleted)]

    assert (1000, 100) == (statuses.count(200), statuses.count(500))
