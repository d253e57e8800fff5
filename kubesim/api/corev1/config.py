"""ConfigMaps and Secrets: configuration as objects.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import Bool


class ConfigMap(KubeObject):
    """Configuration that is not secret."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    immutable: Bool | None = None
    data: FrozenMap[str, str] = FrozenMap()
    binary_data: FrozenMap[str, str] = FrozenMap()


class Secret(KubeObject):
    """Configuration that is secret; values in ``data`` are base64 text."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    immutable: Bool | None = None
    data: FrozenMap[str, str] = FrozenMap()
    string_data: FrozenMap[str, str] = FrozenMap()
    type: str | None = None
