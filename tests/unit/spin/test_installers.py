"""What brings a shim to a plain node, how long it takes, and who survives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.api.corev1 import Node
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.runtimev1alpha1 import Shim
from kubesim.controlplane.spin.installers import has_artifact
from kubesim.facts import ContainerdRestarted, ContainerExited, CriCalled, ShimInstalled
from kubesim.manifests import load_text
from kubesim.scenario import LiveRun, Scenario
from kubesim.share import share_path
from kubesim.sim import Fact
from kubesim.sim.time import SECOND

MODULE = share_path("scenarios") / "mixed-pool" / "modules" / "greeter" / "greeter.wasm"
SPEC = f"""
duration: 90s
images:
- name: greeter:v1
  wasm: {{module: {MODULE}, kind: wagi}}
- name: linux:v1
  layers: [{{size: 1M}}]
  program: {{}}
"""
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: plain}
spec: {containers: [{name: a, image: 'linux:v1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: wasm}
spec: {runtimeClassName: wasmtime-spin-v2, containers: [{name: a, image: 'greeter:v1'}]}
"""
CLASS = """
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: wasmtime-spin-v2}, handler: spin}
---
"""
KWASM = """
---
{apiVersion: v1, kind: Node, metadata: {name: pool-0, annotations: {kwasm.sh/kwasm-node: "true"}}}
"""
SHIM = """
apiVersion: runtime.spinkube.dev/v1alpha1
kind: Shim
metadata: {name: spin-v2}
spec:
  nodeSelector: {kubesim.dev/pool: pool}
  fetchStrategy: {type: anonymousHttp, anonHttp: {location: https://example.com/shim.tar.gz}}
  runtimeClass: {name: wasmtime-spin-v2, handler: %s}
  rolloutStrategy: {type: %s}
---
"""
DAEMON_SET = """
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: installer, namespace: kube-system}
spec:
  selector: {matchLabels: {app: i}}
  template:
    metadata: {labels: {app: i}}
    spec:
      containers:
      - name: installer
        image: ghcr.io/spinkube/containerd-shim-spin/node-installer:v0.17.0
        volumeMounts: [{name: root, mountPath: %s}]
      volumes: [{name: root, hostPath: {path: /}}]
"""
RECREATE = SHIM % ("spin", "recreate")

Write = Callable[..., Path]


def ran(write: Write, manifests: str, *, pools: str = "", until_s: int = 90) -> LiveRun:
    """A run of pods that want a shim on one plain node, with more manifests."""
    path = write(SPEC, manifests, pools=pools) if pools else write(SPEC, manifests)
    live = LiveRun(Scenario.load(path))
    live.advance(until_s * SECOND)
    return live


def facts(live: LiveRun, kind: type[Fact]) -> list[tuple[int, Fact]]:
    return list(live.simulation.sim.journal.of(kind))


def ready(live: LiveRun) -> set[str]:
    return {pod["name"] for pod in live.view.pods() if pod["ready"]}


@pytest.mark.parametrize(
    "manifests",
    [
        CLASS + PODS + KWASM,
        RECREATE + CLASS + PODS,
        CLASS + PODS + DAEMON_SET % "/mnt/node-root",
    ],
    ids=["kwasm", "shim", "daemonset"],
)
def test_plain_node_gets_the_handler(write_scenario: Write, manifests: str) -> None:
    """Each way turns a plain node into one that runs Wasm, within a minute."""
    live = ran(write_scenario, manifests)
    assert {"plain", "wasm"} == ready(live)
    node = live.simulation.store.get(Node, "pool-0")
    assert "true" == node.metadata.labels["kubesim.dev/wasm"]
    ((at_ns, installed),) = facts(live, ShimInstalled)
    assert isinstance(installed, ShimInstalled)
    assert ("pool-0", "spin") == (installed.node, installed.handler)
    assert 5 * SECOND < at_ns - installed.began_ns < 45 * SECOND
    assert 1 == len(facts(live, ContainerdRestarted))


def test_nothing_runs_without_an_installer(write_scenario: Write) -> None:
    """A plain node has no such handler: the sandbox fails, and goes on failing."""
    live = ran(write_scenario, CLASS + PODS)
    assert {"plain"} == ready(live)
    errors = [e["message"] for e in live.view.events() if e["reason"] == "FailedCreatePodSandBox"]
    assert 'no runtime for "spin" is configured' in errors[0]
    assert [] == facts(live, ShimInstalled)


def test_running_pods_survive_the_restart(write_scenario: Write) -> None:
    """A restart of containerd ends no container; nobody can be started meanwhile."""
    live = ran(write_scenario, CLASS + PODS + KWASM)
    assert [] == facts(live, ContainerExited)
    assert all(pod["restarts"] == 0 for pod in live.view.pods())


