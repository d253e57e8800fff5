"""The cloud's node lifecycle controller: a node whose instance is gone is deleted.

It looks every five seconds at the nodes that are not ready and asks the cloud whether their
instances exist. Here the look that would notice is computed: the grid point after a node became
not ready, or after its instance went.

Mirrors: staging/src/k8s.io/cloud-provider/controllers/nodelifecycle/node_lifecycle_controller.go.
Departs: instances are never just shut down, so there is no shutdown taint.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.api.corev1 import Node
from kubesim.api.podutil import get_node_condition
from kubesim.controlplane.client import Client, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND, next_grid_point

MONITOR_PERIOD_NS = 5 * SECOND  # --node-monitor-period


class CloudNodeLifecycleController:
    """Deletes the nodes of instances that are gone.

    Args:
        sim: The run.
        client: Its connection to the API server.
        exists: Whether the cloud still has the instance of a provider ID.
    """

    def __init__(self, sim: Sim, *, client: Client, exists: Callable[[str], bool]) -> None:
        self._sim = sim
        self._client = client
        self._exists = exists
        self._recorder = Recorder(sim, component="cloud-node-lifecycle-controller")
        rng = sim.rng("cloud-node-lifecycle-controller")
        self._offset_ns = rng.uniform(0, MONITOR_PERIOD_NS)
        self._planned: set[str] = set()
        self._nodes = client.informer(Node)
        self._nodes.add_handler(self._node_changed)

    def instance_gone(self, node_name: str) -> None:
        """The cloud has forgotten the instance of a node."""
        self._look_later(node_name)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is not None and not _is_ready(new) and (old is None or _is_ready(old)):
            self._look_later(new.name)

    def _look_later(self, node_name: str) -> None:
        if node_name in self._planned:
            return
        self._planned.add(node_name)
        due_ns = next_grid_point(
            self._sim.now, period_ns=MONITOR_PERIOD_NS, offset_ns=self._offset_ns
        )
        self._sim.call_in(due_ns - self._sim.now, self._look, node_name)

    def _look(self, node_name: str) -> None:
        self._planned.discard(node_name)
        node = self._nodes.get(node_name)
        if node is None or _is_ready(node) or not node.spec.provider_id:
            return
        if not self._exists(node.spec.provider_id):
            self._sim.process(self._delete(node))

    def _delete(self, node: Node) -> SimProcess[None]:
        message = f"Deleting node {node.name} because it does not exist in the cloud provider"
        self._recorder.normal(node, "DeletingNode", message)
        try:
            yield from self._client.delete(Node, node.name)
        except StatusError:
            return  # somebody else was faster


def _is_ready(node: Node) -> bool:
    ready = get_node_condition(node.status, "Ready")
    return ready is not None and ready.status == "True"
