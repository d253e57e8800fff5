"""What brings a shim to a plain node, how long it takes, and who survives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import Node
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.runtimev1alpha1 import Shim
from kubesim.controlplane.spin.installers import artifact_for
from kubesim.facts import (
    ContainerdRestarted,
    ContainerExited,
    CriCalled,
    LogWritten,
    ShimInstalled,
    ShimRemoved,
)
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
PLAIN = PODS.split("---", maxsplit=1)[0]
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
metadata: {name: %s}
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
        env: [{name: NODE_ROOT, value: /mnt/node-root}]
        volumeMounts: [{name: root, mountPath: %s}]
      volumes: [{name: root, hostPath: {path: /}}]
"""
RECREATE = SHIM % ("spin-v2", "spin-v2", "recreate")

Write = Callable[..., Path]


def ran(
    write: Write, manifests: str, *, pools: str = "", until_s: int = 90, later: str = ""
) -> LiveRun:
    """A run of pods that want a shim on one plain node, with more manifests."""
    path = write(SPEC, manifests, pools=pools) if pools else write(SPEC, manifests)
    live = LiveRun(Scenario.load(path))
    if later:
        live.advance(3 * SECOND)
        live.simulation.apply([m.obj for m in load_text(later)], what="later")
    live.advance(until_s * SECOND)
    return live


def facts(live: LiveRun, kind: type[Fact]) -> list[tuple[int, Fact]]:
    return list(live.simulation.sim.journal.of(kind))


def ready(live: LiveRun) -> set[str]:
    return {pod["name"] for pod in live.view.pods() if pod["ready"]}


@pytest.mark.parametrize(
    ("manifests", "handler"),
    [
        (CLASS + PLAIN + KWASM, "spin"),
        (RECREATE + PLAIN, "spin-v2"),
        (CLASS + PLAIN + DAEMON_SET % "/mnt/node-root", "spin"),
    ],
    ids=["kwasm", "shim", "daemonset"],
)
def test_plain_node_gets_the_handler(write_scenario: Write, manifests: str, handler: str) -> None:
    """Each way turns a plain node into one that runs Wasm, within a minute, by a pod of its own."""
    # Who names a RuntimeClass that is not there yet is refused: the Shim's comes first.
    live = ran(write_scenario, manifests, later=PODS)
    assert {"plain", "wasm"} <= ready(live)
    node = live.simulation.store.get(Node, "pool-0")
    assert "true" == node.metadata.labels["kubesim.dev/wasm"]
    ((at_ns, installed),) = facts(live, ShimInstalled)
    assert isinstance(installed, ShimInstalled)
    assert ("pool-0", handler) == (installed.node, installed.handler)
    assert 8 * SECOND < at_ns < 45 * SECOND
    assert 1 == len(facts(live, ContainerdRestarted))


@pytest.mark.parametrize(
    ("manifests", "job"),
    [
        (CLASS + PODS + KWASM, "kwasm/pool-0-provision-kwasm"),
        (RECREATE + PODS, "runtime-class-manager/pool-0-spin-v2-install"),
    ],
    ids=["kwasm", "shim"],
)
def test_installation_is_a_job(write_scenario: Write, manifests: str, job: str) -> None:
    """Its pod is bound to the node from the beginning, privileged, and ends with success."""
    live = ran(write_scenario, manifests)
    found = live.simulation.store.get(Job, job)
    spec = found.spec.template.spec
    assert ("pool-0", "Never") == (spec.node_name, spec.restart_policy)
    assert spec.containers[0].security_context is not None
    assert spec.containers[0].security_context.privileged
    assert 1 == found.status.succeeded


def test_a_daemon_set_of_the_installer_starts_again_and_again(write_scenario: Write) -> None:
    """Its script ends, a DaemonSet's containers never may; only the first run changes anything."""
    live = ran(write_scenario, CLASS + PODS + DAEMON_SET % "/mnt/node-root")
    (pod,) = (p for p in live.view.pods() if p["name"].startswith("installer-"))
    assert pod["restarts"] >= 2
    assert 1 == len(facts(live, ContainerdRestarted))
    assert "No change in containerd/config.toml" in pod["log"]


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
    exited = [f for _, f in facts(live, ContainerExited) if isinstance(f, ContainerExited)]
    assert {"kwasm"} == {fact.namespace for fact in exited}  # only the installer's own
    assert all(pod["restarts"] == 0 for pod in live.view.pods())


def test_calls_during_the_restart_are_refused(write_scenario: Write) -> None:
    """A pod that comes while containerd is down is refused, and started after it is back."""
    quiet = ran(write_scenario, CLASS + PODS + KWASM)
    ((_, restarted),) = facts(quiet, ContainerdRestarted)
    assert isinstance(restarted, ContainerdRestarted)
    live = ran(write_scenario, CLASS + PODS + KWASM, until_s=0)
    live.advance(restarted.began_ns - 30_000_000)
    late = load_text(PLAIN.replace("name: plain", "name: late"))[0].obj
    live.simulation.apply([late], what="late")
    live.advance(90 * SECOND)
    refused = [
        fact
        for _, fact in facts(live, CriCalled)
        if isinstance(fact, CriCalled) and "connection refused" in fact.error
    ]
    assert {"RunPodSandbox"} == {call.method for call in refused}
    assert {"plain", "wasm", "late"} <= ready(live)


