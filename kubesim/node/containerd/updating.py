"""UpdateContainerResources and UpdatePodSandboxResources: other limits for what runs already.

Mirrors: containerd internal/cri/server/container_update_resources.go, sandbox_update_resources.go.
Departs: the kubelet writes the pod's cgroup itself upstream, and tells the runtime afterwards; here
the runtime, which has made it, writes it. The limit of a Wasm engine's linear memory is fixed when
the module starts.
"""

from __future__ import annotations

from dataclasses import replace

from kubesim.node.containerd.calls import CallLog
from kubesim.node.containerd.config import ContainerdConfig
from kubesim.node.containerd.store import Container, Sandbox, cgroup_resources
from kubesim.node.cri.messages import ContainerState, CriError, LinuxContainerResources
from kubesim.node.cri.services import PodListener
from kubesim.node.shim import NodeServices
from kubesim.sim import Rng, Sim, SimProcess


class ResourceUpdates:
    """The part of a CRI server that changes limits."""

    _sim: Sim
    _rng: Rng
    _config: ContainerdConfig
    _services: NodeServices
    _sandboxes: dict[str, Sandbox]
    _containers: dict[str, Container]
    _calls: CallLog
    _listeners: list[PodListener]

    def update_container_resources(
        self, container_id: str, linux: LinuxContainerResources
    ) -> SimProcess[None]:
        """Give a running container other limits.

        Raises:
            CriError: If it does not run.
        """
        container = self._containers.get(container_id)
        if container is None:
            raise CriError("NotFound", f'failed to find container "{container_id}": not found')
        work = self._update_container(container, linux)
        yield from self._calls.call(
            "UpdateContainerResources", container.spec.uid, container.status.name, work
        )

    def update_pod_sandbox_resources(
        self, pod_sandbox_id: str, resources: LinuxContainerResources
    ) -> SimProcess[None]:
        """Give a whole pod other limits.

        Raises:
            CriError: If there is no such sandbox.
        """
        sandbox = self._sandboxes.get(pod_sandbox_id)
        if sandbox is None:
            raise CriError("NotFound", f'failed to find sandbox "{pod_sandbox_id}": not found')
        work = self._update_sandbox(sandbox, resources)
        uid = sandbox.status.metadata.uid
        yield from self._calls.call("UpdatePodSandboxResources", uid, pod_sandbox_id, work)

    def _update_container(
        self, container: Container, linux: LinuxContainerResources
    ) -> SimProcess[None]:
        yield self._sim.timeout(self._config.ending.update_container.draw(self._rng))
        cgroup = container.task.stats()
        if container.status.state is not ContainerState.RUNNING or cgroup is None:
            state = container.status.state.value
            raise CriError("Unknown", f"failed to update resources: container is in {state} state")
        cgroup.update(cgroup_resources(linux))
        container.spec = replace(
            container.spec,
            cpu_shares=linux.cpu_shares,
            cpu_quota=(linux.cpu_quota, linux.cpu_period),
            memory_limit_bytes=linux.memory_limit_in_bytes,
        )
        for listener in () if self._calls.off else self._listeners:
            listener(container.spec.uid)

    def _update_sandbox(
        self, sandbox: Sandbox, resources: LinuxContainerResources
    ) -> SimProcess[None]:
        yield self._sim.timeout(self._config.ending.update_container.draw(self._rng))
        self._services.machine.pod_cgroup(sandbox.cgroup.path, cgroup_resources(resources))
