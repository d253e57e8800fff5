"""What an admission plugin is.

Mirrors: staging/src/k8s.io/apiserver/pkg/admission/interfaces.go.
Departs: one method for mutating and validating; plugins see creations only.
"""

from __future__ import annotations

from typing import Protocol

from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.apiserver.store import Store


class AdmissionPlugin(Protocol):
    """Looks at an object that is about to be created."""

    @property
    def name(self) -> str:
        """The name under which a real API server knows it."""
        ...

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:
        """The object to go on with.

        Raises:
            Forbidden: If the object may not be created.
        """
        ...
