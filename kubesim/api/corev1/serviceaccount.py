"""Service accounts: the identities of pods.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import ClassVar, Literal

from kubesim.api.corev1.references import LocalObjectReference, ObjectReference
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import Bool


class ServiceAccount(KubeObject):
    """An identity that pods can have."""

    simulated: ClassVar[bool] = False

    api_version: Literal["v1"] = "v1"
    kind: Literal["ServiceAccount"] = "ServiceAccount"
    secrets: tuple[ObjectReference, ...] = ()
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    automount_service_account_token: Bool | None = None
