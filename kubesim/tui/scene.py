"""The one door to the simulation: what the screens ask of a live run.

Everything else in this room gets its values from here, so what the TUI depends on stands in one
file. A scene reads the object store, the observer and the journal; it follows the journal by
position and never subscribes, so a run that is watched does not even know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from kubesim.api.corev1 import Node, Pod, Service
from kubesim.api.metav1 import KubeObject
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.scheme import SCHEME
from kubesim.cluster.node import NodeAssembly
from kubesim.cluster.shims import runs_wasm
from kubesim.facts import (
    EventRecorded,
    LogWritten,
    RequestCompleted,
    RequestFailed,
    StartupPhaseEnded,
    StepTaken,
)
from kubesim.scenario import LiveRun
from kubesim.telemetry.observer import PodTotals, ServiceTotals

K = TypeVar("K", bound=KubeObject)

DEFAULT_HANDLER = "runc"
# What a busy cluster does thousands of times a second is not what "the next thing" means.
_TRAFFIC = (RequestCompleted, RequestFailed, LogWritten)


class Ref(NamedTuple):
    """Which object: what a row of a table stands for."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """``namespace/name``, or only the name."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def label(self) -> str:
        """As kubectl names it: ``pod/web-1``."""
        return f"{self.kind.lower()}/{self.name}"


class PhaseSpan(NamedTuple):
    """One phase of a pod's start: from when until when."""

    phase: str
    began_ns: int
    ended_ns: int


class Happening(NamedTuple):
    """A Kubernetes Event, or a step of the scenario's timeline (which has no object)."""

    at_ns: int
    ref: Ref
    type: str
    reason: str
    message: str
    component: str


class Scene:
    """A live run, to look at.

    Args:
        live: The run.
    """

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._read = 0
        self.stirs = 0
        self.happenings: list[Happening] = []
        self._phases: defaultdict[str, list[PhaseSpan]] = defaultdict(list)
        self.follow()

    def follow(self) -> None:
        """Read what was written into the journal since the last time."""
        entries = self._live.simulation.sim.journal.since(self._read)
        self._read += len(entries)
        for at_ns, fact in entries:
            self.stirs += not isinstance(fact, _TRAFFIC)
            if isinstance(fact, EventRecorded):
                ref = Ref(fact.kind, fact.namespace, fact.name)
                self.happenings.append(
                    Happening(at_ns, ref, fact.type, fact.reason, fact.message, fact.component)
                )
            elif isinstance(fact, StepTaken):
                step = Happening(
                    at_ns, Ref("", "", ""), "Step", fact.verb, fact.subject, "scenario"
                )
                self.happenings.append(step)
            elif isinstance(fact, StartupPhaseEnded):
                self._phases[fact.uid].append(PhaseSpan(fact.phase, fact.began_ns, at_ns))

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self._live.scenario.name

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._live.seed

    @property
    def preset(self) -> str:
        """The name of the preset that all numbers are from."""
        return self._live.scenario.preset.name

    @property
    def now_ns(self) -> int:
        """The virtual time."""
        return self._live.now_ns

    @property
    def end_ns(self) -> int:
        """When the run ends."""
        return self._live.end_ns

    @property
    def wall_ns(self) -> int:
        """What a clock on the wall of the simulated world shows."""
        return self._live.simulation.sim.wall_ns

    @property
    def start_time_ns(self) -> int:
        """What it showed when the run began."""
        return self._live.simulation.sim.start_time_ns

    @property
    def events_processed(self) -> int:
        """How many events the kernel has processed."""
        return self._live.simulation.sim.events_processed

    @property
    def next_event_ns(self) -> int | None:
        """When the kernel's next event is due."""
        return self._live.simulation.sim.next_event_ns

    @property
    def facts_seen(self) -> int:
        """How many facts were written; changes whenever anything did."""
        return self._live.observer.facts_seen

    def objects(self, kind: type[K], namespace: str = "") -> tuple[K, ...]:
        """All objects of a kind, or those of one namespace, by namespace and name."""
        found = (
            obj
            for obj in self._live.simulation.store.values(kind)
            if not namespace or obj.namespace in ("", namespace)
        )
        return tuple(sorted(found, key=lambda obj: (obj.namespace, obj.name)))

    def find(self, ref: Ref) -> KubeObject | None:
        """The object that a row stands for, while it exists."""
        resource = SCHEME.find_name(ref.kind)
        if resource is None:
            return None
        found: KubeObject | None = self._live.simulation.store.get(resource.model, ref.key)
        return found

    def handlers(self) -> Mapping[str, str]:
        """Runtime handlers by the name of their RuntimeClass."""
        return {item.name: item.handler for item in self.objects(RuntimeClass)}

    def pod_totals(self, pod: Pod) -> PodTotals | None:
        """What the observer knows of a pod."""
        return self._live.observer.pods.get(pod.uid)

    def service_totals(self, service: Service) -> ServiceTotals:
        """What the observer knows of a Service's requests."""
        known = self._live.observer.services.get((service.namespace, service.name))
        return known or ServiceTotals()

    def node_facts(self, node: Node) -> NodeAssembly | None:
        """What is known of a node beyond its object."""
        return self._live.simulation.node_facts(node.name)

    def phases(self, pod: Pod) -> tuple[PhaseSpan, ...]:
        """The phases of a pod's start that have ended."""
        return tuple(self._phases.get(pod.uid, ()))

    def about(self, ref: Ref) -> list[Happening]:
        """The Events about an object, oldest first."""
        return [item for item in self.happenings if item.ref == ref]


def handler_of(pod: Pod, handlers: Mapping[str, str]) -> str:
    """The runtime handler that runs a pod."""
    name = pod.spec.runtime_class_name
    return handlers.get(name, name) if name else DEFAULT_HANDLER


def is_wasm(handler: str) -> bool:
    """Whether a runtime handler runs Wasm."""
    return runs_wasm(handler)
