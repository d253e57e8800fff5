"""The shims side by side: what each takes, what each refuses, what each keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import Cluster, NodeUnderTest, bound, image, program

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.api.nodev1 import RuntimeClass
from kubesim.calibration import load_preset, preset_names
from kubesim.cluster.engine import new_memo, shared_engine
from kubesim.cluster.shims import KNOWN_SHIMS, WASM_SHIMS, ShimMaker
from kubesim.facts import ContainerExited, LogWritten, ModuleLoaded
from kubesim.node.containerd.config import CriConfig, RuntimeEntry
from kubesim.node.shim import NodeServices, Shim, ShimError, TaskSpec
from kubesim.node.shim.crun import POD_ANNOTATIONS
from kubesim.wire.image import Image, WasmKind, WasmProgram, sha256_digest

SECOND = 1_000_000_000
REPORT = Path(__file__).parents[3] / "scenarios/mixed-pool/modules/report/report.wasm"


def maker(services: NodeServices) -> ShimMaker:
    """Shims with the seed's numbers."""
    memo = new_memo()
    return ShimMaker(
        services,
        preset=load_preset("seed"),
        engine=shared_engine,
        memo=lambda: memo,
        horizon_ns=3600 * SECOND,
        calls=None,
    )


def wasm(kind: WasmKind = WasmKind.COMMAND) -> WasmProgram:
    """A module that counts primes and ends."""
    module = REPORT.read_bytes()
    return WasmProgram(module=module, digest=sha256_digest(module), kind=kind)


def spec(program: Any, **more: Any) -> TaskSpec:
    """A container of that program."""
    return TaskSpec(
        namespace="default", pod="web", uid="u1", container="main", attempt=0,
        program=program, ip="10.0.0.9", **more,
    )  # fmt: skip


@pytest.fixture
def shims() -> ShimMaker:
    return maker(NodeUnderTest(Cluster(), kubelet=False).services)


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("name", KNOWN_SHIMS)
def test_every_shim_has_numbers_in_every_preset(preset: str, name: str) -> None:
    """None is missing when a node is made with it."""
    numbers = load_preset(preset)
    found = numbers.wasm_runtimes if name in WASM_SHIMS else numbers.runtimes

    assert found[name].overhead.value > 0


@pytest.mark.parametrize("name", WASM_SHIMS)
def test_every_wasm_shim_really_runs_the_module(name: str) -> None:
    """The same output, whatever its name: it is one engine underneath."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, kubelet=False)
    task = maker(node.services).make(name).create(spec(wasm()))
    cluster.do(task.start())
    cluster.run(60)

    assert any("78498 primes" in log.line for log in cluster.facts(LogWritten))
    assert 0 == task.exited.value.exit_code


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("spin", {"wagi", "http", "command"}),
        ("slight", {"wagi", "command"}),
        ("wasmtime", {"http", "command"}),
        ("wasmedge", {"command"}),
        ("wasmer", {"command"}),
        ("wamr", {"command"}),
    ],
)
def test_what_each_takes(shims: ShimMaker, name: str, kinds: set[str]) -> None:
    """Only the triggers that the real one has."""
    shim = shims.make(name)
    for kind in WasmKind:
        if kind.value in kinds:
            assert shim.create(spec(wasm(kind))) is not None
        else:
            with pytest.raises(ShimError, match=f'no trigger .* of kind "{kind.value}"'):
                shim.create(spec(wasm(kind)))


@pytest.mark.parametrize("name", ["runc", "runsc", "kata", "crun"])
def test_linux_runtimes_cannot_execute_a_module(shims: ShimMaker, name: str) -> None:
    """crun neither, as long as nobody tells it to."""
    with pytest.raises(ShimError, match="exec format error"):
        shims.make(name).create(spec(wasm()))


@pytest.mark.parametrize(
    "annotation",
    [("module.wasm.image/variant", "compat"), ("module.wasm.image/variant", "compat-smart"),
     ("run.oci.handler", "wasm")],
)  # fmt: skip
def test_crun_runs_a_module_when_it_is_told_to(annotation: tuple[str, str]) -> None:
    """By one of its annotations."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, kubelet=False)
    task = maker(node.services).make("crun").create(spec(wasm(), annotations=(annotation,)))
    cluster.do(task.start())
    cluster.run(60)

    assert 0 == task.exited.value.exit_code


