"""The controller: each autoscaler is looked at once in a sync period, and never sooner.

Whatever happens to an autoscaler, it waits in the queue for the whole period: nothing is looked at
when it was created or changed. A period begins when the look before has ended.

Mirrors: pkg/controller/podautoscaler/horizontal.go (NewHorizontalController, enqueueHPA,
processNextWorkItem), rate_limiters.go.
Departs: a look that would change nothing is passed over, as if it had taken place; it takes none of the
workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from kubesim.api.autoscalingv1 import Scale
from kubesim.api.autoscalingv2 import CrossVersionObjectReference, HorizontalPodAutoscaler
from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.autoscaling.hpa.config import HPAConfig
from kubesim.controlplane.autoscaling.hpa.reconcile import LONGEST_LOG, Reconciler
from kubesim.controlplane.autoscaling.hpa.work import Calm
from kubesim.controlplane.client import Client, Controller, Recorder
from kubesim.controlplane.client.scale import ScaleClient
from kubesim.controlplane.metrics.client import MetricsClient
from kubesim.sim import Sim, SimProcess, Ticks

BY_NAMESPACE = "namespace"


@dataclass(slots=True)
class _Rest:
    """An autoscaler whose looks change nothing.

    Attributes:
        calm: What the last look found.
        state: What it depended on.
        instants_ns: When the looks that were passed over made their recommendations, wall clock.
    """

    calm: Calm
    state: tuple[int, object | None]
    instants_ns: deque[int] = field(default_factory=lambda: deque(maxlen=LONGEST_LOG))


class _ClusterBackend:
    """The calls of a reconciliation, made through the controller's client."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        self._sim = sim
        self._client = client
        self._scales = ScaleClient(client)
        self._recorder = Recorder(sim, component="horizontal-pod-autoscaler")

    def get_scale(
        self, namespace: str, reference: CrossVersionObjectReference
    ) -> SimProcess[Scale]:
        return self._scales.get(namespace, reference)

    def update_scale(
        self, namespace: str, reference: CrossVersionObjectReference, scale: Scale
    ) -> SimProcess[Scale]:
        return self._scales.update(namespace, reference, scale)

    def update_status(self, hpa: HorizontalPodAutoscaler) -> SimProcess[None]:
        yield from self._client.update_status(hpa)

    def before_metrics(self, requests: int) -> SimProcess[None]:
        for _ in range(requests):
            yield from self._client.ask()

    def pause(self, delay_ns: int) -> SimProcess[None]:
        yield self._sim.timeout(delay_ns)

    def record(self, hpa: HorizontalPodAutoscaler, kind: str, reason: str, message: str) -> None:
        note = self._recorder.warning if kind == "Warning" else self._recorder.normal
        note(hpa, reason, message)


class HorizontalController(Controller):
    """Reconciles HorizontalPodAutoscalers.

    Args:
        sim: The run.
        client: Its connection to the API server.
        metrics: The metrics APIs.
        config: Its settings.
        ticks: Where its looks are planned.
        steady: What an autoscaler's metrics say, as something that is equal while they say the same;
            ``None`` where time alone may change it.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        metrics: MetricsClient,
        config: HPAConfig,
        ticks: Ticks,
        steady: Callable[[HorizontalPodAutoscaler], object | None],
    ) -> None:
        super().__init__(sim, workers=config.concurrent_syncs)
        self._ticks = ticks
        self._client = client
        self._steady = steady
        self._due_ns: dict[str, int] = {}
        self._resting: dict[str, _Rest] = {}
        self._wakings = 0
        self._period_ns = config.sync_period_ns
        self._hpas = client.informer(HorizontalPodAutoscaler)
        self._hpas.add_handler(self._hpa_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
        self._pods.add_handler(self._pod_changed)
        self._reconciler = Reconciler(
            config=config,
            backend=_ClusterBackend(sim, client=client),
            metrics=metrics,
            pods=self._list_pods,
            now=lambda: sim.wall_ns,
        )

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Look at one autoscaler, and again in a period."""
        self._wake(key)
        hpa = self._hpas.get(key)
        if hpa is None:
            self._reconciler.forget(key)
            return
        state, wakings = self._state(hpa), self._wakings
        done = yield from self._reconciler.reconcile(hpa)
        if done.calm is not None:
            measured = done.calm.replicas is not None
            before, now = (state, wakings), (self._state(hpa), self._wakings)
            if before == now and not (measured and state[1] is None):
                self._resting[key] = _Rest(done.calm, state)
        self._add_after(key)

    def look(self, key: str) -> None:
        """A look is due, if it is not one that was given up."""
        if self._due_ns.get(key) == self._sim.now:
            del self._due_ns[key]
            self.queue.add(key)

    def pass_over(self, key: str, at_ns: int, before_ns: int) -> int | None:
        """Whether a look would change nothing; see ``Tick.skip``."""
        rest, hpa = self._resting.get(key), self._hpas.get(key)
        if rest is None or hpa is None or self._due_ns.get(key) != at_ns:
            return None
        if rest.state[0] != self._client.server_revision:
            return None
        if rest.calm.replicas is not None and rest.state[1] != self._steady(hpa):
            return None
        others = (due_ns for other, due_ns in self._due_ns.items() if other != key)
        before_ns = min(before_ns, min(others, default=before_ns))
        end_ns = self._client.pass_requests(at_ns, rest.calm.requests, before_ns)
        if end_ns is None:
            return None
        if rest.calm.replicas is not None:
            rest.instants_ns.append(self._sim.start_time_ns + end_ns)
        self._due_ns[key] = end_ns + self._period_ns
        return self._due_ns[key]

    def _state(self, hpa: HorizontalPodAutoscaler) -> tuple[int, object | None]:
        """What looks depend on, beside what this controller hears of itself."""
        return self._client.server_revision, self._steady(hpa)

    def _wake(self, key: str) -> None:
        """It is looked at again: let it remember what was passed over."""
        rest = self._resting.pop(key, None)
        if rest is not None and rest.calm.replicas is not None and rest.instants_ns:
            self._reconciler.remember(key, rest.calm.replicas, rest.instants_ns)

    def _add_after(self, key: str) -> None:
        """Have it looked at in a period, if it is not going to be sooner."""
        due_ns = self._sim.now + self._period_ns
        known_ns = self._due_ns.get(key)
        if known_ns is None or known_ns > due_ns:
            self._due_ns[key] = due_ns
            self._ticks.add(self._period_ns, _Look(self, key))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        changed = new or old
        assert changed is not None
        self._wakings += 1
        for key in [key for key in self._resting if key.startswith(f"{changed.namespace}/")]:
            self._wake(key)

    def _hpa_changed(
        self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None
    ) -> None:
        if new is None:
            assert old is not None
            self._resting.pop(old.key, None)
            self._due_ns.pop(old.key, None)
            self._reconciler.forget(old.key)
            return
        self._wake(new.key)
        self._wakings += 1
        self._reconciler.register(new.key)
        self._add_after(new.key)

    def _list_pods(self, namespace: str, selector: LabelSelector) -> Sequence[Pod]:
        return [
            pod
            for pod in self._pods.by_index(BY_NAMESPACE, namespace)
            if label_selector_matches(selector, pod.metadata.labels)
        ]


class _Look:
    """A look at one autoscaler that is due."""

    def __init__(self, controller: HorizontalController, key: str) -> None:
        self._controller = controller
        self._key = key

    def run(self) -> None:
        self._controller.look(self._key)

    def skip(self, at_ns: int, before_ns: int) -> int | None:
        return self._controller.pass_over(self._key, at_ns, before_ns)
