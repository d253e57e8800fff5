"""All that a recommender knows: the pods under its autoscalers, and what containers alike have used.

Mirrors: vertical-pod-autoscaler/pkg/recommender/model/cluster.go.
Departs: pods that no autoscaler is about are not followed (as with ``--memory-saver``).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.api.vpav1 import VerticalPodAutoscalerCheckpointStatus
from kubesim.controlplane.autoscaling.vpa.config import RecommenderConfig
from kubesim.controlplane.autoscaling.vpa.model import Aggregate, ContainerState

Labels = FrozenMap[str, str]


class Sample(NamedTuple):
    """What a container used: millicores and bytes, and when that was measured."""

    at_ns: int
    milli_cpu: int
    memory_bytes: int


class AggregateKey(NamedTuple):
    """Containers that are alike."""

    namespace: str
    labels: Labels
    container: str


@dataclass(slots=True)
class PodState:
    """One pod."""

    namespace: str
    labels: Labels
    containers: dict[str, ContainerState] = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict)


class ClusterState:
    """What was used by whom.

    Args:
        config: The recommender's flags.

    Attributes:
        pods: The pods, by key.
        aggregates: What was used, by whom.
    """

    def __init__(self, config: RecommenderConfig) -> None:
        self._config = config
        self.pods: dict[str, PodState] = {}
        self.aggregates: dict[AggregateKey, Aggregate] = {}
        self._checkpoints: dict[tuple[str, str], Aggregate] = {}

    def copy(self) -> ClusterState:
        """One like it that goes its own way."""
        other = copy(self)
        other.pods = {
            key: PodState(
                pod.namespace,
                pod.labels,
                {name: state.copy() for name, state in pod.containers.items()},
                dict(pod.samples),
            )
            for key, pod in self.pods.items()
        }
        other.aggregates = {key: item.copy() for key, item in self.aggregates.items()}
        return other

    def follow(
        self, key: str, namespace: str, labels: Labels, containers: Iterable[str], now_ns: int
    ) -> None:
        """A pod is there, with these containers."""
        pod = self.pods.get(key)
        if pod is None:
            pod = self.pods[key] = PodState(namespace, labels)
        pod.labels = labels
        for name in containers:
            if name not in pod.containers:
                pod.containers[name] = ContainerState(self._config)
            self._aggregate(pod, name, now_ns)

    def forget(self, key: str) -> None:
        """A pod is gone; what its containers have used is remembered."""
        self.pods.pop(key, None)

    def add(self, key: str, container: str, sample: Sample) -> bool:
        """What a container was measured to use; whether that is news."""
        pod = self.pods.get(key)
        state = pod.containers.get(container) if pod is not None else None
        if pod is None or state is None:
            return False
        aggregate = self._aggregate(pod, container, sample.at_ns)
        if not state.add_cpu(aggregate, sample.milli_cpu, sample.at_ns):
            return False
        state.add_memory(aggregate, sample.memory_bytes, sample.at_ns)
        pod.samples[container] = sample
        return True

    def repeat(self, *, step_ns: int, count: int) -> None:
        """All containers were measured ``count`` times more, and used what they used last."""
        for pod in self.pods.values():
            for name, last in pod.samples.items():
                pod.containers[name].add_many(
                    self._aggregate(pod, name, last.at_ns),
                    milli_cpu=last.milli_cpu,
                    memory_bytes=last.memory_bytes,
                    first_ns=last.at_ns + step_ns,
                    step_ns=step_ns,
                    count=count,
                )
                pod.samples[name] = last._replace(at_ns=last.at_ns + step_ns * count)

    def record_oom(self, key: str, container: str, requested_bytes: int, at_ns: int) -> None:
        """A container was killed for want of memory."""
        pod = self.pods.get(key)
        state = pod.containers.get(container) if pod is not None else None
        if pod is not None and state is not None:
            state.record_oom(self._aggregate(pod, container, at_ns), requested_bytes, at_ns)

    def load(
        self,
        namespace: str,
        vpa: str,
        container: str,
        status: VerticalPodAutoscalerCheckpointStatus,
    ) -> None:
        """What a recommender remembered of an autoscaler's container before this one began."""
        aggregate = Aggregate(self._config)
        aggregate.load(status)
        self._checkpoints[f"{namespace}/{vpa}", container] = aggregate

    def used_by(self, vpa_key: str, selector: LabelSelector) -> dict[str, Aggregate]:
        """What the containers of the selected pods have used, by the containers' names.

        A container of which nothing is known at all is left out.
        """
        namespace, found = vpa_key.partition("/")[0], dict[str, Aggregate]()
        for key, aggregate in self.aggregates.items():
            if key.namespace == namespace and label_selector_matches(selector, key.labels):
                self._merge(found, key.container, aggregate)
        for (owner, container), aggregate in self._checkpoints.items():
            if owner == vpa_key:
                self._merge(found, container, aggregate)
        return {
            name: item for name, item in found.items() if item.samples or not item.memory.is_empty
        }

    def collect(self, now_ns: int) -> None:
        """Forget what is too old, and what nobody ever was measured for."""
        living = {
            AggregateKey(pod.namespace, pod.labels, name)
            for pod in self.pods.values()
            for name in pod.containers
        }
        for key, aggregate in list(self.aggregates.items()):
            if aggregate.expired(now_ns) or (not aggregate.samples and key not in living):
                del self.aggregates[key]

    def _merge(self, found: dict[str, Aggregate], container: str, other: Aggregate) -> None:
        if container not in found:
            found[container] = Aggregate(self._config)
        found[container].merge(other)

    def _aggregate(self, pod: PodState, container: str, now_ns: int) -> Aggregate:
        key = AggregateKey(pod.namespace, pod.labels, container)
        aggregate = self.aggregates.get(key)
        if aggregate is None:
            aggregate = self.aggregates[key] = Aggregate(self._config, created_ns=now_ns)
        return aggregate
