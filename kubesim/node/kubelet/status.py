"""The pod status that a kubelet reports. Pure functions of the spec and of what the runtime says.

Mirrors: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, getPhase, convertStatusToAPIStatus),
pkg/kubelet/status/generate.go; reasons and messages as there.
Departs: a container that was lost with its record is not looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubesim.api.corev1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
    ResourceRequirements,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.podutil import get_pod_condition
from kubesim.node.cri import messages as cri
from kubesim.node.kubelet.container import is_restartable_init, should_restart


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a kubelet knows about a pod when it makes its status.

    Attributes:
        containers: What the runtime lists, oldest first.
        pod_ip: The sandbox's address; empty before there is one.
        sandbox_ready: Whether the sandbox is up.
        terminated: Whether the pod is over on this node, whatever its restart policy says.
        waiting: Why containers wait that are not running: name to reason and message.
        unstarted: Running containers whose startup probe has not succeeded yet.
        unready: Running containers whose readiness probe does not succeed.
        ending: Why the kubelet ends the pod, if it does.
        host_ip: The node's address.
        epoch_ns: What to add to a virtual instant to have a time on the wall.
        now_ns: The virtual instant.
        resizing: The conditions of a resize.
        in_force: The resources of the containers' cgroups, by name.
    """

    containers: tuple[cri.ContainerStatus, ...]
    pod_ip: str
    sandbox_ready: bool
    terminated: bool
    waiting: Mapping[str, tuple[str, str]]
    host_ip: str
    epoch_ns: int
    now_ns: int
    unstarted: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()
    ending: Ending | None = None
    resizing: tuple[PodCondition, ...] = ()
    in_force: Mapping[str, ResourceRequirements] = FrozenMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a pod is ended by its kubelet before anybody deleted it.

    Attributes:
        reason: The reason in its status, such as ``Evicted``.
        message: What people are told.
        grace_s: A grace period instead of the pod's own.
        disruption: The reason of its condition DisruptionTarget; empty for no such condition.
    """

    reason: str
    message: str
    grace_s: int | None = None
    disruption: str = ""


def generate_pod_status(pod: Pod, seen: Observation) -> PodStatus:
    """The pod's whole status, as it is to be reported now."""
    inits = tuple(_container_status(c, pod, seen) for c in pod.spec.init_containers)
    mains = tuple(_container_status(c, pod, seen) for c in pod.spec.containers)
    phase = _phase(pod, inits=inits, mains=mains)
    if seen.terminated or seen.ending is not None:
        succeeded = all(_exit_code(status) == 0 for status in mains)
        phase = "Succeeded" if succeeded and seen.ending is None else "Failed"
    if seen.terminated and _has_initialized(inits, mains):
        mains = tuple(s if s.state.terminated else s.replace(state=_NEVER_FOUND) for s in mains)
    status = pod.status.replace(
        phase=phase,
        host_ip=seen.host_ip,
        host_ips=(HostIP(ip=seen.host_ip),),
        start_time=pod.status.start_time or seen.epoch_ns + seen.now_ns,
        container_statuses=mains,
        init_container_statuses=inits,
    )
    if seen.ending is not None:
        status = status.replace(reason=seen.ending.reason, message=seen.ending.message)
    if seen.pod_ip:
        status = status.replace(pod_ip=seen.pod_ip, pod_ips=(PodIP(ip=seen.pod_ip),))
    return status.replace(conditions=_conditions(pod, status, seen))


def rejected(pod: Pod, why: Ending) -> PodStatus:
    """The status of a pod that was never let in."""
    return pod.status.replace(phase="Failed", reason=why.reason, message=why.message)


def is_ready(status: PodStatus) -> bool:
    """Whether a status says that the pod is ready."""
    condition = get_pod_condition(status, "Ready")
    return condition is not None and condition.status == "True"


