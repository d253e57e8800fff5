"""The Shim resource: a containerd shim that is to be installed on nodes, and its RuntimeClass.

Mirrors: runtime-class-manager api/v1alpha1/shim_types.go.
"""

from typing import Literal

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import Condition, KubeObject
from kubesim.api.model import Int32, KubeModel, Unsimulated


class AnonHTTPSpec(KubeModel):
    """Where the shim's archive is, for every platform."""

    location: str


class PlatformArtifact(KubeModel):
    """The shim's archive for one platform."""

    os: str
    arch: str
    location: str
    sha256: str | None = None


class FetchStrategy(KubeModel):
    """How the shim comes to a node."""

    type: str | None = None
    anon_http: AnonHTTPSpec | None = None
    platforms: tuple[PlatformArtifact, ...] = ()


class RuntimeClassSpec(KubeModel):
    """The RuntimeClass that is made for the shim."""

    name: str
    handler: str


class RollingSpec(KubeModel):
    """How many nodes at a time."""

    max_update: Int32


class RolloutStrategy(KubeModel):
    """In which order nodes get the shim; upstream has only ``recreate`` (all at once) so far."""

    type: Literal["rolling", "recreate"]
    rolling: RollingSpec | None = None


class ShimSpec(KubeModel):
    """Which shim, on which nodes."""

    node_selector: FrozenMap[str, str] = FrozenMap()
    fetch_strategy: FetchStrategy
    runtime_class: RuntimeClassSpec
    rollout_strategy: RolloutStrategy
    containerd_runtime_options: Unsimulated[FrozenMap[str, str]] = FrozenMap()


class ShimStatus(KubeModel):
    """On how many nodes it should be and is."""

    conditions: tuple[Condition, ...] = ()
    nodes: Int32 = 0
    nodes_ready: Int32 = 0


class Shim(KubeObject):
    """A containerd shim that is to be installed."""

    api_version: Literal["runtime.spinkube.dev/v1alpha1"] = "runtime.spinkube.dev/v1alpha1"
    kind: Literal["Shim"] = "Shim"
    spec: ShimSpec = ShimSpec.zero()
    status: ShimStatus = ShimStatus.zero()
