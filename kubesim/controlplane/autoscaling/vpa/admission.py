"""The admission controller: a pod that is created gets what is recommended for its containers.

Mirrors: vertical-pod-autoscaler/pkg/admission-controller (resource/pod/handler.go, patch/
resource_updates.go, patch/observed_containers.go, resource/vpa/matcher.go, resource/vpa/handler.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubesim.api.corev1 import LimitRange, Pod
from kubesim.api.fielderrors import FieldError
from kubesim.api.metav1 import KubeObject
from kubesim.api.vpav1 import (
    VerticalPodAutoscaler,
    update_mode,
    vertical_pod_autoscaler_errors,
)
from kubesim.controlplane.autoscaling.vpa.capping import Bounds, bounds_of, resized, sizes
from kubesim.controlplane.autoscaling.vpa.targets import (
    Controlled,
    TargetError,
    controlling,
    selector_of,
)

UPDATES_ANNOTATION = "vpaUpdates"
OBSERVED_CONTAINERS_ANNOTATION = "vpaObservedContainers"
SEPARATOR = ", "


def admitted(pod: Pod, vpa: VerticalPodAutoscaler, bounds: Bounds) -> Pod:
    """The pod with what is recommended for it, and with annotations that say so."""
    containers, updates = [], []
    for index, (container, size) in enumerate(
        zip(pod.spec.containers, sizes(vpa, pod, bounds), strict=True)
    ):
        if not size.requests and not size.limits:
            containers.append(container)
            continue
        noted = [*size.notes]
        noted += [f"{name} request" for name in sorted(size.requests)]
        noted += [f"{name} limit" for name in sorted(size.limits)]
        updates.append(f"container {index}: {', '.join(noted)}")
        resources = resized(container.resources, size)
        containers.append(container.replace(resources=resources))
    annotations = pod.metadata.annotations
    if updates:
        text = f"Pod resources updated by {vpa.name}: {'; '.join(updates)}"
        annotations = annotations.set(UPDATES_ANNOTATION, text)
    observed = SEPARATOR.join(container.name for container in pod.spec.containers)
    annotations = annotations.set(OBSERVED_CONTAINERS_ANNOTATION, observed)
    return pod.replace(
        metadata=pod.metadata.replace(annotations=annotations),
        spec=pod.spec.replace(containers=tuple(containers)),
    )


def observed_containers(pod: Pod) -> frozenset[str] | None:
    """The containers that the admission controller saw; ``None`` where it saw none of the pod."""
    text = pod.metadata.annotations.get(OBSERVED_CONTAINERS_ANNOTATION)
    return None if text is None else frozenset(text.split(SEPARATOR))


@dataclass(frozen=True, slots=True)
class PodWebhook:
    """Sizes pods when they are created."""

    name: str = "vpa.k8s.io"
    kind: type[KubeObject] = Pod

    def default(self, obj: Any, reader: Any) -> Pod:
        """The pod with its sizes; it is registered for creations only."""
        pod: Pod = obj
        if pod.uid:
            return pod
        candidates = []
        for vpa in reader.values(VerticalPodAutoscaler):
            if vpa.namespace != pod.namespace or update_mode(vpa) == "Off":
                continue
            try:
                candidates.append(Controlled(vpa, selector_of(vpa, reader.get)))
            except TargetError:
                continue
        vpa = controlling(pod, candidates, reader.get) if candidates else None
        if vpa is None:
            return pod
        return admitted(pod, vpa, bounds_of(reader.values(LimitRange), pod.namespace or ""))

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:  # noqa: ARG002  # the protocol's
        """Pods are not refused."""
        return []


@dataclass(frozen=True, slots=True)
class VerticalPodAutoscalerWebhook:
    """Validates VerticalPodAutoscalers."""

    name: str = "vpa.k8s.io"
    kind: type[KubeObject] = VerticalPodAutoscaler

    def default(self, obj: Any, reader: Any) -> VerticalPodAutoscaler:  # noqa: ARG002
        """Nothing is filled in."""
        vpa: VerticalPodAutoscaler = obj
        return vpa

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:  # noqa: ARG002
        """Everything that is wrong with it."""
        return vertical_pod_autoscaler_errors(obj)


VPA_WEBHOOKS = (PodWebhook(), VerticalPodAutoscalerWebhook())
