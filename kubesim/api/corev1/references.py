"""Pointers from one object to another.

Mirrors: staging/src/k8s.io/api/core/v1/types.go (the reference types).
"""

from kubesim.api.model import Bool, Int32, KubeModel


class LocalObjectReference(KubeModel):
    """An object in the same namespace, by name."""

    name: str | None = None


class TypedLocalObjectReference(KubeModel):
    """An object of any kind in the same namespace."""

    api_group: str | None = None
    kind: str
    name: str


class TypedObjectReference(KubeModel):
    """An object of any kind, possibly in another namespace."""

    api_group: str | None = None
    kind: str
    name: str
    namespace: str | None = None


class ObjectReference(KubeModel):
    """Any object of the cluster, or a field of it; events are about one."""

    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    api_version: str | None = None
    resource_version: str | None = None
    field_path: str | None = None


class SecretReference(KubeModel):
    """A Secret in some namespace."""

    name: str | None = None
    namespace: str | None = None


class ConfigMapKeySelector(KubeModel):
    """One key of a ConfigMap."""

    name: str | None = None
    key: str
    optional: Bool | None = None


class SecretKeySelector(KubeModel):
    """One key of a Secret."""

    name: str | None = None
    key: str
    optional: Bool | None = None


class KeyToPath(KubeModel):
    """A key and the file it becomes in a volume."""

    key: str
    path: str
    mode: Int32 | None = None


class TopologySelectorLabelRequirement(KubeModel):
    """A topology label and the values it may have."""

    key: str
    values: tuple[str, ...]


class TopologySelectorTerm(KubeModel):
    """Topology labels which must all fit."""

    match_label_expressions: tuple[TopologySelectorLabelRequirement, ...] = ()
