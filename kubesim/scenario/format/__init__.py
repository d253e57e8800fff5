"""The scenario format: ``kubesim.dev/v1alpha1``, kind ``Scenario``.

One document says what is simulated: the machines, the images, the users, what happens when, and
what is expected of it. The Kubernetes manifests it is about stand beside it, as plain YAML. The
JSON Schema of this model is shipped (``scenarios/scenario.schema.json``), so that editors complete
it.
"""

from kubesim.scenario.format.containerd import ContainerdSettings, RuntimeTable
from kubesim.scenario.format.document import (
    API_VERSION,
    ScenarioDocument,
    ScenarioSpec,
    SchedulerSpec,
    json_schema,
)
from kubesim.scenario.format.expectations import Expectation
from kubesim.scenario.format.images import CallSpec, ImageSpec, ProgramSpec, SpinSpec, WasmSpec
from kubesim.scenario.format.kubelet import KubeletSettings
from kubesim.scenario.format.machines import Capacity, NodePool
from kubesim.scenario.format.timeline import Drain, MemoryHog, Step, Target
from kubesim.scenario.format.traffic import RequestSpec, TrafficSpec

__all__ = [
    "API_VERSION",
    "CallSpec",
    "Capacity",
    "ContainerdSettings",
    "Drain",
    "Expectation",
    "ImageSpec",
    "KubeletSettings",
    "MemoryHog",
    "NodePool",
    "ProgramSpec",
    "RequestSpec",
    "RuntimeTable",
    "ScenarioDocument",
    "ScenarioSpec",
    "SchedulerSpec",
    "SpinSpec",
    "Step",
    "Target",
    "TrafficSpec",
    "WasmSpec",
    "json_schema",
]
