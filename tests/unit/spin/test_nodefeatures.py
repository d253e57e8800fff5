"""Node Feature Discovery: features, rules, and a label that brings a shim."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.api.corev1 import Node
from kubesim.api.nfdv1alpha1 import NodeFeatureRule
from kubesim.controlplane.spin.features import features_of, labels_of, matches
from kubesim.facts import ShimInstalled
from kubesim.manifests import load_text
from kubesim.scenario import LiveRun, Scenario
from kubesim.share import share_path
from kubesim.sim.time import SECOND

NODE = """
apiVersion: v1
kind: Node
metadata: {name: n, annotations: {kubesim.dev/features.d: "edge\\nslots=4"}}
status:
  nodeInfo: {architecture: amd64, operatingSystem: linux, kernelVersion: 6.1.9-cloud, osImage: debian,
    bootID: '', containerRuntimeVersion: '', kubeProxyVersion: '', kubeletVersion: '', machineID: '',
    systemUUID: ''}
"""
RULE = """
apiVersion: nfd.k8s-sigs.io/v1alpha1
kind: NodeFeatureRule
metadata: {name: wasm}
spec:
  rules:
  - name: new enough
    labels: {example.com/wasm: "true", plain: "yes"}
    matchFeatures: [%s]
"""
TERM = "{feature: %s, matchExpressions: {%s: {op: %s, value: %s}}}"


def node() -> Node:
    found = load_text(NODE)[0].obj
    assert isinstance(found, Node)
    return found


def rule(terms: str) -> NodeFeatureRule:
    found = load_text(RULE % terms)[0].obj
    assert isinstance(found, NodeFeatureRule)
    return found


@pytest.mark.parametrize(
    ("feature", "element", "op", "value", "expected"),
    [
        ("kernel.version", "major", "In", "['5', '6']", True),
        ("kernel.version", "major", "NotIn", "['6']", False),
        ("kernel.version", "patch", "NotIn", "['6']", True),
        ("kernel.version", "minor", "Gt", "['0']", True),
        ("kernel.version", "minor", "Lt", "['1']", False),
        ("kernel.version", "revision", "GtLt", "['8', '10']", True),
        ("kernel.version", "full", "Gt", "['5']", False),
        ("kernel.version", "full", "InRegexp", "['cloud$']", True),
        ("system.osrelease", "ID", "In", "[debian]", True),
        ("system.name", "nodename", "Exists", "[]", True),
        ("local.feature", "edge", "IsTrue", "[]", True),
        ("local.feature", "edge", "IsFalse", "[]", False),
        ("local.feature", "slots", "Gt", "['3']", True),
        ("local.feature", "nothing", "DoesNotExist", "[]", True),
        ("pci.device", "vendor", "Exists", "[]", False),
    ],
)
def test_operators(feature: str, element: str, op: str, value: str, expected: bool) -> None:
    """Each operator as upstream has it; a feature that is not known matches nothing."""
    found = rule(TERM % (feature, element, op, value)).spec.rules[0]
    assert expected is matches(found, features_of(node()))


def test_labels() -> None:
    """Those of the sources are there without a rule; a rule's without a namespace get the default."""
    prefix = "feature.node.kubernetes.io/"
    labels = labels_of(node(), [rule(TERM % ("kernel.version", "major", "Gt", "['5']"))])
    assert {
        f"{prefix}kernel-version.full": "6.1.9-cloud",
        f"{prefix}kernel-version.major": "6",
        f"{prefix}system-os_release.ID": "debian",
        f"{prefix}edge": "true",
        f"{prefix}slots": "4",
        f"{prefix}plain": "yes",
        "example.com/wasm": "true",
    }.items() <= labels.items()


GREETER = share_path("scenarios") / "mixed-pool" / "modules" / "greeter" / "greeter.wasm"
SPEC = f"""
duration: 180s
images: [{{name: 'greeter:v1', wasm: {{module: {GREETER}, kind: wagi}}}}]
"""
POOLS = """[{name: old, count: 1, capacity: {cpu: '4', memory: 8Gi}},
  {name: new, count: 1, capacity: {cpu: '4', memory: 8Gi}}]"""
SHIM = """
---
apiVersion: runtime.spinkube.dev/v1alpha1
kind: Shim
metadata: {name: spin-v2}
spec:
  nodeSelector: {example.com/wasm: "true"}
  fetchStrategy: {type: anonymousHttp, anonHttp: {location: https://example.com/shim.tar.gz}}
  runtimeClass: {name: wasmtime-spin-v2, handler: spin-v2}
  rolloutStrategy: {type: recreate}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: wasm}
spec: {runtimeClassName: wasmtime-spin-v2, containers: [{name: a, image: 'greeter:v1'}]}
"""
MARK = """
apiVersion: v1
kind: Node
metadata: {name: new-0, annotations: {kubesim.dev/features.d: fit-for-wasm}}
"""
Write = Callable[..., Path]


def test_a_feature_brings_the_shim(write_scenario: Write) -> None:
    """A file on the host becomes a label, the label selects the node, a Job installs, the pod runs."""
    text = RULE % (TERM % ("local.feature", "fit-for-wasm", "Exists", "[]"))
    live = LiveRun(Scenario.load(write_scenario(SPEC, text + SHIM, pools=POOLS)))
    live.advance(5 * SECOND)
    live.simulation.apply([m.obj for m in load_text(POD)], what="pod")
    live.simulation.apply([m.obj for m in load_text(MARK)], what="mark")
    store = live.simulation.store
    live.advance(55 * SECOND)
    labels = store.get(Node, "new-0").metadata.labels
    assert "example.com/wasm" not in labels  # the worker looks once a minute
    assert "6" == labels["feature.node.kubernetes.io/kernel-version.major"]
    live.advance(120 * SECOND)
    ((_, installed),) = live.simulation.sim.journal.of(ShimInstalled)
    assert ("new-0", "spin-v2") == (installed.node, installed.handler)
    assert "provisioned" == store.get(Node, "new-0").metadata.labels["spin-v2"]
    assert "spin-v2" not in store.get(Node, "old-0").metadata.labels
    (pod,) = (p for p in live.view.pods() if p["name"] == "wasm")
    assert ("new-0", True) == (pod["node"], pod["ready"])
    assert () == live.scenario.unsimulated


def test_a_label_goes_with_its_rule(write_scenario: Write) -> None:
    """What Node Feature Discovery put there it takes away; other labels stay."""
    text = RULE % (TERM % ("kernel.version", "major", "Exists", "[]"))
    live = LiveRun(Scenario.load(write_scenario(SPEC, text)))
    live.advance(5 * SECOND)
    store = live.simulation.store
    assert "true" == store.get(Node, "pool-0").metadata.labels["example.com/wasm"]
    live.simulation.delete(NodeFeatureRule, "wasm")
    live.advance(10 * SECOND)
    labels = store.get(Node, "pool-0").metadata.labels
    assert "example.com/wasm" not in labels
    assert "pool" == labels["kubesim.dev/pool"]