def _container_status(container: Container, pod: Pod, seen: Observation) -> ContainerStatus:
    runs = [run for run in seen.containers if run.name == container.name]
    latest = runs[-1] if runs else None
    previous = runs[-2] if len(runs) > 1 else None
    waiting = seen.waiting.get(container.name)
    state, last_state = ContainerState(), ContainerState()
    if previous is not None:
        last_state = _last_state(previous, seen)
    if latest is None or latest.state is cri.ContainerState.CREATED:
        blocked = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
        reason, message = waiting or (blocked, "")
        state = _waiting(reason, message)
    elif latest.state is cri.ContainerState.RUNNING:
        started_at = seen.epoch_ns + latest.started_at
        state = ContainerState(running=ContainerStateRunning(started_at=started_at))
    elif waiting is not None:
        state, last_state = _waiting(*waiting), _terminated(latest, seen)
    else:
        state = _terminated(latest, seen)
    started = state.running is not None and container.name not in seen.unstarted
    return ContainerStatus(
        name=container.name,
        state=state,
        last_state=last_state,
        ready=_is_ready(container, pod, state, unready=container.name in seen.unready)
        and (started or state.running is None),
        started=started,
        restart_count=latest.attempt if latest else 0,
        image=container.image or "",
        image_id=latest.image_ref if latest else "",
        container_id=f"containerd://{latest.id}" if latest else None,
        allocated_resources=container.resources.requests,
        resources=seen.in_force.get(container.name, container.resources),
    )


def _is_ready(container: Container, pod: Pod, state: ContainerState, *, unready: bool) -> bool:
    """A container is ready when it runs, an init container when it has done its work."""
    if container in pod.spec.init_containers and not is_restartable_init(container):
        return state.terminated is not None and state.terminated.exit_code == 0
    return state.running is not None and not unready


def _waiting(reason: str, message: str) -> ContainerState:
    waiting = ContainerStateWaiting(reason=reason, message=message or None)
    return ContainerState(waiting=waiting)


def _last_state(run: cri.ContainerStatus, seen: Observation) -> ContainerState:
    """How the run before the latest ended; one that the power failed under was never started."""
    if run.state is cri.ContainerState.CREATED:
        return ContainerState(waiting=ContainerStateWaiting())
    return _terminated(run, seen)


def _terminated(run: cri.ContainerStatus, seen: Observation) -> ContainerState:
    # What could not be started has the start time that people know from StartError: 1970.
    started_at = seen.epoch_ns + run.started_at if run.started_at else 0
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=run.exit_code,
            reason=run.reason or None,
            message=run.message or None,
            started_at=started_at,
            finished_at=seen.epoch_ns + run.finished_at,
            container_id=f"containerd://{run.id}",
        )
    )


def _phase(
    pod: Pod, *, inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]
) -> str:
    sidecars = [s for c, s in zip(pod.spec.init_containers, inits, strict=True)
                if is_restartable_init(c)]  # fmt: skip
    blocked = _blocked_by_init(pod, inits)
    if blocked:
        return blocked
    pending = any(not s.started and _end_of(s) is None for s in sidecars)
    if pending and not _started_once(mains):
        return "Pending"
    ended = [_end_of(s) for s in mains if s.state.running is None]
    if None in ended:
        return "Pending"  # something waits that never ran
    if any(s.state.running is not None for s in (*sidecars, *mains)):
        return "Running"
    if any(
        end is not None and should_restart(pod, end.exit_code, container)
        for container, end in zip(pod.spec.containers, ended, strict=True)
    ):
        return "Running"  # on its way to be started again
    return "Succeeded" if all(end and end.exit_code == 0 for end in ended) else "Failed"


def _end_of(status: ContainerStatus) -> ContainerStateTerminated | None:
    if status.state.terminated is not None:
        return status.state.terminated
    return status.last_state.terminated if status.state.waiting is not None else None


def _started_once(mains: tuple[ContainerStatus, ...]) -> bool:
    """Whether an ordinary container has been started: then the pod has been initialized."""
    return any(s.state.waiting is None or s.last_state.terminated is not None for s in mains)


def _blocked_by_init(pod: Pod, inits: tuple[ContainerStatus, ...]) -> str | None:
    """The phase of a pod whose init containers are not done; ``None`` when they are."""
    for container, init in zip(pod.spec.init_containers, inits, strict=True):
        if is_restartable_init(container):
            continue
        ended = init.state.terminated or init.last_state.terminated
        if ended is None or init.state.running is not None:
            return "Pending"
        if ended.exit_code != 0:
            restarts = should_restart(pod, ended.exit_code, container)
            return "Pending" if restarts else "Failed"
    return None


