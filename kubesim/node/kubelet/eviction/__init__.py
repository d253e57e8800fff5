"""Node-pressure eviction: a node that runs out of memory or disk gives up pods to stay alive.

Mirrors: pkg/kubelet/eviction.
"""

from kubesim.node.kubelet.eviction.manager import EvictionManager, refusal
from kubesim.node.kubelet.eviction.observing import Meter, Meters

__all__ = ["EvictionManager", "Meter", "Meters", "refusal"]
