"""The network: pod addresses and who listens there, and links that transfers share."""

from kubesim.world.network.link import Link
from kubesim.world.network.podnetwork import PodNetwork

__all__ = ["Link", "PodNetwork"]