@pytest.mark.parametrize("patterns", [POD_ANNOTATIONS, ()])
def test_an_annotation_reaches_crun_only_through_the_runtime_table(
    patterns: tuple[str, ...],
) -> None:
    """containerd hands on what ``pod_annotations`` names, which is nothing by default."""
    cluster = Cluster()

    def table(services: NodeServices) -> dict[str, Shim]:
        return {"crun": maker(services).make("crun")}

    cri = CriConfig(
        runtimes=FrozenMap({"crun": RuntimeEntry(shim="crun", pod_annotations=patterns)})
    )
    node = NodeUnderTest(cluster, image(runs=wasm()), shims=table, cri=cri)
    cluster.api.create(RuntimeClass(metadata=ObjectMeta(name="crun"), handler="crun"))
    annotations = {"module.wasm.image/variant": "compat"}
    cluster.api.create(
        bound(runtimeClassName="crun", annotations=annotations, restartPolicy="Never")
    )
    cluster.run(60)
    ended = [fact.exit_code for fact in cluster.facts(ContainerExited)]
    refused = [m for m in cluster.events("Failed") if "exec format error" in m]

    assert ([0] if patterns else []) == ended
    assert bool(patterns) is not bool(refused)
    assert "main" == node.cluster.pod().spec.containers[0].name


def test_a_linux_container_runs_beside_a_module(shims: ShimMaker) -> None:
    """A sidecar in a Wasm pod is an ordinary process; an image nobody described is not taken for one."""
    linux = program()
    task = shims.make("spin").create(spec(linux))

    assert "RuncTask" == type(task).__name__
    with pytest.raises(ShimError, match="no Wasm layer"):
        shims.make("spin").create(spec(replace(linux, guessed=True)))


def modules_loaded(name: str) -> list[bool]:
    """Whether each of three starts compiled: two, then a third after the image went and came back."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, kubelet=False)
    services = replace(node.services, content=node.containerd.images.content)
    shim = maker(services).make(name)
    content = node.containerd.images.content
    layer = image("w:1").layers[0]
    layer = replace(layer, digest=wasm().digest)
    for number in range(3):
        if number == 2:
            content.ingest(layer).done.succeed()
            content.collect([])
        task = shim.create(replace(spec(wasm()), attempt=number))
        cluster.do(task.start())
    return [fact.compiled for fact in cluster.facts(ModuleLoaded)]


def test_what_was_compiled_goes_with_the_image() -> None:
    """Compiled once a node, and again when the image had to be pulled again."""
    assert [True, False, True] == modules_loaded("spin")


def test_a_shim_without_a_compiler_keeps_nothing() -> None:
    """WAMR interprets."""
    assert [False, False, False] == modules_loaded("wamr")


def test_a_compiled_module_takes_disk() -> None:
    """Beside the module, until the image goes."""
    cluster = Cluster()
    module = wasm()
    layer = replace(image("w:1").layers[0], digest=module.digest, media_type="application/wasm")
    whole = Image(name="w:1", digest="w", layers=(layer,), program=module)
    node = NodeUnderTest(cluster, whole, kubelet=False)
    services = replace(node.services, content=node.containerd.images.content)
    cluster.do(node.containerd.images.pull("w:1"))
    before = node.containerd.image_fs_info()
    cluster.do(maker(services).make("spin").create(spec(module)).start())

    assert before + 3 * len(module.module) == node.containerd.image_fs_info()

    cluster.do(node.containerd.remove_image("w"))

    assert 0 == node.containerd.image_fs_info()
