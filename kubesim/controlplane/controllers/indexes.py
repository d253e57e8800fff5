"""The informer indexes that several controllers share: by controller, by owner, by node.

Mirrors: pkg/controller/controller_utils.go (AddPodNodeNameIndexer, AddPodControllerIndexer).
"""

from __future__ import annotations

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject

BY_CONTROLLER = "controller"
BY_NODE = "node"
BY_OWNER = "owner"
ORPHANS = "orphans"


def controller_uids(obj: KubeObject) -> tuple[str, ...]:
    """The UID of the object's controller."""
    return tuple(owner.uid for owner in obj.metadata.owner_references if owner.controller)


def owner_uids(obj: KubeObject) -> tuple[str, ...]:
    """The UIDs of all its owners."""
    return tuple(owner.uid for owner in obj.metadata.owner_references)


def node_names(pod: Pod) -> tuple[str, ...]:
    """The node that the pod is bound to."""
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def orphan_namespaces(obj: KubeObject) -> tuple[str, ...]:
    """The namespace of an object that no controller has; an informer finds those to adopt by it."""
    owned = any(owner.controller for owner in obj.metadata.owner_references)
    return () if owned else (obj.namespace,)
