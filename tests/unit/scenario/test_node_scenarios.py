"""The scenarios about nodes hold what their READMEs say; and what limits a node's density."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kubesim.scenario import Scenario
from kubesim.scenario.live import LiveRun

MAX_PODS = "Too many pods"


@pytest.mark.parametrize(("kubelet", "fit"), [({}, 110), ({"maxPods": 120}, 120)])
def test_max_pods_caps_density_before_memory_does(
    tmp_path: Path, kubelet: dict[str, int], fit: int
) -> None:
    """A node of 64 GiB and 130 small Wasm pods: the 111th is Pending, and not for want of memory."""
    module = Path("scenarios/mixed-pool/modules/greeter/greeter.wasm").resolve()
    documents = [
        {
            "apiVersion": "kubesim.dev/v1alpha1",
            "kind": "Scenario",
            "metadata": {"name": "density"},
            "spec": {
                "duration": "3m",
                "nodePools": [
                    {"name": "n", "count": 1, "capacity": {"cpu": "32", "memory": "64Gi"},
                     "runtimes": ["runc", "wasmtime", "spin"], "kubelet": kubelet}
                ],
                "images": [{"name": "g:1", "wasm": {"module": str(module), "kind": "wagi"}}],
            },
        },
        {
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
            "metadata": {"name": "spin"}, "handler": "spin",
        },
        {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "g"},
            "spec": {
                "replicas": 130,
                "selector": {"matchLabels": {"app": "g"}},
                "template": {
                    "metadata": {"labels": {"app": "g"}},
                    "spec": {
                        "runtimeClassName": "spin",
                        "containers": [{"name": "g", "image": "g:1"}],
                    },
                },
            },
        },
    ]  # fmt: skip
    file = tmp_path / "scenario.yaml"
    file.write_text("---\n".join(yaml.safe_dump(each) for each in documents))
    live = LiveRun(Scenario.load(file))
    live.advance(live.end_ns)
    pods = live.view.pods()
    (node,) = live.view.nodes()
    pending = [pod for pod in pods if not pod["node"]]

    assert fit == len([pod for pod in pods if pod["ready"]])
    assert 130 - fit == len(pending)
    assert all(MAX_PODS in pod["message"] for pod in pending)
    assert node["memory_peak"] < 8 * 2**30
