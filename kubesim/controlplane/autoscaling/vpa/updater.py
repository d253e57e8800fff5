"""The updater: evicts or resizes pods whose requests are not what is recommended.

Once a minute it looks at all autoscalers that let it, at their pods in the order of what an update is
worth, and does as many as may be done at once. An eviction goes through the Eviction API, so a
disruption budget holds; the pod that comes instead is sized by the admission controller. A resize in
place that is refused, infeasible or takes too long becomes an eviction.

It looks only after something has changed: an autoscaler, one of its pods, or the time at which a pod
has lived long enough or a resize has taken too long.

Mirrors: vertical-pod-autoscaler/pkg/updater/logic/updater.go, pkg/updater/inplace.
Departs: it does not ask whether the admission controller lives.
"""

from __future__ import annotations

from typing import Any

from kubesim.api.corev1 import LimitRange, Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject
from kubesim.api.vpav1 import RecommendedPodResources, VerticalPodAutoscaler, update_mode
from kubesim.controlplane.autoscaling.vpa.capping import bounds_of, processed, resized, sizes
from kubesim.controlplane.autoscaling.vpa.config import UpdaterConfig
from kubesim.controlplane.autoscaling.vpa.priority import (
    Priority,
    direction_allowed,
    in_order,
    priority_of,
    worth_an_update,
    worth_from_ns,
)
from kubesim.controlplane.autoscaling.vpa.restriction import (
    DEFERRED_TIMEOUT_NS,
    Decision,
    Restriction,
    is_resizing,
)
from kubesim.controlplane.autoscaling.vpa.targets import (
    WELL_KNOWN,
    Controlled,
    Controller,
    TargetError,
    controlling,
    selector_of,
)
from kubesim.controlplane.client import Client, Recorder, StatusError
from kubesim.controlplane.client.flowcontrol import TokenBucket
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import next_grid_point

BY_NAMESPACE = "namespace"
UPDATING_MODES = ("Recreate", "Auto", "InPlaceOrRecreate")
IN_PLACE_ANNOTATION = "vpaInPlaceUpdated"
EVICTED = "Pod was evicted by VPA Updater to apply resource recommendation."
RESIZED = "Pod was resized in place by VPA Updater."


