"""Volumes: what real modules find under their mount paths, and what happens when it is missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest, bound, image

from kubesim.api.corev1 import ConfigMap, PersistentVolumeClaim, Pod, Secret
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.api.nodev1 import RuntimeClass
from kubesim.facts import LogWritten
from kubesim.node.shim import NodeServices, Shim
from kubesim.node.shim.pool import InstanceNumbers
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.wasm import WasmShim
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim.distribution import Constant
from kubesim.wasm import Engine, TimeModel
from kubesim.wasm.memo import Memo
from kubesim.wire.image import SpinGrants, WasmKind, WasmProgram, sha256_digest

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wasm"


def wasm_shims(services: NodeServices) -> Mapping[str, Shim]:
    engine = Engine()
    memo = Memo(engine)

    def shim(name: str) -> WasmShim:
        return WasmShim(
            services,
            runtime=WasmRuntime(
                name=name,
                kinds=frozenset(WasmKind),
                start=Constant(20 * MILLISECOND),
                stop=Constant(5 * MILLISECOND),
                listen=Constant(10 * MILLISECOND),
                instances=InstanceNumbers(cold=Constant(MILLISECOND)),
                instance_bytes=3 << 20,
                pod_overhead_bytes=1 << 20,
                time=TimeModel(fuel_per_us=1000, host_call_ns=1000),
                horizon_ns=3600 * SECOND,
            ),
            engine=lambda: engine,
            memo=lambda: memo,
            modules=PrecompiledModules(
                services, runtime=name, compile_per_kib=Constant(0), load=Constant(0)
            ),
        )

    return {
        "wasmtime": shim("containerd-shim-wasmtime-v1"),
        "spin": shim("containerd-shim-spin-v2"),
    }


def module(name: str, **grants: Any) -> Any:
    code = bytes(wasmtime.wat2wasm((FIXTURES / f"{name}.wat").read_text()))
    runs = WasmProgram(
        module=code,
        digest=sha256_digest(code),
        kind=WasmKind.COMMAND,
        grants=SpinGrants(**grants),
    )
    return image(f"{name}:1", runs=runs)


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    for name in ("wasmtime", "spin"):
        cluster.api.create(RuntimeClass(metadata=ObjectMeta(name=name), handler=name))
    return cluster


@pytest.fixture
def node(cluster: Cluster) -> NodeUnderTest:
    images = [module("writes_file"), module("reads_file"), image()]
    return NodeUnderTest(cluster, *images, shims=wasm_shims)


def container(name: str, app: str, **mount: Any) -> dict[str, Any]:
    mounts = [{"name": "data", "mountPath": "/data", **mount}]
    return {"name": name, "image": f"{app}:1", "volumeMounts": mounts}


def pod(name: str, *containers: Any, runtime: str = "wasmtime", **volume: Any) -> Pod:
    volumes = [{"name": "data", **volume}]
    return bound(
        name,
        containers=containers,
        volumes=volumes,
        runtimeClassName=runtime,
        restartPolicy="Never",
    )


def printed(cluster: Cluster, name: str) -> list[str]:
    return [fact.line for fact in cluster.facts(LogWritten) if fact.name == name]


def config_map(**data: str) -> ConfigMap:
    return ConfigMap(
        metadata=ObjectMeta(name="settings", namespace="default"), data=FrozenMap(data)
    )


def test_containers_of_a_pod_share_an_empty_dir(cluster: Cluster, node: NodeUnderTest) -> None:
    """What one writes, the next one reads: real modules, through WASI."""
    writer, reader = container("one", "writes_file"), container("two", "reads_file")
    cluster.api.create(pod("web", writer, reader, emptyDir={}))
    cluster.run(5)

    assert ["hello"] == printed(cluster, "web")
    assert "Succeeded" == cluster.pod().status.phase


def test_an_empty_dir_is_empty_in_the_next_pod(cluster: Cluster, node: NodeUnderTest) -> None:
    """It lives as long as its pod."""
    cluster.api.create(pod("web", container("one", "writes_file"), emptyDir={}))
    cluster.run(5)
    cluster.api.create(pod("next", container("two", "reads_file"), emptyDir={}))
    cluster.run(5)

    assert [44] == [fact.exit_code for _, fact in node.exits("two")]  # ENOENT


def test_a_host_path_outlives_its_pod(cluster: Cluster, node: NodeUnderTest) -> None:
    """The next pod on the node finds what the one before wrote, and adds to it."""
    for name in ("first", "second"):
        cluster.api.create(
            pod(name, container("one", "writes_file"), hostPath={"path": "/var/log/app"})
        )
        cluster.run(5)
    cluster.api.create(
        pod("third", container("two", "reads_file"), hostPath={"path": "/var/log/app"})
    )
    cluster.run(5)

    assert ["hello", "hello"] == printed(cluster, "third")


def test_a_claims_volume_outlives_its_pod(cluster: Cluster, node: NodeUnderTest) -> None:
    """The contents belong to the persistent volume; an unbound claim is waited for."""
    claim = PersistentVolumeClaim.model_validate(
        {"metadata": {"name": "disk", "namespace": "default"}, "spec": {"volumeName": "pv-1"}}
    )
    source = {"claimName": "disk"}
    cluster.api.create(pod("first", container("one", "writes_file"), persistentVolumeClaim=source))
    cluster.run(5)
    early = printed(cluster, "first")
    cluster.api.create(claim)
    cluster.run(10)
    cluster.api.create(pod("second", container("two", "reads_file"), persistentVolumeClaim=source))
    cluster.run(5)

    assert [] == early
    assert 'persistentvolumeclaims "disk" not found' in cluster.events("FailedMount")[0]
    assert ["hello"] == printed(cluster, "second")


def test_a_read_only_mount_cannot_be_written(cluster: Cluster, node: NodeUnderTest) -> None:
    """The module gets EROFS, and ends with it."""
    cluster.api.create(pod("web", container("one", "writes_file", readOnly=True), emptyDir={}))
    cluster.run(5)

    assert [69] == [fact.exit_code for _, fact in node.exits("one")]


@pytest.mark.parametrize(
    "source",
    [
        {"configMap": {"name": "settings"}},
        {"configMap": {"name": "settings", "items": [{"key": "log", "path": "log"}]}},
        {"projected": {"sources": [{"configMap": {"name": "settings"}}]}},
        {"secret": {"secretName": "keys"}},
        {"downwardAPI": {"items": [{"path": "log", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ],
)
def test_api_objects_become_files(
    cluster: Cluster, node: NodeUnderTest, source: dict[str, Any]
) -> None:
    """ConfigMaps, Secrets and facts about the pod are read through WASI like any file."""
    cluster.api.create(config_map(log="web"))
    cluster.api.create(
        Secret(
            metadata=ObjectMeta(name="keys", namespace="default"), data=FrozenMap({"log": "d2Vi"})
        )
    )
    cluster.api.create(pod("web", container("two", "reads_file"), **source))
    cluster.run(5)

    assert ["web"] == printed(cluster, "web")


def test_a_missing_config_map_holds_the_pod(cluster: Cluster, node: NodeUnderTest) -> None:
    """ContainerCreating with upstream's event, and a start once it is there."""
    cluster.api.create(pod("web", container("two", "reads_file"), configMap={"name": "settings"}))
    cluster.run(3)
    waiting = cluster.pod().status.container_statuses[0].state.waiting
    cluster.api.create(config_map(log="there"))
    cluster.run(5)
    expected = 'MountVolume.SetUp failed for volume "data" : configmap "settings" not found'

    assert waiting is not None
    assert "ContainerCreating" == waiting.reason
    assert [expected] * 3 == cluster.events("FailedMount")  # at once, after 0.5 s, after 1.5 s
    assert ["there"] == printed(cluster, "web")


