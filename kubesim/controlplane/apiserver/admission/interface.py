"""What an admission plugin is.

Mirrors: staging/src/k8s.io/apiserver/pkg/admission/interfaces.go.
Departs: one method for mutating and validating; plugins see creations, and those of
``RESIZE_PLUGINS`` resizes.
"""

from __future__ import annotations

from typing import Protocol

from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.apiserver import errors
from kubesim.controlplane.apiserver.errors import Forbidden
from kubesim.controlplane.apiserver.resources import resource_name
from kubesim.controlplane.apiserver.store import Store


def forbidden(obj: KubeObject, why: str) -> Forbidden:
    """The refusal of an object; one without a name yet is called by its ``generateName``."""
    name = obj.name or obj.metadata.generate_name or "Unknown"
    return errors.forbidden(resource_name(type(obj)), name, why)


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
