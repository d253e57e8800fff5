"""The document: what is simulated, as a whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kubesim.api.metav1 import Time
from kubesim.api.rfc3339 import parse_time
from kubesim.scenario.format.autoscalers import (
    ClusterAutoscalerFlags,
    HttpAddOnSettings,
    KarpenterFlags,
    KedaFlags,
)
from kubesim.scenario.format.controllermanager import ControllerManagerFlags
from kubesim.scenario.format.expectations import Expectation
from kubesim.scenario.format.images import ImageSpec
from kubesim.scenario.format.machines import NodePool
from kubesim.scenario.format.network import NetworkSpec
from kubesim.scenario.format.queues import QueueSpec
from kubesim.scenario.format.timeline import Step
from kubesim.scenario.format.traffic import TrafficSpec
from kubesim.scenario.format.values import ScenarioModel, Span
from kubesim.scenario.format.verticalautoscaler import RecommenderFlags, UpdaterFlags

API_VERSION = "kubesim.dev/v1alpha1"
DEFAULT_START_TIME = "2026-01-01T00:00:00Z"


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


class SpinKubeSettings(ScenarioModel):
    """SpinKube: its custom resources, webhooks and operator."""


class CloudSpec(ScenarioModel):
    """The cloud.

    Attributes:
        capacity: How many instances there are of a machine type (``m5.large``) or of its spot
            instances (``m5.large/spot``); any number of those that are not listed.
        zones: Zones in which Karpenter buys.
        machines: Machine types that Karpenter can buy; by default eight usual ones of AWS.
        spot_interruption: Mean time until a spot instance is taken back, instead of the preset's.
    """

    capacity: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    zones: tuple[str, ...] = Field(
        default=("us-east-1a", "us-east-1b", "us-east-1c"), min_length=1
    )
    machines: tuple[str, ...] = ()
    spot_interruption: Span | None = Field(default=None, gt=0)


class ScenarioSpec(ScenarioModel):
    """What is simulated.

    Attributes:
        description: What the scenario shows, in a sentence.
        seed: Seed of all randomness; the command line can give another.
        duration: How much virtual time is simulated.
        start_time: What the clock on the wall shows when the run begins.
        preset: The set of numbers: a name in ``models/presets``, or a file.
        timing: How long Wasm executions take: ``modelled``, by their fuel and the preset, or
            ``measured``, by this machine's clock; then no two runs are alike.
        strictness: How unsimulated fields and unknown images are taken: ``strict`` refuses,
            ``warn`` goes on and says so, ``lenient`` also converts obsolete spellings.
        scheduler: The scheduler's configuration and plugins.
        node_pools: The machines.
        kube_controller_manager: Flags of kube-controller-manager, by their names.
        cluster_autoscaler: Flags of the Cluster Autoscaler, by their names; it runs when there are
            any, or a pool with ``autoscaling``.
        keda: Flags of keda-operator, by their names; it is installed when there are any, or a manifest
            of a kind of its.
        http_add_on: The environment of KEDA's HTTP add-on; it is installed likewise.
        vpa_recommender: Flags of the VerticalPodAutoscaler's recommender, by their names; it runs
            when a VerticalPodAutoscaler is among the manifests.
        vpa_updater: Flags of its updater.
        karpenter: Settings of Karpenter, by their names; it runs when there is a NodePool.
        cloud: Where machines come from while the run is on.
        network: What lies between nodes, registries and users.
        spinkube: SpinKube is installed; it also is when a manifest is a SpinApp or an executor.
        images: What the registries have.
        queues: Queues at message brokers: producers are traffic, consumers are programs.
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
    timing: Literal["modelled", "measured"] = "modelled"
    strictness: Literal["strict", "warn", "lenient"] = "warn"
    scheduler: SchedulerSpec = SchedulerSpec()
    node_pools: tuple[NodePool, ...] = Field(min_length=1)
    kube_controller_manager: ControllerManagerFlags | None = None
    cluster_autoscaler: ClusterAutoscalerFlags | None = None
    keda: KedaFlags | None = None
    http_add_on: HttpAddOnSettings | None = None
    vpa_recommender: RecommenderFlags | None = None
    vpa_updater: UpdaterFlags | None = None
    karpenter: KarpenterFlags | None = None
    cloud: CloudSpec = CloudSpec()
    network: NetworkSpec = NetworkSpec()
    spinkube: SpinKubeSettings | None = None
    images: tuple[ImageSpec, ...] = ()
    queues: tuple[QueueSpec, ...] = ()
    manifests: tuple[str, ...] | None = None
    traffic: tuple[TrafficSpec, ...] = ()
    timeline: tuple[Step, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    @model_validator(mode="after")
    def _unique_names(self) -> ScenarioSpec:
        for what, names in (
            ("node pools", [pool.name for pool in self.node_pools]),
            ("images", [image.name for image in self.images]),
            ("queues", [queue.name for queue in self.queues]),
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
