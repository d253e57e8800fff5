"""The environment of a container.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.corev1.references import ConfigMapKeySelector, SecretKeySelector
from kubesim.api.model import Bool, KubeModel, Unsimulated
from kubesim.api.quantity import Quantity


class ObjectFieldSelector(KubeModel):
    """A field of the pod itself, such as ``metadata.name``."""

    api_version: str | None = None
    field_path: str


class ResourceFieldSelector(KubeModel):
    """A request or limit of a container."""

    container_name: str | None = None
    resource: str
    divisor: Quantity | None = None


class FileKeySelector(KubeModel):
    """A key in an env file on a volume."""

    volume_name: str
    path: str
    key: str
    optional: Bool | None = None


class EnvVarSource(KubeModel):
    """Where the value of a variable comes from."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None
    file_key_ref: Unsimulated[FileKeySelector | None] = None


class EnvVar(KubeModel):
    """One variable."""

    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


class ConfigMapEnvSource(KubeModel):
    """A ConfigMap, all of whose keys become variables."""

    name: str | None = None
    optional: Bool | None = None


class SecretEnvSource(KubeModel):
    """A Secret, all of whose keys become variables."""

    name: str | None = None
    optional: Bool | None = None


class EnvFromSource(KubeModel):
    """A source of many variables."""

    prefix: str | None = None
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None
