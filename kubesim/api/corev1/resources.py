"""What a container or a pod asks for, and the claims it makes on devices.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.model import KubeModel, Unsimulated
from kubesim.api.quantity import Quantity


class ResourceClaim(KubeModel):
    """The name of a claim of the pod which this container uses."""

    name: str
    request: str | None = None


class ResourceRequirements(KubeModel):
    """The requests, which the scheduler reserves, and the limits, which the node enforces."""

    limits: FrozenMap[str, Quantity] = FrozenMap()
    requests: FrozenMap[str, Quantity] = FrozenMap()
    claims: Unsimulated[tuple[ResourceClaim, ...]] = ()


class VolumeResourceRequirements(KubeModel):
    """The size a volume claim asks for."""

    limits: FrozenMap[str, Quantity] = FrozenMap()
    requests: FrozenMap[str, Quantity] = FrozenMap()


class PodResourceClaim(KubeModel):
    """A claim on devices that the pod makes."""

    name: str
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodResourceClaimStatus(KubeModel):
    """The name of the object that was created for a claim."""

    name: str
    resource_claim_name: str | None = None


class ResourceHealth(KubeModel):
    """The health of one device."""

    resource_id: str
    health: str | None = None
    message: str | None = None


class ResourceStatus(KubeModel):
    """The health of the devices of one resource."""

    name: str
    resources: tuple[ResourceHealth, ...] = ()


class ContainerExtendedResourceRequest(KubeModel):
    """Which request of a claim backs an extended resource of a container."""

    container_name: str
    resource_name: str
    request_name: str


class PodExtendedResourceClaimStatus(KubeModel):
    """The claim that was created for extended resources."""

    request_mappings: tuple[ContainerExtendedResourceRequest, ...]
    resource_claim_name: str


class NodeAllocatableResourceClaimStatus(KubeModel):
    """What a claim takes of the node's ordinary resources."""

    resource_claim_name: str
    containers: tuple[str, ...] = ()
    resources: FrozenMap[str, Quantity]
