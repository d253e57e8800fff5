"""What makes and removes pods and nodes with the load: each autoscaler that the cluster has.

Mirrors: cmd/kube-controller-manager (the HPA controller), keda-operator, cluster-autoscaler and
karpenter, each a process of its own with a client of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.cluster.config import ClusterConfig
from kubesim.cluster.fleet import Fleet
from kubesim.cluster.karpentercloud import KarpenterCloud
from kubesim.cluster.keda import Keda
from kubesim.cluster.metrics import MetricsPipeline
from kubesim.cluster.nodegroups import PoolGroup
from kubesim.cluster.verticalautoscaler import start_vertical_autoscaler
from kubesim.controlplane.autoscaler.clusterautoscaler import ClusterAutoscaler
from kubesim.controlplane.autoscaler.karpenter import Karpenter
from kubesim.controlplane.autoscaling.hpa import HorizontalController
from kubesim.controlplane.client import Client
from kubesim.sim import Sim, Ticks
from kubesim.world.broker import Broker
from kubesim.world.traffic import Meters

# Client-side limits of the real components: requests a second and burst.
KARPENTER_LIMITS = (200.0, 300)
NO_LIMITS = (0.0, 0)

NewClient = Callable[[str, tuple[float, int]], Client]


class Autoscalers:
    """The autoscalers of a cluster.

    Args:
        sim: The run.
        config: The cluster; it says which of them there are.
        fleet: The nodes.
        meters: Where requests are counted.
        broker: The queues.
        client: Makes a component's connection to the API server, by its name and rate limit.
        controller_client: The same of a controller of kube-controller-manager.
    """

    def __init__(  # noqa: PLR0913 - what autoscalers are made of
        self,
        sim: Sim,
        *,
        config: ClusterConfig,
        fleet: Fleet,
        meters: Meters,
        broker: Broker,
        client: NewClient,
        controller_client: Callable[[str], Client],
    ) -> None:
        self._sim, self._config, self._fleet, self._client = sim, config, fleet, client
        ticks = Ticks(sim)
        self.metrics = MetricsPipeline(
            sim,
            ticks=ticks,
            client=lambda name: client(name, NO_LIMITS),
            nodes=lambda: fleet.nodes,
            meters=meters,
            at_work=config.metrics_server,
        )
        self.keda: Keda | None = None
        if config.keda is not None:
            flags = config.keda
            self.keda = keda = Keda(
                sim,
                client=client("keda-operator", (flags.kube_api_qps, flags.kube_api_burst)),
                config=flags,
                meters=meters,
                broker=broker,
                ticks=ticks,
                others=self.metrics.adapter,
            )
            self.metrics.answer_with(keda.metrics)
        hpa_client = controller_client("horizontal-pod-autoscaler-controller")
        self.metrics.follow(hpa_client)
        HorizontalController(
            sim,
            client=hpa_client,
            metrics=self.metrics.client,
            config=config.horizontal_pod_autoscaler,
            ticks=ticks,
            steady=self.metrics.steady,
        )
        self.vertical = (
            None
            if config.vertical_pod_autoscaler is None
            else start_vertical_autoscaler(
                sim,
                client=client,
                usage=self.metrics.server,
                nodes=lambda: fleet.nodes,
                config=config.vertical_pod_autoscaler,
            )
        )
        self.cluster_autoscaler = self._start_cluster_autoscaler()
        self.karpenter = self._start_karpenter()

    def _start_cluster_autoscaler(self) -> ClusterAutoscaler | None:
        config, options = self._config, self._config.cluster_autoscaler
        if options is None:
            return None
        pools = [pool for pool in config.pools if pool.max_size is not None]
        return ClusterAutoscaler(
            self._sim,
            client=self._client(
                "cluster-autoscaler", (options.kube_client_qps, options.kube_client_burst)
            ),
            groups=[PoolGroup(self._fleet, pool) for pool in pools],
            options=options,
            scheduler=config.scheduler.config,
            registry=config.scheduler.registry,
        )

    def _start_karpenter(self) -> Karpenter | None:
        config = self._config
        if config.karpenter is None:
            return None
        return Karpenter(
            self._sim,
            client=self._client("karpenter", KARPENTER_LIMITS),
            cloud=KarpenterCloud(self._fleet, config.karpenter),
            options=config.karpenter.flags,
            scheduler=config.scheduler.config,
            registry=config.scheduler.registry,
        )
