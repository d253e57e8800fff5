"""The wiring: the only room that constructs components.

``Simulation`` is one whole cluster and its world on one clock; whoever drives it (a scenario, a
screen, a server) applies manifests, lets time pass, and reads the store and the journal.
"""

from kubesim.cluster.config import ClusterConfig, NodeConfig
from kubesim.cluster.simulation import Simulation

__all__ = ["ClusterConfig", "NodeConfig", "Simulation"]
