"""The ``scale`` subresource: the number of replicas of a workload, whatever its kind.

An autoscaler knows a workload by kind and name only. The mapper says whether there is such a kind,
the scale says how many replicas there are and which pods they are, and a write of the scale changes
``spec.replicas`` and nothing else.

Mirrors: staging/src/k8s.io/client-go/scale, pkg/registry/{apps,core}/*/storage (ScaleREST).
"""

from __future__ import annotations

from typing import Any

from kubesim.api.autoscalingv1 import Scale, ScaleSpec, ScaleStatus
from kubesim.api.autoscalingv2 import CrossVersionObjectReference
from kubesim.api.metav1 import KubeObject, LabelSelector, ObjectMeta
from kubesim.api.scheme import SCHEME
from kubesim.api.selectortext import selector_text
from kubesim.controlplane.apiserver import errors
from kubesim.controlplane.apiserver.resources import resource_name
from kubesim.controlplane.client.client import Client
from kubesim.sim import SimProcess

SCALABLE = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")


def scale_of(obj: Any) -> Scale:
    """The scale of a workload."""
    selector = obj.spec.selector
    if not isinstance(selector, LabelSelector):
        selector = LabelSelector(match_labels=selector)
    metadata = obj.metadata
    return Scale(
        metadata=ObjectMeta(
            name=metadata.name,
            namespace=metadata.namespace,
            uid=metadata.uid,
            resource_version=metadata.resource_version,
        ),
        spec=ScaleSpec(replicas=1 if obj.spec.replicas is None else obj.spec.replicas),
        status=ScaleStatus(replicas=obj.status.replicas or 0, selector=selector_text(selector)),
    )


def with_scale(obj: Any, scale: Scale) -> Any:
    """The workload with the replicas of a scale; its version is the one that was read."""
    metadata = obj.metadata.replace(resource_version=scale.metadata.resource_version)
    return obj.replace(metadata=metadata, spec=obj.spec.replace(replicas=scale.spec.replicas))


def scalable_kind(reference: CrossVersionObjectReference) -> type[KubeObject]:
    """The class of what a reference means.

    Raises:
        StatusError: If there is no such kind, or it has no scale.
    """
    group = (reference.api_version or "").rpartition("/")[0]
    resource = next(
        (item for item in SCHEME if item.kind == reference.kind and item.group == group), None
    )
    if resource is None:
        text = f'no matches for kind "{reference.kind}" in group "{group}"'
        raise errors.StatusError(text)
    if resource.kind not in SCALABLE:
        raise errors.NotFound("the server could not find the requested resource")
    return resource.model


class ScaleClient:
    """Reads and writes scales through a component's client.

    Args:
        client: The component's connection to the API server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, namespace: str, reference: CrossVersionObjectReference) -> SimProcess[Scale]:
        """The scale of a workload; raises ``StatusError``."""
        kind = scalable_kind(reference)
        obj = yield from self._client.get(kind, f"{namespace}/{reference.name}")
        return scale_of(obj)

    def update(
        self, namespace: str, reference: CrossVersionObjectReference, scale: Scale
    ) -> SimProcess[Scale]:
        """Write a scale; raises ``Conflict`` when the workload has changed since it was read."""
        kind = scalable_kind(reference)
        read = scale.metadata.resource_version

        def change(obj: KubeObject) -> KubeObject:
            if read is not None and read != obj.metadata.resource_version:
                raise errors.modified(resource_name(kind), reference.name)
            changed: KubeObject = with_scale(obj, scale)
            return changed

        written = yield from self._client.patch(kind, f"{namespace}/{reference.name}", change)
        return scale_of(written)
