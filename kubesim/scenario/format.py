"""The scenario format: ``kubesim.dev/v1alpha1``, kind ``Scenario``.

One document says what is simulated: the machines, the images, the users, what happens when, and
what is expected of it. The Kubernetes manifests it is about stand beside it, as plain YAML. The
JSON Schema of this model is shipped (``scenarios/scenario.schema.json``), so that editors complete
it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from kubesim.api.corev1 import Taint
from kubesim.api.duration import parse_duration
from kubesim.api.metav1 import Time
from kubesim.api.quantity import Quantity
from kubesim.api.rfc3339 import parse_time

API_VERSION = "kubesim.dev/v1alpha1"
DEFAULT_START_TIME = "2026-01-01T00:00:00Z"

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(ms|s|m|h)")
_RATE_UNIT = {"ms": 1_000_000, "s": 1_000, "m": 1_000 / 60, "h": 1_000 / 3600}
_TAINT = re.compile(r"([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)")


def _parse_rate(value: object) -> object:
    """``50/s`` as requests in a thousand seconds."""
    if not isinstance(value, str):
        raise ValueError(f"expected a rate such as 50/s, got {value!r}")
    match = _RATE.fullmatch(value)
    if match is None:
        raise ValueError(f'expected a rate such as 50/s or 600/m, got "{value}"')
    rate_mhz = round(float(match[1]) * _RATE_UNIT[match[2]])
    if rate_mhz < 1:
        raise ValueError("a rate is at least 0.001/s")
    return rate_mhz


def _parse_taint(value: object) -> object:
    """``key=value:Effect``, as ``kubectl taint`` takes it, or a mapping."""
    if not isinstance(value, str):
        return value
    match = _TAINT.fullmatch(value)
    if match is None:
        raise ValueError(f'expected a taint such as key=value:NoSchedule, got "{value}"')
    return {"key": match[1], "value": match[2] or "", "effect": match[3]}


def _parse_span(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected a duration such as 1m30s, got {value!r}")
    return parse_duration(value)


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError("must not be negative")
    return value


Span = Annotated[
    int,
    BeforeValidator(_parse_span),
    AfterValidator(_not_negative),
    WithJsonSchema({"type": "string", "examples": ["90s", "1m30s", "250ms"]}),
]
"""A duration as Go writes it; nanoseconds in memory."""

Rate = Annotated[
    int,
    BeforeValidator(_parse_rate),
    WithJsonSchema({"type": "string", "examples": ["50/s", "600/m"]}),
]
"""A rate such as ``50/s``; thousandths of a hertz in memory."""

PoolTaint = Annotated[
    Taint,
    BeforeValidator(_parse_taint),
    WithJsonSchema({"type": ["string", "object"], "examples": ["key=value:NoSchedule"]}),
]

ScenarioQuantity = Annotated[
    Quantity,
    WithJsonSchema({"type": ["string", "number"], "examples": ["4", "500m", "16Gi"]}),
]


class ScenarioModel(BaseModel):
    """The base: frozen, camel case on the wire, no unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
        arbitrary_types_allowed=True,
    )


class Capacity(ScenarioModel):
    """What a machine has; devices are extended resources such as ``nvidia.com/gpu``."""

    cpu: ScenarioQuantity
    memory: ScenarioQuantity
    pods: int = Field(default=110, gt=0)
    ephemeral_storage: ScenarioQuantity = Quantity("100Gi")
    devices: dict[str, ScenarioQuantity] = Field(default_factory=dict)


class KubeletSettings(ScenarioModel):
    """KubeletConfiguration, as far as it is simulated; names and defaults are upstream's."""

    serialize_image_pulls: bool = True


class NodePool(ScenarioModel):
    """Equal nodes.

    Attributes:
        name: The nodes are called ``<name>-0``, ``<name>-1``, ...
        count: How many.
        machine: A machine type of ``models/machines``; or
        capacity: what such a machine has.
        labels: Labels of the nodes, beside the usual ones.
        taints: As ``key=value:Effect``, or as mappings.
        runtimes: Handlers in containerd's runtime table: what the nodes can run.
        zones: Zones over which the nodes are spread in turn.
        price_per_hour: Dollars an hour, when the machine type does not say.
        kubelet: Kubelet configuration.
    """

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=50)
    count: int = Field(ge=0, le=100_000)
    machine: str | None = None
    capacity: Capacity | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[PoolTaint, ...] = ()
    runtimes: tuple[str, ...] = ("runc",)
    zones: tuple[str, ...] = ()
    price_per_hour: ScenarioQuantity | None = None
    kubelet: KubeletSettings = KubeletSettings()

    @model_validator(mode="after")
    def _machine_or_capacity(self) -> NodePool:
        if (self.machine is None) == (self.capacity is None):
            raise ValueError("give either machine or capacity")
        return self


class LayerSpec(ScenarioModel):
    """One layer of an image; layers of equal digest are one layer."""

    size: ScenarioQuantity
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")


class ProgramSpec(ScenarioModel):
    """What a Linux image runs; what is left out comes from the preset's program ``model``."""

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


class RequestSpec(ScenarioModel):
    """What is sent; ``{i}`` in path and query is the request's number."""

    method: str = Field(default="GET", pattern=r"^[A-Z]+$")
    path: str = Field(default="/", pattern=r"^/")
    query: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""


