"""What the registries have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from kubesim.scenario.format.values import ScenarioModel, ScenarioQuantity, Span


class LayerSpec(ScenarioModel):
    """One layer of an image; layers of equal digest are one layer."""

    size: ScenarioQuantity
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")


class CallSpec(ScenarioModel):
    """What a program asks of another Service for each request that it serves.

    Attributes:
        service: ``name`` in the caller's namespace, or ``namespace/name``.
        port: The Service's port.
        path: The path.
        count: How often.
        parallel: All at once instead of one after another.
        timeout: How long each may take; by default for ever.
    """

    service: str = Field(min_length=1)
    port: int = Field(default=80, gt=0, le=65535)
    path: str = Field(default="/", pattern=r"^/")
    count: int = Field(default=1, ge=1, le=1000)
    parallel: bool = False
    timeout: Span | None = Field(default=None, gt=0)


class HealthySpec(ScenarioModel):
    """From when on a program is well, counted from its container's start."""

    after: Span = 0


class GrowthSpec(ScenarioModel):
    """Memory or disk that a program takes and never gives back: so much each time."""

    by: ScenarioQuantity
    every: Span = Field(gt=0)


class ConsumeSpec(ScenarioModel):
    """What a program takes from a queue of the scenario, message by message.

    Attributes:
        queue: The queue's name; the queue's name alone will do instead of a mapping.
        messages: It ends when it has handled so many, as a Job's worker does.
        idle: It ends when no message came for so long.
    """

    queue: str
    messages: int | None = Field(default=None, ge=1)
    idle: Span | None = Field(default=None, gt=0)


def _queue_by_name(value: object) -> object:
    return {"queue": value} if isinstance(value, str) else value


class DiskSpec(ScenarioModel):
    """What a program writes to the disk and never deletes.

    Attributes:
        path: Where: in a volume that is mounted there, or in the container's own file system.
        size: What it writes when it is up.
        growth: What it adds with time.
    """

    path: str = Field(default="/tmp", pattern=r"^/")  # noqa: S108  # a path inside a container
    size: ScenarioQuantity | None = None
    growth: GrowthSpec | None = None


class ProgramSpec(ScenarioModel):
    """What a Linux image runs; what is left out comes from the preset's program ``model``.

    Attributes:
        workers: How many requests it works on at the same time.
        queue_length: How many more may wait; by default any number.
        when_full: A request that finds the queue full gets a 503, or its connection is refused.
        calls: What it asks of other Services for each request, in this order; a failure is a 502.
        healthy: From when on it is well; before, it answers 503 and commands fail.
        unhealthy_from: From when on it is not well (any more), counted from its container's start.
        unhealthy_for: For how long; for ever, when left out.
        hang_from: From when on it answers nobody.
        hang_for: For how long; for ever, when left out.
        on_sigterm: ``exit`` ends it at once, with what it was working on; ``finish`` stops listening
            and ends when the last request is answered.
        cpu: CPU that it uses all the time beside its requests, such as ``300m``.
        memory_per_request: What each request needs in addition while it is worked on.
        memory_growth: What it takes with time.
        role: ``redis`` is a Redis server that keeps in memory what it is told, on port 6379 unless
            ``port`` says otherwise; ``spin`` is the Spin CLI, which fetches the application that its
            arguments name; ``node-installer`` brings a shim to its node, ``shim-downloader`` fetches it.
        consumes: The queue from which its workers take messages, each at ``service`` of CPU time.
        disk: What it writes.
    """

    model: str = "default"
    init: Span | None = None
    service: Span | None = None
    workers: int | None = Field(default=None, gt=0)
    memory: ScenarioQuantity | None = None
    port: int = Field(default=80, ge=0, le=65535)
    run_time: Span | None = None
    exit_code: int = Field(default=0, ge=0, le=255)
    log: tuple[str, ...] = ()
    body: str = "ok\n"
    queue_length: int | None = Field(default=None, ge=0)
    when_full: Literal["503", "refuse"] = "503"
    calls: tuple[CallSpec, ...] = ()
    healthy: HealthySpec = HealthySpec()
    unhealthy_from: Span | None = None
    unhealthy_for: Span | None = None
    hang_from: Span | None = None
    hang_for: Span | None = None
    on_sigterm: Literal["exit", "finish"] = "exit"
    cpu: ScenarioQuantity | None = None
    memory_per_request: ScenarioQuantity | None = None
    memory_growth: GrowthSpec | None = None
    role: Literal["server", "redis", "spin", "node-installer", "shim-downloader"] = "server"
    consumes: Annotated[
        ConsumeSpec | None,
        BeforeValidator(_queue_by_name, json_schema_input_type=ConsumeSpec | str | None),
    ] = None
    disk: DiskSpec | None = None


class SpinSpec(ScenarioModel):
    """What the Spin manifest of a component allows it; names as in ``spin.toml``."""

    key_value_stores: tuple[str, ...] = ()
    sqlite_databases: tuple[str, ...] = ()
    variables: dict[str, str] = Field(default_factory=dict)
    allowed_outbound_hosts: tuple[str, ...] = ()


class WasmSpec(ScenarioModel):
    """The module a Wasm image carries and how it is used.

    Attributes:
        module: The file.
        kind: ``command``, ``wagi`` or, for a wasi:http component, ``http``.
        port: Where it listens; by default where its runtime does.
        spin: What a component may open and call.
    """

    module: str
    kind: Literal["command", "wagi", "http"] = "command"
    port: int | None = Field(default=None, gt=0, le=65535)
    spin: SpinSpec = SpinSpec()


class ImageSpec(ScenarioModel):
    """An image that the cluster's registries have.

    Attributes:
        name: The reference under which pods name it.
        layers: Layers that are made up.
        program: What a Linux image runs.
        wasm: What a Wasm image runs.
        oci: A real image: the folder of an OCI image layout, instead of layers and wasm.
        oci_ref: Which image of the layout, when it has several and none of that name.
    """

    name: str
    layers: tuple[LayerSpec, ...] = ()
    program: ProgramSpec | None = None
    wasm: WasmSpec | None = None
    oci: str | None = None
    oci_ref: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ImageSpec:
        if self.oci is not None:
            if self.layers or self.wasm is not None:
                raise ValueError("oci brings its own layers and module")
            return self
        if self.oci_ref is not None:
            raise ValueError("ociRef goes with oci")
        if self.program is not None and self.wasm is not None:
            raise ValueError("an image runs either a program or a Wasm module")
        if self.wasm is None and not self.layers:
            raise ValueError("a Linux image needs layers")
        return self
