"""Presets: coherent sets of numbers, one file each in ``models/presets``.

The sections carry the names of the components that spend the time. Nothing is averaged between
presets: two values from different sources are two presets.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kubesim.calibration.number import (
    BytesNumber,
    CalibrationModel,
    CountNumber,
    DurationNumber,
    RateNumber,
)
from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, read_paths, validate
from kubesim.share import share_path


class APIServerNumbers(CalibrationModel):
    """Between a component and the API server."""

    request: DurationNumber
    watch: DurationNumber


class SchedulerNumbers(CalibrationModel):
    """kube-scheduler."""

    cycle: DurationNumber


class KubeletNumbers(CalibrationModel):
    """kubelet."""

    volumes: DurationNumber


class ContainerdNumbers(CalibrationModel):
    """containerd and what it calls.

    The last nine are what unpacking takes beside its bytes, and ending and resizing; a preset that
    leaves them out lets them take no time.

    Attributes:
        sandbox_network: Network namespace and CNI ADD.
        sandbox_runtime: Creating and starting the pause container.
        create_container: Snapshot and spec of a Linux container.
        create_wasm_container: The same for a container without a root file system.
        unpack_rate: Bytes of compressed layer a second, one layer at a time.
        unpack_ratio_percent: Size of an unpacked layer in percent of the compressed one.
        lazy_prefetch_per_mille: How much of a lazy image has to be here for a container to start.
        restart: Restarting containerd until it answers again.
        unpack_image: Before the first layer of an image is unpacked.
        unpack_layer: What each layer takes beside its bytes: snapshot, mount and commit.
        kill_container: From SIGKILL until the shim has told of the end.
        remove_container: RemoveContainer of one that has ended.
        stop_sandbox: StopPodSandbox: the pause container's end.
        stop_network: CNI DEL in StopPodSandbox; ``stop_sandbox`` has it where this is absent.
        remove_sandbox: RemovePodSandbox of a stopped one.
        remove_network: What that takes longer if it had a network of its own; likewise.
        update_container: UpdateContainerResources, and the same of a whole pod.
    """

    sandbox_network: DurationNumber
    sandbox_runtime: DurationNumber
    create_container: DurationNumber
    create_wasm_container: DurationNumber
    unpack_rate: RateNumber
    unpack_ratio_percent: CountNumber
    lazy_prefetch_per_mille: CountNumber
    precompiled_percent: CountNumber
    restart: DurationNumber
    unpack_image: DurationNumber | None = None
    unpack_layer: DurationNumber | None = None
    kill_container: DurationNumber | None = None
    remove_container: DurationNumber | None = None
    stop_sandbox: DurationNumber | None = None
    stop_network: DurationNumber | None = None
    remove_sandbox: DurationNumber | None = None
    remove_network: DurationNumber | None = None
    update_container: DurationNumber | None = None


class RegistryNumbers(CalibrationModel):
    """An image registry and the way to it."""

    resolve: DurationNumber
    request: DurationNumber
    bandwidth: RateNumber


class NetworkNumbers(CalibrationModel):
    """The network inside the cluster and from its users."""

    client_round_trip: DurationNumber
    local_round_trip: DurationNumber
    proxy_sync: DurationNumber


class CloudNumbers(CalibrationModel):
    """A cloud that rents out instances.

    Attributes:
        instance_start: From the request until the instance runs.
        boot: From there until its kubelet starts.
        network_ready: From the registered node until its network works and it is Ready.
        instance_stop: From the order to end until the cloud has forgotten it.
        spot_notice: How long before it takes a spot instance back the cloud says so.
        spot_interruption: Mean time until that happens to an instance (exponential).
        spot_price_percent: A spot instance's price, where the machine type does not have one.
    """

    instance_start: DurationNumber
    boot: DurationNumber
    network_ready: DurationNumber
    instance_stop: DurationNumber
    spot_notice: DurationNumber
    spot_interruption: DurationNumber
    spot_price_percent: CountNumber


class CommandNumbers(CalibrationModel):
    """What a runtime's binary takes for each of its commands.

    Attributes:
        create: ``create``: the container's namespaces, cgroup and first process; a part of ``start``.
        start: ``start``: its program; another part of ``start``.
        delete: ``delete``, once it has ended; a part of ``stop``.
    """

    create: DurationNumber
    start: DurationNumber
    delete: DurationNumber


class RuntimeNumbers(CalibrationModel):
    """A runtime that runs Linux containers.

    Attributes:
        start: StartContainer until the program runs.
        stop: SIGTERM until the process is gone, for a program that obeys.
        overhead: Memory of the shim and the pause container, per pod.
        pause: The part of it that is the pause container; absent when it is not known.
        zygote: The part of it that is the process from which containers are forked, if there is one.
        commands: The parts of ``start`` and ``stop`` that are the binary's; absent when not known.
    """

    start: DurationNumber
    stop: DurationNumber
    overhead: BytesNumber
    pause: BytesNumber | None = None
    zygote: BytesNumber | None = None
    commands: CommandNumbers | None = None


class WasmRuntimeNumbers(RuntimeNumbers):
    """A runtime that runs Wasm modules.

    Attributes:
        compile_per_kib: Compiling one KiB of module, the first time on a node.
        load: Making a compiled module ready to be instantiated.
        listen: From a loaded module until the HTTP trigger listens.
        instantiate: Creating the instance that serves one request, in a slot that was never used.
            Never part of a pod's start.
        reuse: Creating it where another one was; absent for an engine that keeps no slots.
        request: What the runtime does for a request beside instance and handler, in CPU time.
        instance: Memory of one idle instance.
    """

    compile_per_kib: DurationNumber
    load: DurationNumber
    listen: DurationNumber
    instantiate: DurationNumber
    reuse: DurationNumber | None = None
    request: DurationNumber | None = None
    instance: BytesNumber


class ExecutionNumbers(CalibrationModel):
    """From real execution to virtual time."""

    fuel_per_us: CountNumber
    host_call: DurationNumber


class ProgramNumbers(CalibrationModel):
    """A program that runs in a Linux container, where the scenario says nothing else.

    Attributes:
        init: From its first instruction until it listens.
        service: CPU time of one request.
        workers: How many requests it works on at the same time.
        memory: Resident memory when idle.
        image: Size of its image, where the scenario does not have the image.
        start: What its runtime takes to start it, instead of what it takes for any image.
    """

    init: DurationNumber
    service: DurationNumber
    workers: CountNumber
    memory: BytesNumber
    image: BytesNumber
    start: DurationNumber | None = None


class Preset(CalibrationModel):
    """One coherent set of numbers.

    Attributes:
        extends: The preset from which it takes over what it does not say itself. A number is taken
            over or replaced whole, with its source.
    """

    api_version: Literal["kubesim.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Preset"]
    name: str
    description: str
    extends: str | None = None
    apiserver: APIServerNumbers
    scheduler: SchedulerNumbers
    kubelet: KubeletNumbers
    containerd: ContainerdNumbers
    registry: RegistryNumbers
    network: NetworkNumbers
    cloud: CloudNumbers
    runtimes: dict[str, RuntimeNumbers]
    wasm_runtimes: dict[str, WasmRuntimeNumbers]
    execution: ExecutionNumbers
    programs: dict[str, ProgramNumbers]


def preset_names() -> tuple[str, ...]:
    """The presets that are shipped, sorted."""
    return tuple(sorted(path.stem for path in (share_path("models") / "presets").glob("*.yaml")))


@cache
def load_preset(name: str) -> Preset:
    """A shipped preset by its name, or one from a file by its path.

    Raises:
        InputError: If there is none of that name, or a number in it is not as it must be.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = share_path("models") / "presets" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(preset_names())
        raise InputError(
            Problem(message=f'there is no preset "{name}"', suggestion=f"there are: {known}")
        )
    return validate(_whole(path, ()), Preset)


def _whole(path: Path, below: tuple[Path, ...]) -> Document:
    """The document of a preset, with what it takes over from the one it extends."""
    documents = read_paths([path])
    if len(documents) != 1:
        raise InputError(Problem(message="a preset is one document", file=str(path)))
    document = documents[0]
    extended = document.data.get("extends") if isinstance(document.data, dict) else None
    if extended is None:
        return document
    base = share_path("models") / "presets" / f"{extended}.yaml"
    if not isinstance(extended, str) or not base.is_file() or base in (path, *below):
        hint = f"there are: {', '.join(preset_names())}"
        message = f"there is no preset {extended!r} to extend"
        raise InputError(document.problem(message, ("extends",), suggestion=hint))
    return replace(document, data=_merged(_whole(base, (path, *below)).data, document.data))


def _merged(base: Any, own: Any) -> Any:
    """A section is completed, a number is replaced: a value and its source belong together."""
    if not isinstance(base, dict) or not isinstance(own, dict) or "value" in own:
        return own
    return {**base, **{key: _merged(base.get(key), value) for key, value in own.items()}}
