"""The vocabulary of what can happen: one frozen dataclass a fact, in the past tense.

Components emit these into the journal; telemetry, screens and checkers read them. They live below
both, so that neither knows the other. Field order is part of the digest; adding a field or a fact
changes every digest and belongs in the changelog. All durations and instants are virtual
nanoseconds; instants count from the beginning of the run.
"""

from kubesim.facts.apiserver import EventRecorded, ObjectWritten
from kubesim.facts.cloud import (
    InstanceInterruptionNoticed,
    InstanceLaunched,
    InstanceRefused,
    InstanceStarted,
    InstanceTerminated,
    NodeBecameReady,
    NodeRegistered,
)
from kubesim.facts.containerd import (
    ContainerdRestarted,
    CriCalled,
    ImagePulled,
    ImageRemoved,
    LayerPulled,
    LayerUnpacked,
    RuntimeCalled,
    ShimInstalled,
    ShimRemoved,
)
from kubesim.facts.messages import MessageLost, MessageProcessed, MessagesLeft
from kubesim.facts.node import (
    ContainerExited,
    ContainerStarted,
    ContainerThrottled,
    LogWritten,
    NodeBooted,
    NodeFailed,
    NodePartitioned,
    NodeRejoined,
    PodPhaseChanged,
    StartupPhaseEnded,
)
from kubesim.facts.requests import (
    AttemptEnded,
    EndpointProgrammed,
    RequestCompleted,
    RequestFailed,
    RequestsInFlight,
)
from kubesim.facts.run import (
    ExecutionsMeasured,
    ObjectRefused,
    RunEnded,
    RunStarted,
    StepTaken,
)
from kubesim.facts.scheduler import PodAttempted, PodBound
from kubesim.facts.wasm import AccessDenied, ModuleLoaded, WasmExecuted

__all__ = [
    "AccessDenied",
    "AttemptEnded",
    "ContainerExited",
    "ContainerStarted",
    "ContainerThrottled",
    "ContainerdRestarted",
    "CriCalled",
    "EndpointProgrammed",
    "EventRecorded",
    "ExecutionsMeasured",
    "ImagePulled",
    "ImageRemoved",
    "InstanceInterruptionNoticed",
    "InstanceLaunched",
    "InstanceRefused",
    "InstanceStarted",
    "InstanceTerminated",
    "LayerPulled",
    "LayerUnpacked",
    "LogWritten",
    "MessageLost",
    "MessageProcessed",
    "MessagesLeft",
    "ModuleLoaded",
    "NodeBecameReady",
    "NodeBooted",
    "NodeFailed",
    "NodePartitioned",
    "NodeRegistered",
    "NodeRejoined",
    "ObjectRefused",
    "ObjectWritten",
    "PodAttempted",
    "PodBound",
    "PodPhaseChanged",
    "RequestCompleted",
    "RequestFailed",
    "RequestsInFlight",
    "RunEnded",
    "RunStarted",
    "RuntimeCalled",
    "ShimInstalled",
    "ShimRemoved",
    "StartupPhaseEnded",
    "StepTaken",
    "WasmExecuted",
]
