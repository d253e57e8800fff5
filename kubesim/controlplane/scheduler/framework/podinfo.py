"""Pods as the scheduler sees them.

Of a pod's many fields a scheduler looks at few. These few make the pod's *signature*: pods whose
signatures are equal are the same to every plugin, and share one ``PodSignature`` object, whether
they came from one template or from thousands of documents. What is derived from them (requests in
whole numbers, host ports, affinity terms) is computed once per signature.

Mirrors: pkg/scheduler/framework/types.go (PodInfo), kube-scheduler/framework/types.go
(AffinityTerm).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from kubesim.api.corev1 import Pod, PodAffinityTerm, PodSpec, WeightedPodAffinityTerm
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import (
    LabelSelector,
    LabelSelectorOperator,
    LabelSelectorRequirement,
    controller_of,
)
from kubesim.api.podresize import reserved_spec
from kubesim.controlplane.scheduler.framework.resources import (
    Resource,
    amounts,
    non_zero_requests,
    pod_requests,
    score_requests,
)

Labels = Mapping[str, str]

ANY_HOST_IP = "0.0.0.0"  # noqa: S104  # the address that means all of them


class HostPort(NamedTuple):
    """A port of the node that a pod takes."""

    host_ip: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True, eq=False)
class AffinityTerm:
    """One term of a pod's affinity to other pods, with its namespaces resolved.

    Attributes:
        namespaces: Where the other pods are.
        selector: Which pods are meant; ``None`` means none.
        topology_key: The label that makes a domain of nodes.
        namespace_selector: More namespaces, by their labels; ``None`` means none.
    """

    namespaces: frozenset[str]
    selector: LabelSelector | None
    topology_key: str
    namespace_selector: LabelSelector | None

    def matches(self, namespace: str, labels: Labels, namespace_labels: Labels) -> bool:
        """Whether the term speaks about a pod with these labels in that namespace."""
        if namespace not in self.namespaces and not label_selector_matches(
            self.namespace_selector, namespace_labels
        ):
            return False
        return label_selector_matches(self.selector, labels)


class WeightedAffinityTerm(NamedTuple):
    """A preferred term and what it is worth."""

    weight: int
    term: AffinityTerm


class PodSignature:
    """All that plugins may look at, of all pods that are equal in it.

    Attributes:
        index: A small number of its own, in order of first appearance.
        pod: The first pod that had it.
    """

    def __init__(self, pod: Pod, index: int) -> None:
        self.index = index
        self.pod = pod
        self.namespace = pod.namespace
        self.labels = pod.metadata.labels
        self.spec = pod.spec
        self.owner = controller_of(pod)
        self.priority = pod.spec.priority or 0
        self._requests = pod_requests(pod.spec)
        self.requests = Resource(self._requests)
        self.non_zero_milli_cpu, self.non_zero_memory = non_zero_requests(pod.spec, self._requests)
        self.host_ports = host_ports(pod.spec)
        affinity = pod.spec.affinity
        self.has_affinity = affinity is not None and (
            affinity.pod_affinity is not None or affinity.pod_anti_affinity is not None
        )
        near = affinity.pod_affinity if affinity is not None else None
        apart = affinity.pod_anti_affinity if affinity is not None else None
        self.required_affinity_terms: tuple[AffinityTerm, ...] = ()
        self.preferred_affinity_terms: tuple[WeightedAffinityTerm, ...] = ()
        self.required_anti_affinity_terms: tuple[AffinityTerm, ...] = ()
        self.preferred_anti_affinity_terms: tuple[WeightedAffinityTerm, ...] = ()
        if near is not None:
            required = near.required_during_scheduling_ignored_during_execution
            self.required_affinity_terms = self._terms(required)
            preferred = near.preferred_during_scheduling_ignored_during_execution
            self.preferred_affinity_terms = self._weighted(preferred)
        if apart is not None:
            required = apart.required_during_scheduling_ignored_during_execution
            self.required_anti_affinity_terms = self._terms(required)
            preferred = apart.preferred_during_scheduling_ignored_during_execution
            self.preferred_anti_affinity_terms = self._weighted(preferred)

    @cached_property
    def request_amounts(self) -> dict[str, int]:
        """What the pod requests, by resource."""
        return amounts(self._requests)

    @cached_property
    def score_amounts(self) -> dict[str, int]:
        """What the pod counts with in scores, by resource."""
        return score_requests(self.spec)

    @cached_property
    def claim_names(self) -> tuple[str, ...]:
        """The persistent volume claims which the pod names."""
        return tuple(
            volume.persistent_volume_claim.claim_name
            for volume in self.spec.volumes
            if volume.persistent_volume_claim is not None
        )

    @property
    def all_terms(self) -> Iterable[AffinityTerm]:
        """All terms of affinity and anti-affinity, required and preferred."""
        yield from self.required_affinity_terms
        yield from self.required_anti_affinity_terms
        for item in (*self.preferred_affinity_terms, *self.preferred_anti_affinity_terms):
            yield item.term

    def _terms(self, terms: tuple[PodAffinityTerm, ...]) -> tuple[AffinityTerm, ...]:
        return tuple(affinity_term(term, self.namespace, self.labels) for term in terms)

    def _weighted(
        self, terms: tuple[WeightedPodAffinityTerm, ...]
    ) -> tuple[WeightedAffinityTerm, ...]:
        return tuple(
            WeightedAffinityTerm(
                item.weight, affinity_term(item.pod_affinity_term, self.namespace, self.labels)
            )
            for item in terms
        )


class PodInfo:
    """A pod and its signature."""

    __slots__ = ("pod", "signature", "uid")

    def __init__(self, pod: Pod, signature: PodSignature) -> None:
        self.pod = pod
        self.signature = signature
        self.uid = pod.uid

    @property
    def priority(self) -> int:
        """The pod's priority; 0 when admission gave it none."""
        return self.signature.priority


