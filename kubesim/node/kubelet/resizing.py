"""Bringing a resize into force: the pod's cgroup and its containers' are given other limits.

A pod that grows is given room before its containers are, one that shrinks after them. A container
whose ``resizePolicy`` wants it is killed, and started again with its new limits in the same sync; all
others go on running. Memory is not taken from under somebody who uses it: that fails, and is tried
again.

Mirrors: pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodResizeAction, doPodResizeAction,
validateMemoryResizeAction), pkg/kubelet/kubelet_pods.go (determinePodResizeStatus).
Departs: the resources that a status shows are those that were asked of the runtime, not read back
from cgroups; cpu and memory are changed in one call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kubesim.api.corev1 import Container, Pod, PodCondition, ResourceRequirements
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.podresize import IN_PROGRESS, is_resizable
from kubesim.api.podutil import max_resources, pod_qos
from kubesim.node.cri import messages as cri
from kubesim.node.kubelet.cm import oom_score_adj, resource_config_for_pod
from kubesim.node.kubelet.container import linux_resources
from kubesim.node.kubelet.containers import PodContainers, Sandbox
from kubesim.node.kubelet.context import WorkerContext
from kubesim.node.kubelet.prober.asking import Target
from kubesim.sim import SimProcess

UNLIMITED = 2**63


class PodResizer:
    """The resizes of one pod.

    Args:
        context: What the workers of the kubelet share.
        pod: The pod with the resources that are allocated to it.
        containers: Its containers.

    Attributes:
        pending: The condition ``PodResizePending``, while it is so.
    """

    def __init__(
        self, context: WorkerContext, *, pod: Callable[[], Pod], containers: PodContainers
    ) -> None:
        self.pending: PodCondition | None = None
        self._context = context
        self._pod = pod
        self._containers = containers
        self._in_progress: PodCondition | None = None
        self._resized: Callable[[], None] | None = None
        self._cgroup = self._wanted()

    def set_pending(self, condition: PodCondition | None) -> bool:
        """Whether that is news: the condition, but for its time, was another one before."""
        before, self.pending = self.pending, condition
        if before is None or condition is None:
            return before is not condition
        if before.reason == condition.reason:
            since_ns = before.last_transition_time
            self.pending = condition.replace(last_transition_time=since_ns)
        return (before.reason, before.observed_generation) != (
            condition.reason,
            condition.observed_generation,
        )

    def begin(self, resized: Callable[[], None]) -> None:
        """Other resources were allocated; ``resized`` is called when they are in force."""
        self.pending = None
        self._resized = resized
        self._in_progress = PodCondition(
            type=IN_PROGRESS,
            status="True",
            observed_generation=self._pod().metadata.generation,
            last_transition_time=self._context.sim.wall_ns,
        )

    def conditions(self) -> tuple[PodCondition, ...]:
        """What the pod's status says of its resize."""
        return tuple(item for item in (self.pending, self._in_progress) if item is not None)

    def in_force(self) -> Mapping[str, ResourceRequirements]:
        """What the running containers have, by name."""
        return {name: resources for name, (_, resources) in self._containers.actuated.items()}

    def reserved(self) -> Pod:
        """The pod with what it takes of the node: what is allocated or in force, if that is more."""
        pod = self._pod()
        if self._in_progress is None:
            return pod
        in_force = self.in_force()

        def larger(container: Container) -> Container:
            has = in_force.get(container.name)
            if has is None or has == container.resources:
                return container
            requests = dict(container.resources.requests)
            max_resources(requests, has.requests)
            resources = container.resources.replace(requests=FrozenMap(requests))
            return container.replace(resources=resources)

        containers = tuple(larger(item) for item in pod.spec.containers)
        return pod.replace(spec=pod.spec.replace(containers=containers))

    def settle(self) -> None:
        """A sync begins: is what was allocated in force?"""
        if self._in_progress is None or self._changes() or self._cgroup != self._wanted():
            return
        self._in_progress = None
        pod = self._pod()
        message = resize_message("completed", pod)
        self._context.recorder.normal(pod, "ResizeCompleted", message)
        resized, self._resized = self._resized, None
        if resized is not None:
            resized()

    def resize(self, sandbox: Sandbox) -> SimProcess[None]:
        """Bring what is allocated into force, as far as it is not."""
        if self._in_progress is None:
            return
        changes = self._changes()
        problem = self._too_small(changes, sandbox)
        if problem:
            self._failed(problem)
            return
        try:
            yield from self._apply(changes, sandbox)
        except cri.CriError as error:
            self._failed(str(error))

    def _apply(
        self, changes: list[tuple[Container, cri.ContainerStatus]], sandbox: Sandbox
    ) -> SimProcess[None]:
        pod, context = self._pod(), self._context
        stay = [pair for pair in changes if not self._restarts(*pair)]
        for container, status in changes:
            if (container, status) in stay:
                continue
            target = Target(container=container, container_id=status.id, pod_ip=sandbox.ip)
            message = f"Container {container.name} resize requires restart"
            yield from context.killer.kill(pod, target, message=message)
            self._containers.restart_now(container)
        wanted = self._wanted()
        yield from self._set_cgroup(_larger(self._cgroup, wanted), sandbox)
        # Those that give memory back come first, so that the pod as a whole is never over its limit.
        for container, status in sorted(stay, key=lambda pair: self._memory_grows(pair[0])):
            capacity_bytes = context.memory_capacity_bytes
            score = oom_score_adj(pod, container, memory_capacity_bytes=capacity_bytes)
            linux = linux_resources(
                container, oom_score_adj=score, period_us=context.settings.cfs_period_us
            )
            yield from context.runtime.update_container_resources(status.id, linux)
            self._containers.actuated[container.name] = (status.id, container.resources)
        yield from self._set_cgroup(wanted, sandbox)
        if self._in_progress is not None and self._in_progress.reason:
            self._in_progress = self._in_progress.replace(reason=None, message=None)

    def _wanted(self) -> cri.LinuxContainerResources:
        pod = self._pod()
        period_us = self._context.settings.cfs_period_us
        return resource_config_for_pod(pod, pod_qos(pod.spec), period_us)

    def _set_cgroup(
        self, linux: cri.LinuxContainerResources, sandbox: Sandbox
    ) -> SimProcess[None]:
        if linux != self._cgroup:
            runtime = self._context.runtime
            yield from runtime.update_pod_sandbox_resources(sandbox.id, linux)
            self._cgroup = linux

    def _changes(self) -> list[tuple[Container, cri.ContainerStatus]]:
        """The running containers that do not have what is allocated to them."""
        changes = []
        pod = self._pod()
        for container in (*pod.spec.init_containers, *pod.spec.containers):
            found = self._containers.actuated.get(container.name)
            if found is None or found[1] == container.resources:
                continue
            latest = self._containers.latest(container)
            running = latest is not None and latest.state is cri.ContainerState.RUNNING
            if latest is not None and running and is_resizable(container, pod.spec):
                changes.append((container, latest))
        return changes

    def _restarts(self, container: Container, status: cri.ContainerStatus) -> bool:
        """Whether it has to be killed for it."""
        del status
        _, has = self._containers.actuated[container.name]
        wants = container.resources
        for policy in container.resize_policy:
            name = policy.resource_name
            same = has.requests.get(name) == wants.requests.get(name) and (
                has.limits.get(name) == wants.limits.get(name)
            )
            if policy.restart_policy == "RestartContainer" and not same:
                return True
        return False

    def _memory_grows(self, container: Container) -> bool:
        _, has = self._containers.actuated[container.name]
        return _memory(container.resources) > _memory(has)

    def _too_small(
        self, changes: list[tuple[Container, cri.ContainerStatus]], sandbox: Sandbox
    ) -> str:
        """Why memory cannot be taken away now; empty when it can."""
        shrinking = [
            (container, status)
            for container, status in changes
            if _memory(container.resources) < _memory(self._containers.actuated[container.name][1])
            and not self._restarts(container, status)
        ]
        if not shrinking:
            return ""
        used = {
            stats.id: stats.memory.working_set_bytes
            for stats in self._context.runtime.list_container_stats(sandbox.id)
        }
        for container, status in shrinking:
            limit, usage = _memory(container.resources), used.get(status.id, 0)
            if usage >= limit:
                return (
                    f'attempting to set container "{container.name}" memory limit ({limit}) below '
                    f"current usage ({usage})"
                )
        return ""

    def _failed(self, message: str) -> None:
        assert self._in_progress is not None
        before = self._in_progress
        self._in_progress = before.replace(reason="Error", message=message)
        if (before.reason, before.message) != ("Error", message):
            pod = self._pod()
            text = resize_message("error", pod, error=message)
            self._context.recorder.warning(pod, "ResizeError", text)
        self._containers.sync_failed()


