"""Limits of a namespace: per object (LimitRange) and in all (ResourceQuota).

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel
from kubesim.api.quantity import Quantity


class LimitRangeItem(KubeModel):
    """The bounds and defaults for one type of object."""

    type: str
    max: FrozenMap[str, Quantity] = FrozenMap()
    min: FrozenMap[str, Quantity] = FrozenMap()
    default: FrozenMap[str, Quantity] = FrozenMap()
    default_request: FrozenMap[str, Quantity] = FrozenMap()
    max_limit_request_ratio: FrozenMap[str, Quantity] = FrozenMap()


class LimitRangeSpec(KubeModel):
    """The bounds of a namespace."""

    limits: tuple[LimitRangeItem, ...]


class LimitRange(KubeObject):
    """Bounds and defaults for what one pod or container may ask for."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["LimitRange"] = "LimitRange"
    spec: LimitRangeSpec = LimitRangeSpec.zero()


class ScopedResourceSelectorRequirement(KubeModel):
    """A scope and the values it must have."""

    scope_name: str
    operator: str
    values: tuple[str, ...] = ()


class ScopeSelector(KubeModel):
    """Scopes which must all fit."""

    match_expressions: tuple[ScopedResourceSelectorRequirement, ...] = ()


class ResourceQuotaSpec(KubeModel):
    """The hard limits of a namespace, and what they count."""

    hard: FrozenMap[str, Quantity] = FrozenMap()
    scopes: tuple[str, ...] = ()
    scope_selector: ScopeSelector | None = None


class ResourceQuotaStatus(KubeModel):
    """The limits, and how much of them is used."""

    hard: FrozenMap[str, Quantity] = FrozenMap()
    used: FrozenMap[str, Quantity] = FrozenMap()


class ResourceQuota(KubeObject):
    """What a namespace may use in all."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["ResourceQuota"] = "ResourceQuota"
    spec: ResourceQuotaSpec = ResourceQuotaSpec.zero()
    status: ResourceQuotaStatus = ResourceQuotaStatus.zero()
