"""What lies between nodes, registries and users: the scenario's network, completed from the preset."""

from __future__ import annotations

from dataclasses import replace

from kubesim.cluster.config import ClusterConfig
from kubesim.world.network import LinkConfig, TopologyConfig


def topology_of(config: ClusterConfig) -> TopologyConfig:
    """The topology; where it does not say how wide a node's link is, the preset's registry does."""
    topology = config.network
    if topology.node_link.bandwidth:
        return topology
    link = LinkConfig(
        latency_ns=topology.node_link.latency_ns,
        bandwidth=config.preset.registry.bandwidth.value,
    )
    return replace(topology, node_link=link)
