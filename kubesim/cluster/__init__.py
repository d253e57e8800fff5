"""The wiring: the only room that constructs components.

``Simulation`` is one whole cluster and its world on one clock; whoever drives it (a scenario, a
screen, a server) applies manifests, lets time pass, and reads the store and the journal. It is
loaded when it is first asked for: who only wants something admitted needs no kubelet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubesim.cluster.config import ClusterConfig, KarpenterConfig, NodeConfig, PoolConfig
    from kubesim.cluster.draining import DrainOptions
    from kubesim.cluster.simulation import Simulation

__all__ = [
    "ClusterConfig",
    "DrainOptions",
    "KarpenterConfig",
    "NodeConfig",
    "PoolConfig",
    "Simulation",
]


def __getattr__(name: str) -> Any:
    if name == "Simulation":
        from kubesim.cluster.simulation import Simulation  # noqa: PLC0415

        return Simulation
    if name == "DrainOptions":
        from kubesim.cluster.draining import DrainOptions  # noqa: PLC0415

        return DrainOptions
    if name in __all__:
        from kubesim.cluster import config  # noqa: PLC0415

        return getattr(config, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