def resize_message(what: str, pod: Pod, *, error: str = "") -> str:
    """What an event says of a resize, with the resources that the pod is to have."""
    said: dict[str, Any] = {}
    for wire, containers in (
        ("initContainers", pod.spec.init_containers),
        ("containers", pod.spec.containers),
    ):
        if containers:
            said[wire] = [
                {"name": item.name, "resources": _shown(item.resources)} for item in containers
            ]
    said["generation"] = pod.metadata.generation or 0
    if error:
        said["error"] = error
    return f"Pod resize {what}: {json.dumps(said, separators=(',', ':'))}"


def _shown(resources: ResourceRequirements) -> dict[str, dict[str, str]]:
    return {
        field: {name: str(quantity) for name, quantity in sorted(amounts.items())}
        for field, amounts in (("limits", resources.limits), ("requests", resources.requests))
        if amounts
    }


def _memory(resources: ResourceRequirements) -> int:
    limit = resources.limits.get("memory")
    return UNLIMITED if limit is None else limit.value()


def _larger(
    one: cri.LinuxContainerResources, other: cri.LinuxContainerResources
) -> cri.LinuxContainerResources:
    """What has room for both; no limit is more than any limit."""

    def most(a: int, b: int) -> int:
        return max(a, b) if a and b else 0

    return replace(
        other,
        cpu_quota=most(one.cpu_quota, other.cpu_quota),
        memory_limit_in_bytes=most(one.memory_limit_in_bytes, other.memory_limit_in_bytes),
    )
