"""Kubelet and containerd configured as an operator does it: names, files, what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubesim.errors import InputError
from kubesim.scenario import Scenario

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i:v1"}]},
}


def scenario(folder: Path, **pool: Any) -> Path:
    """A scenario with one pool of those settings."""
    pool = {"name": "pool", "count": 1, "capacity": {"cpu": "4", "memory": "16Gi"}, **pool}
    document = {
        "apiVersion": "kubesim.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "test"},
        "spec": {"duration": "1m", "nodePools": [pool]},
    }
    file = folder / "scenario.yaml"
    file.write_text(f"{yaml.safe_dump(document)}---\n{yaml.safe_dump(POD)}")
    return file


def node_of(file: Path) -> Any:
    """The one node of a scenario."""
    (node,) = Scenario.load(file).cluster_config(seed=1, horizon_ns=1).nodes
    return node


def refusal(file: Path) -> str:
    """What loading complains about."""
    with pytest.raises(InputError) as refused:
        Scenario.load(file)
    return "\n".join(str(problem) for problem in refused.value.problems)


def test_allocatable_is_capacity_less_reserved_less_hard_eviction(tmp_path: Path) -> None:
    """The kubelet's own sum; a threshold that is not given when others are does not count."""
    kubelet = {
        "kubeReserved": {"cpu": "100m", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        "systemReserved": {"cpu": "200m", "memory": "500Mi"},
        "evictionHard": {"memory.available": "5%"},
        "maxPods": 250,
    }
    node = node_of(scenario(tmp_path, kubelet=kubelet))
    memory = 16 * 2**30
    expected = memory - 2**30 - 500 * 2**20 - memory * 5 // 100

    assert 3700 == node.allocatable["cpu"].milli_value()
    assert expected == node.allocatable["memory"].value()
    assert 99 * 2**30 == node.allocatable["ephemeral-storage"].value()
    assert 250 == node.allocatable["pods"].value() == node.capacity["pods"].value()


@pytest.mark.parametrize(
    ("cloud", "cpu_millis", "memory_mib"),
    [
        # 6 % of a core, 1 %, 0.5 % of two: 80m; 255 MiB and 11 MiB for each of 110 pods.
        ("eks", 80, 255 + 11 * 110),
        # 25 % of 4 GiB, 20 % of 4, 10 % of 8.
        ("gke", 80, 1024 + 819.2 + 819.2),
        # 140m at four cores; 50 MB and 20 MB a pod, less than a quarter.
        ("aks", 140, (50 + 20 * 110) * 10**6 / 2**20),
    ],
)
def test_what_the_clouds_reserve(
    tmp_path: Path, cloud: str, cpu_millis: int, memory_mib: float
) -> None:
    """On a machine of four cores and 16 GiB; 100 MiB more is the eviction threshold."""
    node = node_of(scenario(tmp_path, reserved=cloud))

    assert 4000 - cpu_millis == node.allocatable["cpu"].milli_value()
    reserved = node.capacity["memory"].value() - node.allocatable["memory"].value()
    assert int(memory_mib * 2**20) == reserved - 100 * 2**20


def test_a_quarter_is_the_most_that_aks_reserves(tmp_path: Path) -> None:
    """A small machine with many pods."""
    capacity = {"cpu": "2", "memory": "4Gi"}
    node = node_of(scenario(tmp_path, reserved="aks", capacity=capacity))
    reserved = node.capacity["memory"].value() - node.allocatable["memory"].value()

    assert 2**30 == reserved - 100 * 2**20


@pytest.mark.parametrize(
    ("kubelet", "serialize", "parallel"),
    [
        ({}, True, 0),
        ({"maxParallelImagePulls": 4}, False, 4),
        ({"maxParallelImagePulls": 1}, True, 1),
        ({"serializeImagePulls": False}, False, 0),
    ],
)
def test_parallel_pulls_mean_that_they_are_not_serialized(
    tmp_path: Path, kubelet: dict[str, Any], serialize: bool, parallel: int
) -> None:
    """Upstream's default of serializeImagePulls depends on maxParallelImagePulls."""
    settings = node_of(scenario(tmp_path, kubelet=kubelet)).kubelet

    assert serialize is settings.serialize_image_pulls
    assert parallel == settings.max_parallel_image_pulls


@pytest.mark.parametrize(
    ("kubelet", "said"),
    [
        ({"serializeImagePull": True}, 'did you mean "serializeImagePulls"?'),
        ({"evictionHard": {"memory.free": "1Gi"}}, "memory.available"),
        ({"evictionHard": {"memory.available": "120%"}}, "between 0% and 100%"),
        ({"imageGCLowThresholdPercent": 90}, "must be less than"),
        ({"serializeImagePulls": True, "maxParallelImagePulls": 3}, "unless serializeImagePulls"),
        ({"evictionSoft": {"memory.available": "1Gi"}}, "evictionSoftGracePeriod"),
        ({"file": "nowhere.yaml"}, 'no file "nowhere.yaml"'),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, kubelet: dict[str, Any], said: str
) -> None:
    """Unknown fields with a suggestion, values that cannot be, combinations that upstream refuses."""
    text = refusal(scenario(tmp_path, kubelet=kubelet))

    assert said in text
    assert "scenario.yaml:" in text


def test_what_upstream_has_and_is_not_simulated_is_said(tmp_path: Path) -> None:
    """Not an error, not silence."""
    loaded = Scenario.load(scenario(tmp_path, kubelet={"cgroupDriver": "systemd"}))

    assert "pool pool: KubeletConfiguration cgroupDriver has no effect" in loaded.unsimulated


def test_a_real_kubelet_configuration(tmp_path: Path) -> None:
    """The file is read, and what stands beside it wins."""
    (tmp_path / "kubelet.yaml").write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
        "maxPods: 50\nregistryPullQPS: 0\nclusterDNS: [10.0.0.10]\n"
        "evictionHard: {memory.available: 200Mi}\n"
    )
    both = {"file": "kubelet.yaml", "maxPods": 60}
    loaded = Scenario.load(scenario(tmp_path, kubelet=both))
    node = loaded.cluster_config(seed=1, horizon_ns=1).nodes[0]

    assert (60, 0) == (node.kubelet.max_pods, node.kubelet.registry_pull_qps)
    assert 200 * 2**20 == (node.capacity["memory"] - node.allocatable["memory"]).value()
    assert "pool pool: KubeletConfiguration clusterDNS has no effect" in loaded.unsimulated
    assert 50 == node_of(scenario(tmp_path, kubelet="kubelet.yaml")).kubelet.max_pods


V2 = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.9"
  max_concurrent_downloads = 6
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "stargz"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.spin-v2]
  runtime_type = "/opt/kwasm/bin/containerd-shim-spin-v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.wasmtime]
  runtime_type = "io.containerd.wasmtime.v1"
