"""The nodes of a cluster and the instances they are: those of the beginning, and those that come later.

A node of the beginning was there before: its object simply is. A later one is asked for at the
cloud, boots, and registers; when it goes, its instance loses its power and is forgotten, and the
cloud's controller deletes the object.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from kubesim.api.corev1 import Node
from kubesim.cluster.config import ClusterConfig, NodeConfig, PoolConfig
from kubesim.cluster.node import NodeAssembly, World, assemble_node
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client import Client
from kubesim.controlplane.controllers import CloudNodeLifecycleController, NodeLifecycleController
from kubesim.facts import (
    NodeBecameReady,
    NodeBooted,
    NodePartitioned,
    NodeRegistered,
    NodeRejoined,
)
from kubesim.node.kubelet.registration import register, report_ready
from kubesim.sim import SimProcess
from kubesim.sim.distribution import Exponential
from kubesim.world.cloud import Cloud, CloudTimings, Instance, InstanceSpec, Refusal

PROVIDER = "kubesim"


def provider_id(instance: Instance) -> str:
    """The instance's name in a Node's ``spec.providerID``."""
    return f"{PROVIDER}://{instance.spec.zone}/{instance.id}"


class Fleet:
    """All nodes, and the cloud that they are from.

    Args:
        world: What all nodes share.
        config: The cluster.
        apiserver: For the nodes of the beginning.
        client: Makes a kubelet's connection.
        cloud_client: The connection of the cloud's controller.
        node_lifecycle: Has to be told when a node falls silent.
    """

    def __init__(
        self,
        world: World,
        *,
        config: ClusterConfig,
        apiserver: APIServer,
        client: Callable[[NodeConfig], Client],
        cloud_client: Client,
        node_lifecycle: NodeLifecycleController,
    ) -> None:
        self._world = world
        self._sim = world.sim
        self._apiserver = apiserver
        self._client = client
        self._node_lifecycle = node_lifecycle
        self._boot = config.preset.cloud.boot.distribution
        self._network_ready = config.preset.cloud.network_ready.distribution
        self.pools = {pool.name: pool for pool in config.pools}
        self.nodes: dict[str, NodeAssembly] = {}
        """The nodes that are or were powered on and whose instances are not forgotten."""
        self.instance_of: dict[str, str] = {}
        """The instance that each node is."""
        self._configs: dict[str, NodeConfig] = {}
        self._numbers = {pool.name: pool.count for pool in config.pools}
        self._free: list[int] = []
        self._indexes: dict[str, int] = {}
        self._next_index = 0
        self._silent: set[str] = set()
        self._boots: Counter[str] = Counter()
        self._cut_until_ns: dict[str, int] = {}
        self._watchers: list[Callable[[Instance], None]] = []
        self.cloud = Cloud(
            self._sim,
            timings=_timings(config),
            horizon_ns=config.horizon_ns,
            capacity=config.cloud_capacity,
            booted=self._booted,
            stopping=self._stopping,
            gone=self._gone,
        )
        for node in config.nodes:
            self._existed(node)
        self._controller = CloudNodeLifecycleController(
            self._sim, client=cloud_client, exists=self.exists
        )

    def on_stopping(self, watcher: Callable[[Instance], None]) -> None:
        """Be told of every instance that loses its power."""
        self._watchers.append(watcher)

    def exists(self, provider: str) -> bool:
        """Whether the cloud still knows the instance of a provider ID."""
        instance = self.cloud.instances.get(provider.rpartition("/")[2])
        return instance is not None and not instance.gone

    def launch(self, pool: PoolConfig) -> Instance | Refusal:
        """Ask the cloud for one more node of a pool."""
        number = self._numbers.get(pool.name, 0)
        self._numbers[pool.name] = number + 1
        return self.launch_node(pool.node(number))

    def launch_node(self, node: NodeConfig) -> Instance | Refusal:
        """Ask the cloud for a node."""
        answer = self.cloud.launch(_spec(node))
        if isinstance(answer, Instance):
            self._configs[node.name] = node
            self.instance_of[node.name] = answer.id
        return answer

    def terminate(self, node_name: str) -> None:
        """End the instance of a node."""
        self.cloud.terminate(self.instance_of[node_name])

    def fail(self, node_name: str) -> None:
        """A node goes down at once; its instance stays, broken, and costs money."""
        self._power_off(node_name)
        self._boots[node_name] += 1  # one that was booting does not get there

    def reboot(self, node_name: str) -> None:
        """A node goes down (if it is not down already) and boots again."""
        self._power_off(node_name)
        instance = self.instance_of[node_name]
        boot_ns = self._boot.draw(self._sim.rng(f"reboot/{node_name}"))
        self._boots[node_name] += 1
        boot = self._boots[node_name]
        self._sim.call_in(boot_ns, self._boot_again, node_name, instance, boot)

    def partition(self, node_name: str, for_ns: int) -> None:
        """A node's kubelet does not reach the API server for a while; everything on it goes on.

        A boot does not mend it, and of two at a time the later end counts.
        """
        until_ns = max(self._sim.now + for_ns, self._cut_until_ns.get(node_name, 0))
        self._cut_until_ns[node_name] = until_ns
        self._sim.call_in(for_ns, self._rejoin, node_name)
        kubelet = self.nodes[node_name].kubelet
        if node_name not in self._silent and not kubelet.cut_off:
            last_renewal_ns = kubelet.last_lease_renewal_ns()
            kubelet.cut()
            self._sim.emit(NodePartitioned(node=node_name))
            self._node_lifecycle.node_silent(node_name, last_renewal_ns=last_renewal_ns)

    def _is_partitioned(self, node_name: str) -> bool:
        return self._cut_until_ns.get(node_name, 0) > self._sim.now

    def _rejoin(self, node_name: str) -> None:
        if self._is_partitioned(node_name) or node_name not in self.nodes:
            return
        kubelet = self.nodes[node_name].kubelet
        if node_name not in self._silent and kubelet.cut_off:
            self._sim.emit(NodeRejoined(node=node_name))
            self._node_lifecycle.node_heard(node_name)
            kubelet.join()

    def _boot_again(self, node_name: str, instance: str, boot: int) -> None:
        if self.instance_of.get(node_name) != instance or boot != self._boots[node_name]:
            return
        self._silent.discard(node_name)
        before = self.nodes[node_name]
        before.host.network.power_on(node_name)
        assembly = assemble_node(
            self._world,
            config=before.config,
            index=self._indexes[node_name],
            client=self._client(before.config),
            before=before,
        )
        self.nodes[node_name] = replace(assembly, since_ns=before.since_ns)
        self._sim.emit(NodeBooted(node=node_name))
        if self._is_partitioned(node_name):
            assembly.kubelet.cut()
        else:
            self._node_lifecycle.node_heard(node_name)
        assembly.kubelet.report_boot()

    def _existed(self, node: NodeConfig) -> None:
        """The node was there before the run began."""
        instance = self.cloud.adopt(_spec(node))
        self.instance_of[node.name] = instance.id
        assembly = self._assemble(node)
        registered = self._identified(assembly.kubelet.node(), node, instance)
        stored = self._apiserver.create(registered)
        self._apiserver.update_status(stored.replace(status=registered.status))

    def _booted(self, instance: Instance) -> None:
        self._sim.process(self._join(instance))

    def _join(self, instance: Instance) -> SimProcess[None]:
        """A booted instance becomes a node."""
        config = self._configs.pop(instance.spec.node)
        client = self._client(config)
        assembly = self._assemble(config, client)
        node = self._identified(assembly.kubelet.node(), config, instance)
        rng = self._sim.rng(f"cloud/{instance.id}/network")
        network_ns = self._network_ready.draw(rng)
        yield from register(client, node, self._sim.wall_ns)
        self._sim.emit(NodeRegistered(node=config.name, instance=instance.id))
        yield self._sim.timeout(network_ns)
        if instance.alive and (yield from report_ready(self._sim, client, config.name)):
            self._sim.emit(NodeBecameReady(node=config.name, instance=instance.id))

    def _identified(self, node: Node, config: NodeConfig, instance: Instance) -> Node:
        metadata = node.metadata
        if config.annotations:
            metadata = metadata.replace(annotations=config.annotations)
        if config.finalizers:
            metadata = metadata.replace(finalizers=config.finalizers)
        spec = node.spec.replace(provider_id=provider_id(instance))
        return node.replace(metadata=metadata, spec=spec)

    def _assemble(self, node: NodeConfig, client: Client | None = None) -> NodeAssembly:
        index = heapq.heappop(self._free) if self._free else self._next_index
        self._next_index = max(self._next_index, index + 1)
        self._indexes[node.name] = index
        assembly = assemble_node(
            self._world, config=node, index=index, client=client or self._client(node)
        )
        instance = self.cloud.instances[self.instance_of[node.name]]
        assembly = replace(assembly, since_ns=instance.running_ns or 0)
        self.nodes[node.name] = assembly
        return assembly

    def _stopping(self, instance: Instance) -> None:
        self._configs.pop(instance.spec.node, None)
        if instance.spec.node in self.nodes:
            self._power_off(instance.spec.node)
        for watcher in self._watchers:
            watcher(instance)

    def _power_off(self, node_name: str) -> None:
        if node_name in self._silent:
            return
        self._silent.add(node_name)
        assembly = self.nodes[node_name]
        last_renewal_ns = assembly.kubelet.last_lease_renewal_ns()
        assembly.power_off()
        self._world.topology.drop(f"node/{node_name}")
        if not assembly.kubelet.cut_off:  # else it has been silent for longer
            self._node_lifecycle.node_silent(node_name, last_renewal_ns=last_renewal_ns)

    def _gone(self, instance: Instance) -> None:
        name = instance.spec.node
        self.instance_of.pop(name, None)
        self._cut_until_ns.pop(name, None)
        if self.nodes.pop(name, None) is not None:
            self._silent.discard(name)
            heapq.heappush(self._free, self._indexes.pop(name))
        self._controller.instance_gone(name)


def _spec(node: NodeConfig) -> InstanceSpec:
    return InstanceSpec(
        node=node.name,
        pool=node.pool,
        machine=node.machine,
        zone=node.zone,
        spot=node.spot,
        price_per_hour_nano_usd=node.price_per_hour_nano_usd,
    )


def _timings(config: ClusterConfig) -> CloudTimings:
    numbers = config.preset.cloud
    mean_ns = config.spot_interruption_ns or numbers.spot_interruption.value
    return CloudTimings(
        start=numbers.instance_start.distribution,
        boot=numbers.boot.distribution,
        stop=numbers.instance_stop.distribution,
        spot_notice_ns=numbers.spot_notice.value,
        spot_lifetime=Exponential(mean_ns),
    )
