"""A component's connection to the API server: writes that take time and have a rate limit.

Mirrors: staging/src/k8s.io/client-go/rest/request.go (the throttle, then the call).
Departs: the way there and back is one delay, spent before the commit, unless the answer is given a
delay of its own; a list is read from an informer's cache, so it is not modelled as a call. A client that
is cut off goes on asking and is answered as soon as it is joined again, without the back-off of
upstream's retries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.apiserver.errors import StatusError
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client.flowcontrol import TokenBucket
from kubesim.controlplane.client.informer import Informer, InformerFactory
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.distribution import Distribution

K = TypeVar("K", bound=KubeObject)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """How a component talks to the API server.

    Attributes:
        qps: Client-side limit of requests a second (``--kube-api-qps``); 0 for none.
        burst: Client-side burst (``--kube-api-burst``).
        request_latency: One call, there and back; without the way back if that is given.
        watch_latency: From a commit to its arrival in an informer.
        answer_latency: From a commit to the arrival of the answer; ``None`` for at once.
    """

    qps: float
    burst: int
    request_latency: Distribution
    watch_latency: Distribution
    answer_latency: Distribution | None = None


class Client:
    """A typed client with a rate limit.

    All calls are generators that take virtual time and raise the API server's ``StatusError``s.

    Args:
        sim: The run.
        apiserver: The server.
        component: Who is calling, such as ``kube-scheduler``; owns the random streams.
        config: Limits and latencies.
        informers: Caches to use instead of caches of its own: the controllers of one process have
            a rate limit each, and one set of caches together.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        apiserver: APIServer,
        component: str,
        config: ClientConfig,
        informers: InformerFactory | None = None,
    ) -> None:
        self.component = component
        self._sim = sim
        self._apiserver = apiserver
        self._config = config
        self._limiter = TokenBucket(qps=config.qps, burst=config.burst)
        self._rng = sim.rng(f"{component}/client")
        self._ahead: deque[int] = deque()
        self._stopped = False
        self._cut: Event | None = None
        self.informers = informers or InformerFactory(
            sim, apiserver=apiserver, component=component, latency=config.watch_latency
        )

    def informer(self, kind: type[K], *, node_name: str | None = None) -> Informer[K]:
        """The component's shared cache of a kind; see ``InformerFactory.informer``."""
        return self.informers.informer(kind, node_name=node_name)

    def stop(self) -> None:
        """The component is gone: its watches are closed, and what it still asks for goes nowhere."""
        self._stopped = True
        self.informers.stop()

    def cut(self) -> None:
        """The server is out of reach: what is asked for waits, and nothing is heard of."""
        if self._cut is None:
            self._cut = self._sim.event()
            self.informers.hold()

    def join(self) -> None:
        """The server is reached again."""
        if self._cut is not None:
            self._cut.succeed()
            self._cut = None
            self.informers.release()

    def get(self, kind: type[K], key: str) -> SimProcess[K]:
        """Read one object from the server itself."""
        return self._request(lambda: self._apiserver.get(kind, key))

    def create(self, obj: K) -> SimProcess[K]:
        """Create an object; returns it as stored."""
        return self._request(lambda: self._apiserver.create(obj))

    def update(self, obj: K) -> SimProcess[K]:
        """Replace an object's main resource; may meet ``Conflict``."""
        return self._request(lambda: self._apiserver.update(obj))

    def update_status(self, obj: K) -> SimProcess[K]:
        """Replace an object's status; may meet ``Conflict``."""
        return self._request(lambda: self._apiserver.update_status(obj))

    def patch(
        self, kind: type[K], key: str, change: Callable[[K], K], *, status: bool = False
    ) -> SimProcess[K]:
        """Change whatever version is current when the call arrives."""
        return self._request(lambda: self._apiserver.patch(kind, key, change, status=status))

    def resize(self, key: str, change: Callable[[Pod], Pod]) -> SimProcess[Pod]:
        """Give the containers of a pod other resources; may meet ``Forbidden`` or ``Invalid``."""
        return self._request(lambda: self._apiserver.resize(key, change))

    def bind(self, key: str, node_name: str) -> SimProcess[Pod]:
        """Assign a pod to a node."""
        return self._request(lambda: self._apiserver.bind(key, node_name))

    def delete(
        self,
        kind: type[K],
        key: str,
        *,
        grace_period_seconds: int | None = None,
        uid: str | None = None,
        propagation_policy: str | None = None,
    ) -> SimProcess[None]:
        """Delete an object, or mark it for its kubelet."""
        return self._request(
            lambda: self._apiserver.delete(
                kind,
                key,
                grace_period_seconds=grace_period_seconds,
                uid=uid,
                propagation_policy=propagation_policy,
            )
        )

    def post_event(self) -> SimProcess[None]:
        """Write an Event: a request like any other, though nothing is stored (ADR 3)."""
        return self._request(lambda: None)

    def take_token(self) -> int:
        """Reserve the next request; returns how many nanoseconds from now it may be sent."""
        return self._limiter.reserve(self._sim.now)

    def delete_collection(self, kind: type[K], namespace: str) -> SimProcess[tuple[K, ...]]:
        """Delete all objects of a kind in a namespace; gives those that are still there then."""
        return self._request(lambda: self._apiserver.delete_collection(kind, namespace))

    def finalize(self, key: str) -> SimProcess[None]:
        """Let a namespace go that is empty."""
        return self._request(lambda: self._apiserver.finalize(key))

    def evict(
        self, key: str, *, grace_period_seconds: int | None = None, dry_run: bool = False
    ) -> SimProcess[None]:
        """Delete a pod if its disruption budget allows it; may meet ``TooManyRequests``."""
        return self._request(
            lambda: self._apiserver.evict(
                key, grace_period_seconds=grace_period_seconds, dry_run=dry_run
            )
        )

    def ask(self) -> SimProcess[None]:
        """A request that an aggregated API server answers (the metrics APIs): it only takes time."""
        return self._request(lambda: None)

    @property
    def server_revision(self) -> int:
        """The server's newest revision, whether or not this component has heard of it."""
        return self._apiserver.store.revision

    def pass_requests(self, at_ns: int, count: int, before_ns: int) -> int | None:
        """As if so many requests had been made one after another, and had changed nothing.

        Args:
            at_ns: When the first is made; nothing else is asked by this component until they end.
            count: How many.
            before_ns: Before when the last has to be answered.

        Returns:
            When that is; ``None`` when it is not before then: nothing was asked at all.
        """
        if self._cut is not None or self._stopped:
            return None
        bucket, drawn, end_ns = self._limiter.full_again_ns, [], at_ns
        for _ in range(count):
            drawn.append(self._latency_ns())
            end_ns += self._limiter.reserve(end_ns) + drawn[-1]
            if end_ns >= before_ns:
                self._ahead.extendleft(reversed(drawn))
                self._limiter.restore(bucket)
                return None
        return end_ns

    def _latency_ns(self) -> int:
        """The next request's latency: one that was looked at already, or a new one."""
        if self._ahead:
            return self._ahead.popleft()
        return self._config.request_latency.draw(self._rng)

    def _request(self, commit: Callable[[], T]) -> SimProcess[T]:
        wait_ns = self.take_token()
        yield self._sim.timeout(wait_ns + self._latency_ns())
        while self._cut is not None:
            yield self._cut  # asked again until somebody answers
        if self._stopped:
            yield self._sim.event()  # never: nobody is there to send it or to hear the answer
        if self._config.answer_latency is None:
            return commit()
        answer, refusal = _answered(commit)
        yield self._sim.timeout(self._config.answer_latency.draw(self._rng))
        if refusal is not None:
            raise refusal
        return cast("T", answer)


def _answered(commit: Callable[[], T]) -> tuple[T | None, StatusError | None]:
    """What the server answers, before anybody hears it."""
    try:
        return commit(), None
    except StatusError as refusal:
        return None, refusal
