"""The fake kubelet of a recording: it runs whatever is bound, at the times that the case says.

It writes one status when it sees a pod bound, one when the pod becomes ready, one when it ends, and
deletes what is being deleted after a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesim.api.corev1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodCondition,
    PodStatus,
)
from kubesim.api.podutil import set_pod_condition
from kubesim.conformance.aliases import NAMESPACE, Aliases
from kubesim.conformance.fields import COMPLETION_INDEX
from kubesim.conformance.recording import KubeletScript, Rule
from kubesim.controlplane.client import Client, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MILLISECOND, SECOND, seconds

DEFAULTS = {"ready_s": 0.0, "delete_s": 0.0}
ENDED = ("Succeeded", "Failed")


class FakeKubelet:
    """All nodes' kubelets at once.

    Args:
        sim: The run.
        client: Its connection to the API server.
        script: How it behaves.
        aliases: The pods' aliases, for rules that name one.
        late_ms: How late it was with the first write about the first pods.

    Attributes:
        in_setup: Whether the case is still being set up.
        due: How many pods are still to become ready or to end.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        script: KubeletScript,
        aliases: Aliases,
        late_ms: tuple[int, ...] = (),
    ) -> None:
        self.in_setup = True
        self.due = 0
        self._sim = sim
        self._client = client
        self._script = script
        self._aliases = aliases
        self._late_ns = {n: ms * MILLISECOND for n, ms in enumerate(late_ms, start=1)}
        self._sequence: dict[str, int] = {}
        self._bound: set[str] = set()
        self._deleting: set[str] = set()
        self._pods = client.informer(Pod)
        self._pods.add_handler(self._changed)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        if pod.namespace != NAMESPACE or new is None:
            return
        if pod.uid not in self._sequence:
            self._sequence[pod.uid] = len(self._sequence) + 1
            if not pod.spec.node_name and (node := self._behaviour(pod).get("bind")):
                self._sim.process(self._bind(pod, node))
        if pod.spec.node_name and pod.uid not in self._bound:
            self._bound.add(pod.uid)
            self._sim.process(self._run(pod, self._behaviour(pod)))
        if pod.metadata.deletion_timestamp is not None and pod.uid not in self._deleting:
            self._deleting.add(pod.uid)
            self._sim.process(self._finish(pod, self._behaviour(pod)))

    def _behaviour(self, pod: Pod) -> dict[str, Any]:
        values = {**DEFAULTS, **self._script.values}
        if self.in_setup:
            values.update(self._script.setup)
        rule = next((rule for rule in self._script.rules if self._matches(rule, pod)), None)
        return values if rule is None else {**values, **rule.values}

    def _matches(self, rule: Rule, pod: Pod) -> bool:
        index = pod.metadata.annotations.get(COMPLETION_INDEX)
        facts: dict[str, Any] = {
            "seq": self._sequence[pod.uid],
            "image": pod.spec.containers[0].image,
            "index": None if index is None else int(index),
            "alias": self._aliases.of(pod),
        }
        return all(
            facts[key] in wanted if isinstance(wanted, list) else facts[key] == wanted
            for key, wanted in rule.match.items()
        )

    def _bind(self, pod: Pod, node: str) -> SimProcess[None]:
        try:
            yield from self._client.bind(pod.key, node)
        except StatusError:
            return

    def _run(self, pod: Pod, behaviour: dict[str, Any]) -> SimProcess[None]:
        """From bound to running, ready and ended."""
        if behaviour.get("start") == "never":
            return
        seen_ns = self._sim.now
        ready_s, finish_s = behaviour["ready_s"], behaviour.get("finish_s")
        yield self._sim.timeout(self._late_ns.get(self._sequence[pod.uid], 0))
        yield from self._write(pod, self._running(ready=ready_s == 0))
        steps: list[tuple[float, Callable[[Pod], PodStatus | None]]] = []
        if ready_s:
            steps.append((ready_s, self._ready))
        if finish_s is not None:
            steps.append((finish_s, self._ended(int(behaviour.get("exit_code", 0)))))
        self.due += bool(steps)
        for at_s, change in sorted(steps, key=lambda step: step[0]):
            left_ns = seen_ns + seconds(at_s) - self._sim.now
            if left_ns > 0:
                yield self._sim.timeout(left_ns)
            yield from self._write(pod, change)
        self.due -= bool(steps)

    def _finish(self, pod: Pod, behaviour: dict[str, Any]) -> SimProcess[None]:
        """From the request to delete a pod to its end."""
        yield self._sim.timeout(seconds(behaviour["delete_s"]))
        phase = behaviour.get("terminal_phase_on_delete")
        if phase:
            yield from self._write(pod, lambda current: self._with_phase(current, phase))
        try:
            yield from self._client.delete(Pod, pod.key, grace_period_seconds=0, uid=pod.uid)
        except StatusError:
            return

    def _write(self, pod: Pod, change: Callable[[Pod], PodStatus | None]) -> SimProcess[None]:
        def changed(current: Pod) -> Pod:
            status = change(current) if current.uid == pod.uid else None
            return current if status is None else current.replace(status=status)

        try:
            yield from self._client.patch(Pod, pod.key, changed, status=True)
        except StatusError:
            return

    def _running(self, *, ready: bool) -> Callable[[Pod], PodStatus | None]:
        def change(pod: Pod) -> PodStatus | None:
            if pod.status.phase in ENDED:
                return None
            running = ContainerState(running=ContainerStateRunning(started_at=self._second()))
            containers = tuple(
                _container(c.name, c.image or "", running, ready=ready)
                for c in pod.spec.containers
            )
            status = pod.status.replace(
                phase="Running", start_time=self._second(), container_statuses=containers
            )
            return self._with_ready(status, ready=ready)

        return change

    def _ready(self, pod: Pod) -> PodStatus | None:
        if pod.status.phase in ENDED or pod.metadata.deletion_timestamp is not None:
            return None
        containers = tuple(c.replace(ready=True) for c in pod.status.container_statuses)
        return self._with_ready(pod.status.replace(container_statuses=containers), ready=True)

    def _ended(self, exit_code: int) -> Callable[[Pod], PodStatus | None]:
        def change(pod: Pod) -> PodStatus | None:
            if pod.status.phase in ENDED or pod.metadata.deletion_timestamp is not None:
                return None
            started = pod.status.start_time
            terminated = ContainerStateTerminated(
                exit_code=exit_code,
                reason="Error" if exit_code else "Completed",
                started_at=started,
                finished_at=self._second(),
            )
            state = ContainerState(terminated=terminated)
            containers = tuple(
                _container(c.name, c.image or "", state, ready=False) for c in pod.spec.containers
            )
            status = pod.status.replace(
                phase="Failed" if exit_code else "Succeeded", container_statuses=containers
            )
            return self._with_ready(status, ready=False)

        return change

    def _with_phase(self, pod: Pod, phase: Any) -> PodStatus | None:
        if pod.status.phase in ENDED:
            return None
        return self._with_ready(pod.status.replace(phase=phase), ready=False)

    def _with_ready(self, status: PodStatus, *, ready: bool) -> PodStatus:
        return with_ready(status, ready=ready, at_ns=self._second())

    def _second(self) -> int:
        """The time on the wall as an object keeps it: whole seconds."""
        return self._sim.wall_ns // SECOND * SECOND


def with_ready(status: PodStatus, *, ready: bool, at_ns: int) -> PodStatus:
    """The status with that Ready condition, since then if it was another before."""
    condition = PodCondition(
        type="Ready", status="True" if ready else "False", last_transition_time=at_ns
    )
    return set_pod_condition(status, condition)


def _container(name: str, image: str, state: ContainerState, *, ready: bool) -> ContainerStatus:
    return ContainerStatus(
        name=name, image=image, image_id=image, ready=ready, restart_count=0, state=state,
        started=state.running is not None,
    )  # fmt: skip