def test_shim_tells_by_labels_and_status(write_scenario: Write) -> None:
    """A Shim makes its RuntimeClass, marks its nodes, and counts those that are ready."""
    live = ran(write_scenario, RECREATE + PODS, until_s=3)
    store = live.simulation.store
    assert "pending" == store.get(Node, "pool-0").metadata.labels["spin-v2"]
    made = store.get(RuntimeClass, "wasmtime-spin-v2")
    assert ("spin-v2", {"kubesim.dev/pool": "pool"}) == (
        made.handler, made.scheduling.node_selector,
    )  # fmt: skip
    live.advance(60 * SECOND)
    assert "provisioned" == store.get(Node, "pool-0").metadata.labels["spin-v2"]
    status = store.get(Shim, "spin-v2").status
    assert (1, 1) == (status.nodes, status.nodes_ready)


def test_shim_of_an_unknown_handler_fails(write_scenario: Write) -> None:
    """There is no such binary in the archive: the download fails, again and again."""
    live = ran(write_scenario, SHIM % ("lunatic-v1", "lunatic-v1", "recreate") + PODS)
    assert "pending" == live.simulation.store.get(Node, "pool-0").metadata.labels["lunatic-v1"]
    said = [f.line for _, f in facts(live, LogWritten) if isinstance(f, LogWritten)]
    missing = "cp: cannot stat '/tmp/containerd-shim-lunatic-v1': No such file or directory"
    assert said.count(missing) >= 2
    assert [] == facts(live, ShimInstalled)


def test_a_failed_installation_is_told_by_the_label(write_scenario: Write) -> None:
    """When the Job has given up, the node is marked as failed; upstream sets it to pending again."""
    shim = SHIM % ("lunatic-v1", "lunatic-v1", "recreate")
    live = LiveRun(Scenario.load(write_scenario(SPEC.replace("90s", "30m"), shim + PODS)))
    seen = []
    for minute in range(1, 60):
        live.advance(minute * 30 * SECOND)
        node = live.simulation.store.get(Node, "pool-0")
        seen.append(node.metadata.labels["lunatic-v1"])
    job = live.simulation.store.get(Job, "runtime-class-manager/pool-0-lunatic-v1-install")
    assert ["FailureTarget", "Failed"] == [c.type for c in job.status.conditions]
    assert 7 == job.status.failed


def test_deleting_a_shim_uninstalls_it(write_scenario: Write) -> None:
    """A Job takes the handler away; its RuntimeClass goes with the Shim, what runs goes on running."""
    live = ran(write_scenario, RECREATE + PLAIN, until_s=60, later=PODS)
    assert {"plain", "wasm"} <= ready(live)
    live.simulation.delete(Shim, "spin-v2")
    live.advance(89 * SECOND)
    store = live.simulation.store
    ((_, removed),) = facts(live, ShimRemoved)
    assert isinstance(removed, ShimRemoved)
    assert ("pool-0", "spin-v2") == (removed.node, removed.handler)
    assert (None, None) == (
        store.get(Shim, "spin-v2"),
        store.get(RuntimeClass, "wasmtime-spin-v2"),
    )
    labels = store.get(Node, "pool-0").metadata.labels
    assert {"spin-v2", "kubesim.dev/wasm"}.isdisjoint(labels)
    assert {"plain", "wasm"} <= ready(live)
    assert 2 == len(facts(live, ContainerdRestarted))


def test_an_installed_shim_survives_a_reboot(write_scenario: Write) -> None:
    """The entry is in a file on the node's disk: a pod of that runtime starts after it, too."""
    live = ran(write_scenario, CLASS + PODS + KWASM, until_s=40)
    assert {"plain", "wasm"} <= ready(live)
    live.simulation.reboot("pool-0")
    live.advance(89 * SECOND)
    assert {"plain", "wasm"} <= ready(live)


def test_the_handler_is_the_shims_name(write_scenario: Write) -> None:
    """A RuntimeClass with another handler than the Shim's name leads to sandboxes that fail."""
    live = ran(write_scenario, SHIM % ("spin-v2", "spin", "recreate") + PLAIN, later=PODS)
    assert 1 == len(facts(live, ShimInstalled))
    assert {"plain"} == ready(live)
    errors = [e["message"] for e in live.view.events() if e["reason"] == "FailedCreatePodSandBox"]
    assert 'no runtime for "spin" is configured' in errors[0]
    assert any("its pods will find no runtime" in note for note in live.scenario.unsimulated)


def test_rolling_rollout_is_not_implemented_upstream(write_scenario: Write) -> None:
    """The rolling strategy installs nothing, as upstream."""
    live = ran(write_scenario, SHIM % ("spin-v2", "spin-v2", "rolling") + PODS)
    assert [] == facts(live, ShimInstalled)
    assert any("nothing is installed" in note for note in live.scenario.unsimulated)


def test_daemon_set_without_the_hosts_root(write_scenario: Write) -> None:
    """The node-installer installs only into a host's root at /mnt/node-root; else it crashes."""
    live = ran(write_scenario, CLASS + PODS + DAEMON_SET % "/etc/containerd")
    assert [] == facts(live, ShimInstalled)
    (pod,) = (p for p in live.view.pods() if p["name"].startswith("installer-"))
    assert "CrashLoopBackOff" == pod["reason"]
    assert "nsenter: can't open '/mnt/node-root/proc/1/ns/mnt'" in pod["log"][0]


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
    assert {"plain", "wasm"} <= ready(live)


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
    assert expected is (artifact_for(shim, node) is not None)