class SchedulerSpec(ScenarioModel):
    """The scheduler.

    Attributes:
        config: A file with a KubeSchedulerConfiguration, relative to the scenario.
        plugins: Plugins of your own, by the name that profiles use: ``file.py:Class`` and
            ``guest.wasm`` relative to the scenario, or ``module:Class``. One that no profile
            speaks of is switched on.
    """

    config: str | None = None
    plugins: dict[str, str] = Field(default_factory=dict)


class TrafficSpec(ScenarioModel):
    """Users of one Service.

    Attributes:
        name: Its name in the report.
        service: ``name`` or ``namespace/name``.
        port: The Service's port.
        begin: When the first request may come (``from`` on the wire).
        until: When the last may come; by default when the run ends.
        rate: How many, such as ``50/s``.
        arrival: Exponential gaps (``poisson``) or equal ones (``constant``).
        request: What is sent.
    """

    name: str
    service: str
    port: int = Field(default=80, gt=0, le=65535)
    begin: Span = Field(default=0, alias="from")
    until: Span | None = None
    rate: Rate
    arrival: Literal["poisson", "constant"] = "poisson"
    request: RequestSpec = RequestSpec()


class Target(ScenarioModel):
    """An object that a step is about."""

    kind: str
    name: str
    namespace: str = "default"


class ScaleTarget(Target):
    """A workload and its new size."""

    replicas: int = Field(ge=0)


class Step(ScenarioModel):
    """Something that happens at a time; exactly one of the verbs.

    Attributes:
        at: When.
        apply: Manifests to apply: a file or folder, relative to the scenario.
        delete: An object to delete.
        scale: A workload to scale.
        drain: A node to cordon and to empty.
        fail_node: A node that goes down and stays down.
    """

    at: Span
    apply: str | None = None
    delete: Target | None = None
    scale: ScaleTarget | None = None
    drain: str | None = None
    fail_node: str | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> Step:
        verbs = (self.apply, self.delete, self.scale, self.drain, self.fail_node)
        if sum(verb is not None for verb in verbs) != 1:
            raise ValueError("a step has exactly one of apply, delete, scale, drain, failNode")
        return self


class Expectation(ScenarioModel):
    """What must be so: a CEL expression over the run.

    Attributes:
        name: What it is called when it fails.
        expr: Must be true when the run ends, or at some time until ``by``.
        never: Must not be true at any time (looked at once a second).
        by: Until when ``expr`` must have become true.
    """

    name: str
    expr: str | None = None
    never: str | None = None
    by: Span | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Expectation:
        if (self.expr is None) == (self.never is None):
            raise ValueError("give either expr or never")
        if self.by is not None and self.expr is None:
            raise ValueError("by goes with expr")
        return self

    @property
    def source(self) -> str:
        """The CEL expression."""
        return self.expr if self.expr is not None else (self.never or "")


class SpinKubeSettings(ScenarioModel):
    """SpinKube: its custom resources, webhooks and operator."""


class ScenarioSpec(ScenarioModel):
    """What is simulated.

    Attributes:
        description: What the scenario shows, in a sentence.
        seed: Seed of all randomness; the command line can give another.
        duration: How much virtual time is simulated.
        start_time: What the clock on the wall shows when the run begins.
        preset: The set of numbers: a name in ``models/presets``, or a file.
        strictness: How unsimulated fields and unknown images are taken: ``strict`` refuses,
            ``warn`` goes on and says so, ``lenient`` also converts obsolete spellings.
        scheduler: The scheduler's configuration and plugins.
        node_pools: The machines.
        spinkube: SpinKube is installed; it also is when a manifest is a SpinApp or an executor.
        images: What the registries have.
        manifests: Files and folders of manifests; by default ``manifests`` beside the scenario.
        traffic: The users.
        timeline: What happens when.
        expectations: What must be so.
    """

    description: str = ""
    seed: int = Field(default=1, ge=0, lt=2**63)
    duration: Span
    start_time: Time = parse_time(DEFAULT_START_TIME)
    preset: str = "seed"
    strictness: Literal["strict", "warn", "lenient"] = "warn"
    scheduler: SchedulerSpec = SchedulerSpec()
    node_pools: tuple[NodePool, ...] = Field(min_length=1)
    spinkube: SpinKubeSettings | None = None
    images: tuple[ImageSpec, ...] = ()
    manifests: tuple[str, ...] | None = None
    traffic: tuple[TrafficSpec, ...] = ()
    timeline: tuple[Step, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    @model_validator(mode="after")
    def _unique_names(self) -> ScenarioSpec:
        for what, names in (
            ("node pools", [pool.name for pool in self.node_pools]),
            ("images", [image.name for image in self.images]),
            ("traffic sources", [traffic.name for traffic in self.traffic]),
            ("expectations", [expectation.name for expectation in self.expectations]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {what} have the name {twice[0]}")
        if self.duration == 0:
            raise ValueError("a run takes some time: duration must be more than 0")
        return self


class ScenarioMetadata(ScenarioModel):
    """The scenario's name."""

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")


class ScenarioDocument(ScenarioModel):
    """The document."""

    api_version: Literal["kubesim.dev/v1alpha1"]
    kind: Literal["Scenario"]
    metadata: ScenarioMetadata
    spec: ScenarioSpec


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a scenario document."""
    schema = ScenarioDocument.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kubesim Scenario",
        **{key: value for key, value in schema.items() if key != "title"},
    }