class Updater:
    """The updater's process.

    Args:
        sim: The run.
        client: Its connection to the API server.
        config: Its flags.
    """

    def __init__(self, sim: Sim, *, client: Client, config: UpdaterConfig) -> None:
        self._sim, self._client, self._config = sim, client, config
        self._recorder = Recorder(sim, component="vpa-updater", client=client)
        self._offset_ns = sim.rng("vpa-updater").uniform(0, config.interval_ns)
        self._vpas = client.informer(VerticalPodAutoscaler)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
        self._kinds = {kind: client.informer(kind) for kind in WELL_KNOWN.values()}
        self._ranges = client.informer(LimitRange)
        rate = config.eviction_rate_limit
        burst = config.eviction_rate_burst
        self._evictions = TokenBucket(qps=max(rate, 0.0), burst=burst)
        self._resizes = TokenBucket(qps=max(rate, 0.0), burst=burst)
        self._resized_since_ns: dict[str, int] = {}
        self._due_ns: int | None = None
        self._running = False
        self._again = False
        self._vpas.add_handler(lambda _old, _new: self._look_in(0))
        self._pods.add_handler(self._pod_changed)
        self._ranges.add_handler(lambda _old, _new: self._look_in(0))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        changed = new or old
        assert changed is not None
        if old is not None and new is not None and old.status == new.status:
            return
        if any(vpa.namespace == changed.namespace for vpa in self._vpas.values()):
            self._look_in(0)

    def _look_in(self, delay_ns: int) -> None:
        """Look at the first grid point that is at least so far away."""
        if self._running:
            self._again = self._again or delay_ns == 0
            return
        now_ns = self._sim.now
        at_ns = next_grid_point(
            now_ns + delay_ns, period_ns=self._config.interval_ns, offset_ns=self._offset_ns
        )
        if at_ns == now_ns:
            at_ns += self._config.interval_ns
        if self._due_ns is None or at_ns < self._due_ns:
            self._due_ns = at_ns
            self._sim.call_in(at_ns - now_ns, self._tick, at_ns)

    def _tick(self, at_ns: int) -> None:
        if at_ns != self._due_ns or self._running:
            return
        self._due_ns, self._running, self._again = None, True, False
        self._sim.process(self._run_once())

    def _run_once(self) -> SimProcess[None]:
        waits_ns: list[int] = []
        for vpa, pods in self._controlled():
            yield from self._update(vpa, pods, waits_ns)
        self._running = False
        if self._again:
            waits_ns.append(0)
        if waits_ns:
            self._look_in(max(0, min(waits_ns)))

    def _controlled(self) -> list[tuple[VerticalPodAutoscaler, list[Pod]]]:
        """The autoscalers that let pods be updated, and the pods that are under them."""
        candidates: list[Controlled] = []
        for vpa in sorted(self._vpas.values(), key=lambda item: item.key):
            if update_mode(vpa) not in UPDATING_MODES:
                continue
            try:
                candidates.append(Controlled(vpa, selector_of(vpa, self._find)))
            except TargetError:
                continue
        found: dict[str, tuple[VerticalPodAutoscaler, list[Pod]]] = {}
        for candidate in candidates:
            for pod in self._pods.by_index(BY_NAMESPACE, candidate.vpa.namespace):
                if not _is_living(pod) or not label_selector_matches(
                    candidate.selector, pod.metadata.labels
                ):
                    continue
                if controlling(pod, candidates, self._find) is candidate.vpa:
                    found.setdefault(candidate.vpa.key, (candidate.vpa, []))[1].append(pod)
        return list(found.values())

    def _update(
        self, vpa: VerticalPodAutoscaler, pods: list[Pod], waits_ns: list[int]
    ) -> SimProcess[None]:
        wall_ns = self._sim.wall_ns
        restriction = Restriction(
            vpa,
            pods,
            config=self._config,
            replicas=self._replicas,
            resized_since_ns=self._resized_since_ns,
            wall_ns=wall_ns,
        )
        in_place = update_mode(vpa) == "InPlaceOrRecreate"
        for pod in pods:
            if in_place and is_resizing(pod):
                since_ns = self._resized_since_ns.setdefault(pod.key, wall_ns)
                waits_ns.append(max(0, since_ns + DEFERRED_TIMEOUT_NS + 1 - wall_ns))
        if in_place:
            allowed = [
                pod for pod in pods if restriction.may_resize(pod, vpa) is not Decision.DEFERRED
            ]
        else:
            allowed = [pod for pod in pods if restriction.may_evict(pod)]
        chosen = self._in_order(vpa, allowed, waits_ns)
        to_evict: list[Pod] = []
        for pod in chosen:
            decision = restriction.may_resize(pod, vpa) if in_place else Decision.EVICT
            if decision is Decision.APPROVED:
                if (yield from self._resize(pod, vpa)):
                    restriction.resized(pod)
                    waits_ns.append(0)
                else:
                    to_evict.append(pod)
            elif decision is Decision.EVICT:
                to_evict.append(pod)
            else:
                waits_ns.append(0)
        for pod in to_evict:
            waits_ns.append(0)  # whether it goes or not, there is something to do in a minute
            if restriction.may_evict(pod) and (yield from self._evict(pod, vpa)):
                restriction.evicted(pod)

    def _in_order(
        self, vpa: VerticalPodAutoscaler, pods: list[Pod], waits_ns: list[int]
    ) -> list[Pod]:
        """Those that are worth an update now, the most important first."""
        wall_ns, config = self._sim.wall_ns, self._config
        ranked: list[tuple[Priority, Pod]] = []
        policy = vpa.spec.update_policy
        requirements = policy.eviction_requirements if policy is not None else ()
        for pod in pods:
            recommendation = self._processed(vpa, pod)
            priority = priority_of(pod, recommendation)
            if not worth_an_update(pod, vpa, priority, config=config, wall_ns=wall_ns):
                due_ns = worth_from_ns(pod, config)
                if due_ns is not None and due_ns > wall_ns:
                    waits_ns.append(due_ns - wall_ns)
                continue
            if direction_allowed(pod, recommendation, requirements):
                ranked.append((priority, pod))
        return in_order(ranked)

    def _processed(self, vpa: VerticalPodAutoscaler, pod: Pod) -> RecommendedPodResources:
        bounds = bounds_of(self._ranges.values(), pod.namespace or "")
        return processed(vpa, pod, bounds)[0]

    def _resize(self, pod: Pod, vpa: VerticalPodAutoscaler) -> SimProcess[bool]:
        """Resize a pod in place; whether the API server took it."""
        yield self._sim.timeout(self._resizes.reserve(self._sim.now))
        bounds = bounds_of(self._ranges.values(), pod.namespace or "")
        wanted = sizes(vpa, pod, bounds)

        def change(current: Pod) -> Pod:
            containers = tuple(
                container.replace(resources=resized(container.resources, size))
                for container, size in zip(current.spec.containers, wanted, strict=True)
            )
            return current.replace(spec=current.spec.replace(containers=containers))

        def annotate(current: Pod) -> Pod:
            metadata = current.metadata
            annotations = metadata.annotations.set(IN_PLACE_ANNOTATION, "true")
            return current.replace(metadata=metadata.replace(annotations=annotations))

        try:
            yield from self._client.resize(pod.key, change)
            yield from self._client.patch(Pod, pod.key, annotate)
        except StatusError:
            return False
        self._resized_since_ns[pod.key] = self._sim.wall_ns
        self._recorder.normal(pod, "InPlaceResizedByVPA", RESIZED)
        return True

    def _evict(self, pod: Pod, vpa: VerticalPodAutoscaler) -> SimProcess[bool]:
        """Evict a pod, if its disruption budget allows it."""
        yield self._sim.timeout(self._evictions.reserve(self._sim.now))
        try:
            yield from self._client.evict(pod.key)
        except StatusError:
            return False
        self._recorder.normal(pod, "EvictedByVPA", EVICTED)
        text = f"VPA Updater evicted Pod {pod.name} to apply resource recommendation."
        self._recorder.normal(vpa, "EvictedPod", text)
        return True

    def _replicas(self, controller: Controller) -> int | None:
        kind = WELL_KNOWN.get(controller.kind)
        if kind is None:
            return None
        obj = self._find(kind, f"{controller.namespace}/{controller.name}")
        if obj is None:
            return None
        if controller.kind == "DaemonSet":
            return obj.status.number_ready  # type: ignore[no-any-return]
        return getattr(obj.spec, "replicas", None)

    def _find(self, kind: type[KubeObject], key: str) -> Any:
        return self._kinds[kind].get(key)


def _is_living(pod: Pod) -> bool:
    """Whether a pod is on a node, has not ended and is not about to go."""
    if pod.metadata.deletion_timestamp is not None or not pod.spec.node_name:
        return False
    return pod.status.phase not in ("Succeeded", "Failed")