def _conditions(pod: Pod, status: PodStatus, seen: Observation) -> tuple[PodCondition, ...]:
    inits = tuple(zip(pod.spec.init_containers, status.init_container_statuses, strict=True))
    unready = [s.name for c, s in inits if is_restartable_init(c) and not s.ready]
    unready += [s.name for s in status.container_statuses if not s.ready]
    pending = [s.name for c, s in inits if not (s.started if is_restartable_init(c) else s.ready)]
    before = get_pod_condition(pod.status, "Initialized")
    initialized_once = before is not None and before.status == "True"
    if initialized_once or _started_once(status.container_statuses):
        pending = []  # what was initialized stays so: RestartAllContainersOnContainerExits
    over = status.phase in ("Succeeded", "Failed")
    if over:
        reason = "PodCompleted" if status.phase == "Succeeded" else "PodFailed"
        not_ready = _condition("Ready", value=False, reason=reason)
    elif unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        not_ready = _condition("Ready", value=False, reason="ContainersNotReady", message=message)
    else:
        not_ready = _condition("Ready", value=True)
    initialized = _condition("Initialized", value=True)
    if status.phase == "Succeeded":
        initialized = initialized.replace(reason="PodCompleted")
    elif pending:
        message = f"containers with incomplete status: [{' '.join(pending)}]"
        initialized = _condition(
            "Initialized", value=False, reason="ContainersNotInitialized", message=message
        )
    wanted = (
        _condition("PodReadyToStartContainers", value=seen.sandbox_ready),
        initialized,
        _gated(pod, not_ready),
        not_ready.replace(type="ContainersReady"),
        get_pod_condition(pod.status, "PodScheduled") or _condition("PodScheduled", value=True),
    )
    wall_ns = seen.epoch_ns + seen.now_ns
    all_of_them = (*_disruption(seen), *wanted)
    since = (_since(condition, pod.status, wall_ns) for condition in all_of_them)
    return (*since, *seen.resizing)


def _disruption(seen: Observation) -> tuple[PodCondition, ...]:
    """That the node has got rid of it; said when nothing of it runs any more."""
    ending = seen.ending
    if not seen.terminated or ending is None or not ending.disruption:
        return ()
    reason, message = ending.disruption, ending.message
    return (_condition("DisruptionTarget", value=True, reason=reason, message=message),)


def _gated(pod: Pod, ready: PodCondition) -> PodCondition:
    """Ready, unless one of the pod's readiness gates says otherwise."""
    messages: list[str] = []
    for gate in pod.spec.readiness_gates if ready.status == "True" else ():
        found = get_pod_condition(pod.status, gate.condition_type)
        name = f'pod readiness gate "{gate.condition_type}"'
        if found is None:
            messages.append(f"corresponding condition of {name} does not exist.")
        elif found.status != "True":
            messages.append(f'the status of {name} is not "True", but {found.status}')
    if not messages:
        return ready
    return _condition(
        "Ready", value=False, reason="ReadinessGatesNotReady", message=", ".join(messages)
    )


def _condition(
    type_: str, *, value: bool, reason: str | None = None, message: str | None = None
) -> PodCondition:
    return PodCondition(
        type=type_, status="True" if value else "False", reason=reason, message=message
    )


_NEVER_FOUND = ContainerState(
    terminated=ContainerStateTerminated(
        exit_code=137,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
    )
)


def _has_initialized(
    inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]
) -> bool:
    return not inits or _exit_code(inits[-1]) == 0 or _started_once(mains)


def _exit_code(status: ContainerStatus) -> int | None:
    terminated = status.state.terminated
    return None if terminated is None else terminated.exit_code


def _since(condition: PodCondition, old: PodStatus, wall_ns: int) -> PodCondition:
    """The condition with the time since when it has its status."""
    before = get_pod_condition(old, condition.type)
    unchanged = before is not None and before.status == condition.status
    since_ns = before.last_transition_time if before is not None and unchanged else wall_ns
    return condition.replace(last_transition_time=since_ns)