def test_calls_during_the_restart_are_refused(write_scenario: Write) -> None:
    """A pod that comes while containerd is down is refused, and started after it is back."""
    quiet = ran(write_scenario, CLASS + PODS + KWASM)
    ((_, restarted),) = facts(quiet, ContainerdRestarted)
    assert isinstance(restarted, ContainerdRestarted)
    live = ran(write_scenario, CLASS + PODS + KWASM, until_s=0)
    live.advance(restarted.began_ns - 30_000_000)
    late = load_text(PODS.split("---", maxsplit=1)[0].replace("name: plain", "name: late"))[0].obj
    live.simulation.apply([late], what="late")
    live.advance(90 * SECOND)
    refused = [
        fact
        for _, fact in facts(live, CriCalled)
        if isinstance(fact, CriCalled) and "connection refused" in fact.error
    ]
    assert {"RunPodSandbox"} == {call.method for call in refused}
    assert {"plain", "wasm", "late"} == ready(live)


def test_shim_tells_by_labels_and_status(write_scenario: Write) -> None:
    """A Shim makes its RuntimeClass, marks its nodes, and counts those that are ready."""
    live = ran(write_scenario, RECREATE + PODS, until_s=3)
    store = live.simulation.store
    assert "pending" == store.get(Node, "pool-0").metadata.labels["spin-v2"]
    made = store.get(RuntimeClass, "wasmtime-spin-v2")
    assert ("spin", {"kubesim.dev/pool": "pool"}) == (
        made.handler, made.scheduling.node_selector,
    )  # fmt: skip
    live.advance(60 * SECOND)
    assert "provisioned" == store.get(Node, "pool-0").metadata.labels["spin-v2"]
    status = store.get(Shim, "spin-v2").status
    assert (1, 1) == (status.nodes, status.nodes_ready)


def test_shim_of_an_unknown_handler_fails(write_scenario: Write) -> None:
    """A shim that kubesim does not have ends as failed, not as a crash."""
    live = ran(write_scenario, SHIM % ("lunatic", "recreate") + PODS)
    assert "failed" == live.simulation.store.get(Node, "pool-0").metadata.labels["spin-v2"]


def test_rolling_rollout_is_not_implemented_upstream(write_scenario: Write) -> None:
    """The rolling strategy installs nothing, as upstream."""
    live = ran(write_scenario, SHIM % ("spin", "rolling") + PODS)
    assert [] == facts(live, ShimInstalled)


def test_daemon_set_without_the_hosts_root(write_scenario: Write) -> None:
    """The node-installer installs only into a host's root at /mnt/node-root."""
    live = ran(write_scenario, CLASS + PODS + DAEMON_SET % "/etc/containerd")
    assert [] == facts(live, ShimInstalled)


def test_daemon_set_keeps_off_tainted_nodes(write_scenario: Write) -> None:
    """A DaemonSet that does not tolerate a node's taint has no pod there to install anything."""
    pools = (
        "[{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}, taints: ['a=b:NoSchedule']}]"
    )
    live = ran(write_scenario, CLASS + PODS + DAEMON_SET % "/mnt/node-root", pools=pools)
    assert [] == facts(live, ShimInstalled)


def test_a_shim_that_is_there_is_left_alone(write_scenario: Write) -> None:
    """Where the handler is configured already, containerd is not restarted."""
    pools = "[{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}, runtimes: [runc, spin]}]"
    live = ran(write_scenario, CLASS + PODS + KWASM, pools=pools)
    assert [] == facts(live, ContainerdRestarted)
    assert {"plain", "wasm"} == ready(live)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("{platforms: [{os: linux, arch: x86_64, location: l}]}", True),
        ("{platforms: [{os: Linux, arch: amd64, location: l}]}", True),
        ("{platforms: [{os: linux, arch: arm64, location: l}], anonHttp: {location: l}}", False),
        ("{anonHttp: {location: l}}", True),
        ("{}", False),
    ],
)
def test_artifact_of_a_platform(strategy: str, expected: bool) -> None:
    """Platforms are matched in Go's and in uname's spelling; the one URL counts without them."""
    text = (RECREATE.split("---")[0]).splitlines()
    text = [f"  fetchStrategy: {strategy}" if "fetchStrategy" in line else line for line in text]
    shim = load_text("\n".join(text))[0].obj
    node = load_text(
        "{apiVersion: v1, kind: Node, metadata: {name: n}, status: {nodeInfo: {architecture: amd64, "
        "operatingSystem: linux, bootID: '', containerRuntimeVersion: '', kernelVersion: '', "
        "kubeProxyVersion: '', kubeletVersion: '', machineID: '', osImage: '', systemUUID: ''}}}"
    )[0].obj
    assert isinstance(shim, Shim)
    assert isinstance(node, Node)
    assert expected is has_artifact(shim, node)