def test_an_optional_config_map_may_be_missing(cluster: Cluster, node: NodeUnderTest) -> None:
    """The volume is empty then."""
    source = {"name": "settings", "optional": True}
    cluster.api.create(pod("web", container("two", "reads_file"), configMap=source))
    cluster.run(3)

    assert [44] == [fact.exit_code for _, fact in node.exits("two")]


def test_a_config_map_that_changes_is_seen_after_a_while(
    cluster: Cluster, node: NodeUnderTest
) -> None:
    """Within the kubelet's sync period; a subPath stays as it was."""
    cluster.api.create(config_map(log="old"))
    readers = [container("two", "reads_file"), container("sub", "reads_file", subPath="log")]
    readers[1]["volumeMounts"][0]["mountPath"] = "/data/log"
    spec = pod("web", *readers, configMap={"name": "settings"})
    cluster.api.create(spec.replace(spec=spec.spec.replace(restart_policy="Always")))
    cluster.run(3)
    cluster.update(ConfigMap, "default/settings", lambda m: m.replace(data=FrozenMap(log="new")))
    cluster.run(200)
    lines = [(fact.container, fact.line) for fact in cluster.facts(LogWritten)]

    assert ("two", "old") == lines[0]
    assert ("two", "new") == [line for line in lines if line[0] == "two"][-1]


def test_a_spin_application_needs_the_stores_of_its_runtime_configuration(
    cluster: Cluster,
) -> None:
    """The shim reads /runtime-config.toml; a label that is not defined there is refused."""
    app = module("exit_three", key_value_stores=("cache",))
    NodeUnderTest(cluster, app, shims=wasm_shims)
    spec = container("spin", "exit_three", subPath="runtime-config.toml")
    spec["volumeMounts"][0]["mountPath"] = "/runtime-config.toml"
    for name, text in (
        ("web", "[key_value_store.other]\ntype = 'spin'\n"),
        ("good", "[key_value_store.cache]\ntype = 'spin'\n"),
    ):
        cluster.api.create(
            ConfigMap(
                metadata=ObjectMeta(name=name, namespace="default"),
                data=FrozenMap({"runtime-config.toml": text}),
            )
        )
        cluster.api.create(pod(name, spec, runtime="spin", configMap={"name": name}))
        cluster.run(10)
    refused = cluster.pod("web").status.container_statuses[0].state.terminated
    good = cluster.pod("good").status.container_statuses[0].state.terminated

    assert refused is not None
    assert (137, "Error") == (refused.exit_code, refused.reason)
    said = [fact.line for fact in cluster.facts(LogWritten) if fact.name == "web"]
    assert ['Error: unknown key_value_stores label "cache" for component "spin"'] == said
    assert good is not None
    assert 3 == good.exit_code
