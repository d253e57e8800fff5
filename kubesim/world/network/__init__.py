"""The network: pod addresses and who listens there, and links that transfers share."""

from kubesim.world.network.link import Link
from kubesim.world.network.podnetwork import PodNetwork
from kubesim.world.network.topology import LinkConfig, RackConfig, Topology, TopologyConfig

__all__ = ["Link", "LinkConfig", "PodNetwork", "RackConfig", "Topology", "TopologyConfig"]