class PodInfos:
    """The signatures that are known, and the only maker of ``PodInfo``.

    Attributes:
        with_affinity: The signatures with any affinity to pods.
        names_namespaces: Whether some term selects namespaces by their labels.
        lowest_priority: The least important pod that was ever seen.
    """

    def __init__(self) -> None:
        self.lowest_priority = 2**31
        self._signatures: dict[Any, PodSignature] = {}
        self.with_affinity: list[PodSignature] = []
        self.names_namespaces = False

    def of(self, pod: Pod) -> PodInfo:
        """The pod with its signature; while it is resized, with that of the larger of its sizes."""
        spec = reserved_spec(pod)
        counted = pod if spec is pod.spec else pod.replace(spec=spec)
        key = signature_key(counted)
        signature = self._signatures.get(key)
        if signature is None:
            if counted.spec.node_name:
                # Who shares the signature need not be where this one is.
                counted = counted.replace(spec=counted.spec.replace(node_name=None))
            signature = self._signatures[key] = PodSignature(counted, len(self._signatures))
            self.lowest_priority = min(self.lowest_priority, signature.priority)
            if signature.has_affinity:
                self.with_affinity.append(signature)
                self.names_namespaces |= any(
                    term.namespace_selector is not None for term in signature.all_terms
                )
        return PodInfo(pod, signature)


def signature_key(pod: Pod) -> Any:
    """Everything about a pod that any plugin looks at, as one hashable value.

    The node's name is left out: it does not change what a pod is, only where.
    """
    spec, metadata = pod.spec, pod.metadata
    return (
        metadata.namespace,
        metadata.labels,
        tuple((item.image, item.resources.requests, item.ports) for item in spec.containers),
        tuple(
            (item.image, item.resources.requests, item.ports, item.restart_policy)
            for item in spec.init_containers
        ),
        spec.overhead,
        spec.resources,
        spec.node_selector,
        spec.affinity,
        spec.tolerations,
        spec.topology_spread_constraints,
        spec.priority,
        spec.preemption_policy,
        spec.scheduler_name,
        spec.scheduling_gates,
        spec.volumes,
        spec.resource_claims,
        controller_of(pod) if metadata.owner_references else None,
    )


def affinity_term(term: PodAffinityTerm, namespace: str, labels: Labels) -> AffinityTerm:
    """A term of a pod in ``namespace`` with ``labels``, ready to be matched.

    The label keys that the pod's own values fill in are part of the selector; doing it again for a
    term in which the API server already did it changes nothing.
    """
    names: tuple[str, ...] = term.namespaces
    if not names and term.namespace_selector is None:
        names = (namespace,)
    extra = (
        *_filled_in("In", term.match_label_keys, labels),
        *_filled_in("NotIn", term.mismatch_label_keys, labels),
    )
    selector = term.label_selector
    if extra and selector is not None:
        selector = selector.replace(match_expressions=(*selector.match_expressions, *extra))
    return AffinityTerm(frozenset(names), selector, term.topology_key, term.namespace_selector)


def _filled_in(
    operator: LabelSelectorOperator, keys: tuple[str, ...], labels: Labels
) -> Iterable[LabelSelectorRequirement]:
    return (
        LabelSelectorRequirement(key=key, operator=operator, values=(labels[key],))
        for key in keys
        if key in labels
    )


def host_ports(spec: PodSpec) -> tuple[HostPort, ...]:
    """The node's ports that a pod takes; those of ordinary init containers do not count."""
    sidecars = (item for item in spec.init_containers if item.restart_policy == "Always")
    return tuple(
        HostPort(port.host_ip or ANY_HOST_IP, port.protocol or "TCP", port.host_port)
        for container in (*sidecars, *spec.containers)
        for port in container.ports
        if port.host_port is not None and port.host_port > 0
    )
