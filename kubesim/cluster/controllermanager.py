"""kube-controller-manager: the controllers it runs, each with a client of its own.

Mirrors: cmd/kube-controller-manager/app/controllermanager.go (NewControllerDescriptors).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

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
from kubesim.sim import Sim


class StartController(Protocol):
    """A controller's constructor."""

    def __call__(self, sim: Sim, *, client: Client) -> object:
        """Construct it; it then runs by itself."""
        ...


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


class ControllerManager:
    """All controllers of a cluster.

    Args:
        sim: The run.
        client: Makes a controller's connection to the API server, by the controller's name.
        without: The controllers that are not to run (``--controllers=*,-NAME``).
    """

    def __init__(
        self, sim: Sim, *, client: Callable[[str], Client], without: Collection[str] = ()
    ) -> None:
        self._running = {
            name: start(sim, client=client(name))
            for name, start in CONTROLLERS
            if name not in without
        }

    @property
    def node_lifecycle(self) -> NodeLifecycleController:
        """The controller that has to be told when a node falls silent."""
        controller = self._running["node-controller"]
        assert isinstance(controller, NodeLifecycleController)
        return controller
