"""Every field of KubeletConfiguration and config.toml has an effect, or it is said that it has none."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import kubesim
from kubesim.node.containerd.config import CriConfig, RuntimeEntry
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.scenario import Scenario
from kubesim.scenario.format.kubelet import SimulatedKubelet

HERE = Path(kubesim.__file__).parent
WHERE_THEY_ARE_MADE = ("configuration.py", "nodeconfig.py", "config.py")
SAID = {"pod_pids_limit", "sandbox_image"}
OTHER: dict[str, Any] = {
    "serializeImagePulls": False,
    "maxParallelImagePulls": 3,
    "registryPullQPS": 1,
    "registryBurst": 1,
    "kubeAPIQPS": 1,
    "kubeAPIBurst": 1,
    "maxPods": 7,
    "podsPerCore": 3,
    "podPidsLimit": 100,
    "cpuCFSQuota": False,
    "cpuCFSQuotaPeriod": "10ms",
    "kubeReserved": {"cpu": "100m"},
    "systemReserved": {"cpu": "100m"},
    "evictionHard": {"memory.available": "1Gi"},
    "mergeDefaultEvictionSettings": True,
    "evictionSoft": {"memory.available": "1Gi"},
    "evictionSoftGracePeriod": {"memory.available": "1m"},
    "evictionMaxPodGracePeriod": 30,
    "evictionMinimumReclaim": {"memory.available": "1Gi"},
    "evictionPressureTransitionPeriod": "1m",
    "imageGCHighThresholdPercent": 90,
    "imageGCLowThresholdPercent": 70,
    "imageMinimumGCAge": "1m",
    "imageMaximumGCAge": "1h",
    "nodeStatusUpdateFrequency": "20s",
    "nodeStatusMaxImages": 5,
    "nodeLeaseDurationSeconds": 80,
    "enforceNodeAllocatable": ["none"],
    "kernelMemcgNotification": True,
    "volumeStatsAggPeriod": "2m",
    "crashLoopBackOff": {"maxContainerRestartPeriod": "20s"},
}
TOGETHER = {
    "evictionSoft": ("evictionSoftGracePeriod",),
    "mergeDefaultEvictionSettings": ("evictionHard",),
}


def loaded(folder: Path, **pool: Any) -> Scenario:
    pool = {"name": "p", "count": 1, "capacity": {"cpu": "4", "memory": "16Gi"}, **pool}
    document = {
        "apiVersion": "kubesim.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "test"},
        "spec": {"duration": "1m", "nodePools": [pool]},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(document))
    (folder / "manifest.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
        "spec: {containers: [{name: c, image: 'i:1'}]}\n"
    )
    return Scenario.load(folder)


def settings_of(scenario: Scenario) -> KubeletConfiguration:
    (node,) = scenario.cluster_config(seed=1, horizon_ns=1).nodes
    return node.kubelet


def test_the_list_of_fields_is_complete() -> None:
    """What is declared as simulated is tried below."""
    declared = {
        field.alias for name, field in SimulatedKubelet.model_fields.items() if name != "file"
    }

    assert declared == set(OTHER)


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_field_of_the_kubelet_changes_its_configuration(tmp_path: Path, name: str) -> None:
    """Another value is another configuration than the same without it."""
    beside = {other: OTHER[other] for other in TOGETHER.get(name, ())}
    with_it = loaded(tmp_path, kubelet={**beside, name: OTHER[name]})
    after = settings_of(with_it)
    before = settings_of(loaded(tmp_path, kubelet=beside))

    assert before != after
    assert (name == "podPidsLimit") is any(name in said for said in with_it.unsimulated)


def read_attributes() -> set[str]:
    """The names of attributes that code below the scenario reads."""
    found: set[str] = set()
    for room in ("node", "cluster"):
        for file in (HERE / room).rglob("*.py"):
            if file.name in WHERE_THEY_ARE_MADE:
                continue
            nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            found |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return found


@pytest.mark.parametrize("model", [KubeletConfiguration, CriConfig])
def test_what_is_configured_is_read(model: type) -> None:
    """By the code that it is meant for: nothing is parsed in vain."""
    through = {
        "cpu_cfs_quota": "cfs_period_us",
        "cpu_cfs_quota_period_ns": "cfs_period_us",
        "kube_reserved": "allocatable",
        "system_reserved": "allocatable",
        "max_pods": "allocatable",
        "pods_per_core": "allocatable",
        "runtimes": "entry",
        "node_lease_duration_seconds": "lease_renew_period_ns",
    }
    read = read_attributes()
    unread = {
        field.name
        for field in fields(model)
        if field.name not in read and through.get(field.name) not in read
    }

    assert unread - SAID == set()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"sandbox_image": "pause:1"}, "sandbox_image"),
        ({"snapshotter": "native"}, "snapshotter native"),
        (
            {
                "runtimes": {
                    "x": {"runtime_type": "io.containerd.spin.v2", "snapshotter": "stargz"}
                }
            },
            "runtimes.x.snapshotter",
        ),
        (
            {"runtimes": {"x": {"runtime_type": "io.containerd.spin.v2", "sandboxer": "shim"}}},
            "runtimes.x.sandboxer",
        ),
        (
            {
                "runtimes": {
                    "x": {"runtime_type": "io.containerd.runc.v2", "options": {"Root": "/run/x"}}
                }
            },
            "runtimes.x.options.Root",
        ),
    ],
)
def test_what_containerd_does_not_heed_here_is_said(
    tmp_path: Path, table: dict[str, Any], said: str
) -> None:
    """Of a runtime table and of the rest."""
    scenario = loaded(tmp_path, containerd=table)

    assert f"pool p: containerd {said} has no effect" in scenario.unsimulated
    assert {"shim", "pod_annotations"} == {f.name for f in fields(RuntimeEntry)} - {"snapshotter"}


@pytest.mark.parametrize(
    ("kubelet", "said"),
    [
        ({"evictionHard": {"nodefs.inodesFree": "5%"}}, "evictionHard nodefs.inodesFree"),
        ({"evictionHard": {"pid.available": "1000"}}, "evictionHard pid.available"),
        ({"enforceNodeAllocatable": ["pods", "system-reserved"]}, "system-reserved"),
    ],
)
def test_what_the_eviction_manager_cannot_measure_is_said(
    tmp_path: Path, kubelet: dict[str, Any], said: str
) -> None:
    """Inodes and process ids; the daemons' own cgroups."""
    assert any(said in line for line in loaded(tmp_path, kubelet=kubelet).unsimulated)
