"""Descriptions, logs and YAML."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesim.api.corev1 import Pod
from kubesim.sim.time import millis
from kubesim.telemetry.observer import PodTotals
from kubesim.tui.describe import describe, log_lines, yaml_lines
from kubesim.tui.describe.log import LATEST
from kubesim.tui.describe.startup import startup_lines
from kubesim.tui.ink import Line, plain, width_of
from kubesim.tui.scene import PhaseSpan, Ref, Scene
from kubesim.tui.views import VIEWS

SceneAt = Callable[[float], Scene]
PRIMES = "total: 78498 primes, counted by a sieve inside a Wasm module"


def text_of(lines: list[Line]) -> str:
    return "\n".join(plain(line).rstrip() for line in lines)


def first(scene: Scene, kind: str, prefix: str) -> Ref:
    view = next(view for view in VIEWS if view.name == kind)
    return next(row.ref for row in view.build(scene, "").rows if row.ref.name.startswith(prefix))


def test_a_pod_is_described_with_its_start(scene_at: SceneAt) -> None:
    """Status, runtime, conditions, the phases of the start and the Events."""
    scene = scene_at(10)
    text = text_of(describe(scene, first(scene, "pods", "greeter"), 100))

    for part in (
        "spin  RuntimeClass wasmtime-spin-v2", "◆ Running  1/1", "ReplicaSet/greeter-",
        "PodScheduled", "from stored to Ready", "sandbox-network", "Successfully assigned",
    ):  # fmt: skip
        assert part in text, part


def test_a_pending_pod_says_why(scene_at: SceneAt) -> None:
    """The scheduler's message is there in full, however narrow the page."""
    scene = scene_at(10)
    text = text_of(describe(scene, Ref("Pod", "default", "homeless"), 60))

    assert "0/4 nodes are available: 2 node(s)" in " ".join(text.split())
    assert "nothing has ended yet" in text


def test_a_finished_pod_shows_how_it_ended(scene_at: SceneAt) -> None:
    """Exit code, reason and the last lines of its log."""
    scene = scene_at(10)
    text = text_of(describe(scene, Ref("Pod", "default", "report"), 100))

    assert "Completed, exit code 0" in text
    assert PRIMES in text


def test_a_node_is_described_with_its_pods(scene_at: SceneAt) -> None:
    """Pool, taints, load, conditions, pods and what it cost."""
    scene = scene_at(30)
    node = next(pod.spec.node_name for pod in scene.objects(Pod) if pod.name == "report")
    text = text_of(describe(scene, Ref("Node", "", node), 100))

    for part in ("workload-type=wasm:NoSchedule", "requested", "KubeletReady", "report", "$0.0"):
        assert part in text, part


def test_a_service_is_described_with_its_requests(scene_at: SceneAt) -> None:
    """Endpoints, quantiles and a histogram."""
    scene = scene_at(25)
    text = text_of(describe(scene, first(scene, "services", "greeter"), 100))

    for part in ("Endpoints  3", "wasm-", "P99", "creating an instance", "Latencies"):
        assert part in text, part


def test_a_deployment_is_described_with_its_pods(scene_at: SceneAt) -> None:
    """A Deployment's pods are found through its ReplicaSets."""
    scene = scene_at(10)
    text = text_of(describe(scene, first(scene, "deployments", "shop"), 100))

    assert "4 ready of 4 wanted" in text
    assert "Pods  4" in text
    assert "ScalingReplicaSet" in text


def test_other_kinds_are_described_as_yaml(scene_at: SceneAt) -> None:
    """What has no description of its own is written out."""
    text = text_of(describe(scene_at(1), Ref("RuntimeClass", "", "wasmtime"), 100))

    assert "handler: wasmtime" in text


def test_what_is_gone_says_so(scene_at: SceneAt) -> None:
    """An object that was deleted leaves its Events."""
    assert "pod/ghost is gone" in text_of(
        describe(scene_at(1), Ref("Pod", "default", "ghost"), 80)
    )


