"""kube-controller-manager: the controllers it runs, each with a client of its own.

Mirrors: cmd/kube-controller-manager/app/controllermanager.go (NewControllerDescriptors).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from kubesim.controlplane.client import Client
from kubesim.controlplane.controllers import (
    CronJobController,
    DaemonSetController,
    DeploymentController,
    DisruptionController,
    EndpointSliceController,
    GarbageCollector,
    JobController,
    NamespaceController,
    NodeLifecycleController,
    PodGCController,
    ReplicaSetController,
    ResourceQuotaController,
    StatefulSetController,
    TaintEvictionController,
    TTLAfterFinishedController,
)
from kubesim.controlplane.controllers.nodelifecycle import (
    MONITOR_GRACE_PERIOD_NS,
    MONITOR_PERIOD_NS,
)
from kubesim.controlplane.controllers.podgc import TERMINATED_POD_GC_THRESHOLD
from kubesim.sim import Sim

KCM_LIMITS = (20.0, 30)  # --kube-api-qps, --kube-api-burst


StartController = Callable[..., object]
"""A controller's constructor: of a simulation, a ``client`` and, most of them, ``workers``."""


# Name of the controller, which is its client's, and what starts it; in this order.
CONTROLLERS: tuple[tuple[str, StartController], ...] = (
    ("node-controller", NodeLifecycleController),
    ("deployment-controller", DeploymentController),
    ("replicaset-controller", ReplicaSetController),
    ("statefulset-controller", StatefulSetController),
    ("daemonset-controller", DaemonSetController),
    ("job-controller", JobController),
    ("cronjob-controller", CronJobController),
    ("disruption-controller", DisruptionController),
    ("endpointslice-controller", EndpointSliceController),
    ("generic-garbage-collector", GarbageCollector),
    ("resourcequota-controller", ResourceQuotaController),
    ("namespace-controller", NamespaceController),
    ("pod-garbage-collector-controller", PodGCController),
    ("ttl-after-finished-controller", TTLAfterFinishedController),
    ("taint-eviction-controller", TaintEvictionController),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerManagerConfig:
    """Flags of kube-controller-manager.

    Attributes:
        kube_api_qps: How many requests a second each controller may make; 0 for any number.
        kube_api_burst: How many at once after a rest.
        workers: How many keys a controller works on at once, where that is not its default.
        node_monitor_period_ns: How often the node lifecycle controller looks.
        node_monitor_grace_period_ns: How long a silent node is believed in.
        terminated_pod_gc_threshold: How many pods that are over may stay; 0 for any number.
        without: The controllers that do not run (``--controllers=*,-NAME``).
    """

    kube_api_qps: float = KCM_LIMITS[0]
    kube_api_burst: int = KCM_LIMITS[1]
    workers: Mapping[str, int] = field(default_factory=dict)
    node_monitor_period_ns: int = MONITOR_PERIOD_NS
    node_monitor_grace_period_ns: int = MONITOR_GRACE_PERIOD_NS
    terminated_pod_gc_threshold: int = TERMINATED_POD_GC_THRESHOLD
    without: tuple[str, ...] = ()

    @property
    def limits(self) -> tuple[float, int]:
        """Requests a second and burst of each controller's client."""
        return self.kube_api_qps, self.kube_api_burst


DEFAULT = ControllerManagerConfig()


class ControllerManager:
    """All controllers of a cluster.

    Args:
        sim: The run.
        client: Makes a controller's connection to the API server, by the controller's name.
        config: The manager's flags.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Callable[[str], Client],
        config: ControllerManagerConfig = DEFAULT,
    ) -> None:
        self._running = {
            name: _configured(name, start, config)(sim, client=client(name))
            for name, start in CONTROLLERS
            if name not in config.without
        }

    @property
    def node_lifecycle(self) -> NodeLifecycleController:
        """The controller that has to be told when a node falls silent."""
        controller = self._running["node-controller"]
        assert isinstance(controller, NodeLifecycleController)
        return controller


def _configured(
    name: str, start: StartController, config: ControllerManagerConfig
) -> StartController:
    """What starts a controller with its flags."""
    if name == "node-controller":
        return partial(
            NodeLifecycleController,
            monitor_period_ns=config.node_monitor_period_ns,
            monitor_grace_period_ns=config.node_monitor_grace_period_ns,
        )
    if name == "pod-garbage-collector-controller":
        return partial(
            PodGCController, terminated_pod_threshold=config.terminated_pod_gc_threshold
        )
    return partial(start, workers=config.workers[name]) if name in config.workers else start