[plugins."io.containerd.snapshotter.v1.overlayfs"]
  root_path = ""
"""
V3 = """\
version = 3
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "stargz"
  max_concurrent_downloads = 6
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "registry.k8s.io/pause:3.9"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.spin-v2]
  runtime_type = "/opt/kwasm/bin/containerd-shim-spin-v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.wasmtime]
  runtime_type = "io.containerd.wasmtime.v1"
"""


@pytest.mark.parametrize("text", [V2, V3])
def test_a_real_config_toml(tmp_path: Path, text: str) -> None:
    """Both versions: images, runtimes by the binary's name; the pool's own runtimes stay."""
    (tmp_path / "config.toml").write_text(text)
    cri = node_of(scenario(tmp_path, containerd="config.toml")).cri

    assert (6, "stargz") == (cri.max_concurrent_downloads, cri.snapshotter)
    assert "registry.k8s.io/pause:3.9" == cri.sandbox_image
    assert {"spin-v2": "spin", "wasmtime": "wasmtime", "runc": "runc"} == {
        handler: entry.shim for handler, entry in cri.runtimes.items()
    }


def test_mistakes_in_a_config_toml_have_a_line(tmp_path: Path) -> None:
    """Unknown keys and wrong types, where they stand."""
    wrong = V2.replace("max_concurrent_downloads = 6", 'max_concurrent_downlods = "x"')
    (tmp_path / "config.toml").write_text(wrong)
    text = refusal(scenario(tmp_path, containerd="config.toml"))

    assert 'config.toml:4:3: unknown field "max_concurrent_downlods"' in text
    assert 'did you mean "max_concurrent_downloads"?' in text


def test_other_plugins_are_reported(tmp_path: Path) -> None:
    """They may be there and make no difference."""
    (tmp_path / "config.toml").write_text(V2)
    loaded = Scenario.load(scenario(tmp_path, containerd="config.toml"))
    note = 'config.toml: plugins."io.containerd.snapshotter.v1.overlayfs" has no effect'

    assert note in loaded.unsimulated


def test_a_runtime_needs_a_model(tmp_path: Path) -> None:
    """A shim nobody knows is a mistake, told with what there is."""
    runtimes = {"spin": {"runtime_type": "io.containerd.spinn.v2"}}
    text = refusal(scenario(tmp_path, containerd={"runtimes": runtimes}))

    assert 'did you mean "spin"?' in text