@pytest.mark.parametrize("width", [30, 60, 130])
@pytest.mark.parametrize("kind", ["pods", "nodes", "services", "deployments", "namespaces"])
def test_everything_can_be_described_at_any_time(kind: str, width: int, scene_at: SceneAt) -> None:
    """No moment of a pod's life and no width makes a description fail."""
    for at_s in (0, 0.15, 0.7, 2.5, 61):
        scene = scene_at(at_s)
        view = next(view for view in VIEWS if view.name == kind)
        for row in view.build(scene, "").rows:
            assert describe(scene, row.ref, width)


def test_the_waterfall_shows_one_phase_after_the_other() -> None:
    """Bars begin where their phase began and are as long as it took."""
    spans = [
        PhaseSpan("schedule", 0, millis(10)),
        PhaseSpan("pull", millis(10), millis(90)),
        PhaseSpan("start", millis(90), millis(100)),
    ]
    lines = [plain(line) for line in startup_lines(spans, millis(100), 130)]
    bars = [line[28:] for line in lines[1:]]

    assert "100ms from stored to Ready" in lines[0]
    assert [10, 80, 10] == [bar.count("█") for bar in bars]
    assert [0, 10, 90] == [len(bar) - len(bar.lstrip()) for bar in bars]


def test_a_phase_too_short_to_draw_leaves_a_trace() -> None:
    """A microsecond among seconds is still to be seen."""
    spans = [PhaseSpan("queue", 0, 1000), PhaseSpan("pull", 1000, millis(1000))]
    lines = [plain(line) for line in startup_lines(spans, None, 80)]

    assert "▏" in lines[1]
    assert "not Ready" in lines[0]


def test_a_log_has_virtual_times() -> None:
    """Each line stands behind the time at which it was written; errors stand out."""
    totals = PodTotals("default", "p")
    totals.log += [(millis(775), "c", "stdout", "hi\x1b[2J"), (millis(800), "c", "stderr", "oh")]
    lines = log_lines(totals)

    assert "00:00:00.775  hi\N{REPLACEMENT CHARACTER}[2J" == plain(lines[0])
    assert "warn" == lines[1][-1][1]


def test_containers_of_one_pod_are_named_in_its_log() -> None:
    """With several writers each line says whose it is."""
    totals = PodTotals("default", "p")
    totals.log += [(0, "a", "stdout", "x"), (0, "b", "stdout", "y")]

    assert ["00:00:00.000  a  x", "00:00:00.000  b  y"] == [plain(x) for x in log_lines(totals)]


def test_a_long_log_shows_its_end() -> None:
    """What is left out is said."""
    totals = PodTotals("default", "p")
    totals.log += [(n, "c", "stdout", str(n)) for n in range(LATEST + 7)]
    lines = log_lines(totals)

    assert "(7 earlier lines)" == plain(lines[0])
    assert plain(lines[-1]).endswith(str(LATEST + 6))
    assert "nothing was written yet" == plain(log_lines(None)[0])


def test_yaml_is_what_the_object_is(scene_at: SceneAt) -> None:
    """The YAML is the manifest writer's, with its keys in colour."""
    scene = scene_at(1)
    obj = scene.find(Ref("Pod", "default", "report"))
    assert obj is not None
    lines = yaml_lines(obj)

    assert "apiVersion: v1\nkind: Pod\nmetadata:\n  name: report" in text_of(lines)
    assert ("kind", "container") in lines[1]


def test_descriptions_keep_to_their_width(scene_at: SceneAt) -> None:
    """A pod's description does not need to be scrolled sideways."""
    scene = scene_at(10)

    for name in ("homeless", "report"):
        lines = describe(scene, Ref("Pod", "default", name), 90)
        assert all(width_of(line) <= 90 for line in lines), name
