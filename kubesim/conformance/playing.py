"""A recorded case, played: the nodes, the user who acts at the times of the case, the watcher.

Time 0 falls on the same fraction of a second of the wall clock as it did in the recording, because
what is stored in whole seconds makes waits depend on it; a CronJob's case begins at the same second
of the minute, which the names of its Jobs tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubesim.api.corev1 import Namespace, Node, Pod
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.api.quantity import Quantity
from kubesim.api.scheme import KUBERNETES
from kubesim.cluster.controllercase import ANSWER_NS, REQUEST_NS, ControllerCase
from kubesim.cluster.patching import patched
from kubesim.conformance.aliases import NAMESPACE, Aliases
from kubesim.conformance.conditions import ALONE, Conditions
from kubesim.conformance.kubelet import FakeKubelet, with_ready
from kubesim.conformance.recording import Action, Recording
from kubesim.conformance.watching import Watcher
from kubesim.controlplane.client import StatusError
from kubesim.manifests import load_text
from kubesim.sim import SimProcess
from kubesim.sim.time import MILLISECOND, MINUTE, SECOND, seconds

START_TIME_NS = 1_795_412_400 * SECOND  # 2026-11-23T05:00:00Z, the day of the recordings
POOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("base", ("n1", "n2", "n3", "n4", "n5")),
    ("dsroll", ("r1", "r2", "r3", "r4")),
    ("ds", ("d1", "d2", "d3", "d4", "d5", "d6")),
    ("e", ("e1",)),
    ("e2", ("e2",)),
)
SETUP_NS = 5 * MINUTE
POD_GC_PERIOD_NS = 20 * SECOND
LOOK_NS = 10 * MILLISECOND
CREATED, OK = 201, 200
CALL_MS = (REQUEST_NS + ANSWER_NS) // MILLISECOND
SETTLING_S = 3600.0


class CaseStopped(Exception):  # noqa: N818  # not an error of anybody's
    """A case cannot go on: what it needs is not there, or not simulated."""


class Played:
    """One case on a control plane of its own.

    Args:
        recording: The case.
        conditions: What else was going on.
    """

    def __init__(self, recording: Recording, conditions: Conditions = ALONE) -> None:
        self._conditions = conditions
        self._recording = recording
        self._aliases = Aliases()
        time_0_ns = _wall_time_0(recording.expected)
        start_ns = START_TIME_NS if time_0_ns is None else time_0_ns - SETUP_NS
        self._case = ControllerCase(start_time_ns=start_ns, nodes=tuple(_nodes()))
        self._sim = self._case.sim
        self._user = self._case.user
        self._watcher = Watcher(self._sim, client=self._user, aliases=self._aliases)
        self._kubelet = FakeKubelet(
            self._sim,
            client=self._case.kubelet,
            script=recording.kubelet,
            aliases=self._aliases,
            late_ms=conditions.kubelet_late_ms,
        )
        self._calls: list[dict[str, Any]] = []
        self._done = False
        self._began = False

    def play(self) -> dict[str, Any]:
        """Play the case to its end; what was seen, with the keys of a recording."""
        self._sim.process(self._run())
        while not self._done:
            self._sim.run_until(self._sim.now + SECOND)
        return {"apiCalls": self._calls, **self._watcher.observed()}

    def _run(self) -> SimProcess[None]:
        watch = self._recording.watch
        yield from self._user.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
        for action in self._recording.setup:
            yield from self._take(action)
        if self._recording.setup:
            yield from self._settled(watch["setup_quiet"], watch["setup_max"])
        yield self._sim.timeout(self._until_time_0())
        self._kubelet.in_setup = False
        self._case.spend("replicaset-controller", self._conditions.spent)
        for at_ms, tokens in self._conditions.taken():
            self._sim.call_in(
                at_ms * MILLISECOND, self._case.spend, "replicaset-controller", tokens
            )
        self._watcher.begin()
        self._began = True
        began_ns = self._sim.now
        calls = self._recording.expected["apiCalls"]
        for action in self._recording.actions:
            number = len(self._calls)
            # An answer that took long came from a server that took long to get to the request.
            calls_server = action.op not in ("quiet", "podstatus") and len(calls) > number
            late_s = (calls[number]["done_ms"] - CALL_MS) / 1000 if calls_server else 0.0
            left_ns = began_ns + seconds(max(action.at_s, late_s)) - self._sim.now
            yield self._sim.timeout(max(0, left_ns))
            yield from self._take(action)
        left_ns = began_ns + seconds(watch["min_s"]) - self._sim.now
        yield self._sim.timeout(max(0, left_ns))
        yield from self._quiet(watch["idle_s"], watch["max_s"])
        self._done = True

    def _until_time_0(self) -> int:
        fraction_ns = int(self._recording.expected.get("t0_wall_fraction_ms", 0)) * MILLISECOND
        cron_ns = _wall_time_0(self._recording.expected)
        look_ns = _look_of_pod_gc(self._recording.expected)
        if look_ns is not None:
            return (-look_ns - self._sim.now) % POD_GC_PERIOD_NS
        if cron_ns is None:
            return (fraction_ns - self._sim.wall_ns) % SECOND
        return cron_ns - self._sim.wall_ns

    def _quiet(self, quiet_s: float, max_s: float) -> SimProcess[None]:
        """Wait until nothing was seen to change for so long."""
        until_ns = self._sim.now + seconds(max_s)
        began_ns = self._sim.now
        while self._sim.now < until_ns:
            since_ns = max(self._watcher.last_change_ns, began_ns)
            left_ns = since_ns + seconds(quiet_s) - self._sim.now
            if left_ns <= 0:
                return
            yield self._sim.timeout(min(left_ns, until_ns - self._sim.now))

    def _settled(self, quiet_s: float, max_s: float) -> SimProcess[None]:
        """Wait until nothing changes and no pod has still to become ready."""
        until_ns = self._sim.now + seconds(max_s)
        yield from self._quiet(quiet_s, max_s)
        while self._kubelet.due and self._sim.now < until_ns:
            yield self._sim.timeout(LOOK_NS)
            yield from self._quiet(quiet_s, (until_ns - self._sim.now) / SECOND)

    def _take(self, action: Action) -> SimProcess[None]:
        data = action.data
        if action.op == "quiet":
            yield from self._quiet(float(data.get("s", 1.0)), float(data.get("max", SETTLING_S)))
        elif action.op == "podstatus":
            yield from self._pod_status(data)
        elif action.op == "create":
            obj = self._decoded(data["object"])
            yield from self._call(action.op, obj.name, self._user.create(obj), code=CREATED)
        else:
            target = data.get("name")
            code = CREATED if action.op == "evict" else OK
            yield from self._call(action.op, target, self._request(action), code=code)

    def _request(self, action: Action) -> SimProcess[Any]:
        data, user = action.data, self._user
        requests: dict[str, Callable[[], SimProcess[Any]]] = {
            "patch": lambda: user.patch(self._kind(data), self._key(data), _patcher(data)),
            "scale": lambda: user.patch(
                self._kind(data), self._key(data), _scaler(int(data["replicas"]))
            ),
            "delete": lambda: self._delete(data),
            "evict": lambda: self._evict(data),
            "node": lambda: user.patch(Node, data["name"], _patcher(data)),
            "nodedelete": lambda: user.delete(Node, data["name"]),
            "nsdelete": lambda: user.delete(Namespace, NAMESPACE),
        }
        return requests[action.op]()

    def _delete(self, data: Mapping[str, Any]) -> SimProcess[Any]:
        grace = data.get("grace")
        return self._user.delete(
            self._kind(data),
            self._key(data),
            grace_period_seconds=grace,
            propagation_policy=data.get("propagation"),
        )

    def _evict(self, data: Mapping[str, Any]) -> SimProcess[Any]:
        pod = self._watcher.pod(data["name"])
        if pod is None:
            raise self._unknown(data["name"])
        dry_run = bool(data.get("dryRun") or data.get("dry_run"))
        return self._user.evict(pod.key, grace_period_seconds=data.get("grace"), dry_run=dry_run)

    def _call(
        self, op: str, target: str | None, request: SimProcess[Any], *, code: int
    ) -> SimProcess[None]:
        """Make a request and note its answer, unless the case is still being set up."""
        began = self._watcher.ms() if self._began else 0
        answer: dict[str, Any] = {"code": code}
        try:
            yield from request
        except StatusError as error:
            causes = [cause._asdict() for cause in error.causes]
            answer = {
                "code": error.code,
                "reason": error.reason or None,
                "message": error.message,
                "details": {"causes": causes} if causes else None,
            }
        if self._began:
            times = {"ms": began, "done_ms": self._watcher.ms()}
            self._calls.append({**times, "op": op, "target": target, **answer})

    def _pod_status(self, data: Mapping[str, Any]) -> SimProcess[None]:
        """What the fake kubelet writes when the case says so."""
        pod = self._watcher.pod(data["name"])
        if pod is None:
            raise self._unknown(data["name"])
        at_ns = self._sim.wall_ns // SECOND * SECOND

        def change(current: Pod) -> Pod:
            status = current.status.replace(**(data.get("status") or {}))
            if "ready" in data:
                status = with_ready(status, ready=bool(data["ready"]), at_ns=at_ns)
            return current.replace(status=status)

        yield from self._case.kubelet.patch(Pod, pod.key, change, status=True)

    def _decoded(self, data: Mapping[str, Any]) -> KubeObject:
        (manifest,) = load_text(json.dumps(data), f"{self._recording.name}/case.yaml")
        obj = manifest.obj
        resource = next((item for item in KUBERNETES if item.kind == obj.kind), None)
        if resource is not None and not resource.namespaced:
            return obj
        return obj.replace(metadata=obj.metadata.replace(namespace=NAMESPACE))

    def _kind(self, data: Mapping[str, Any]) -> type[KubeObject]:
        model = next((item.model for item in KUBERNETES if item.kind == data["kind"]), None)
        if model is None:
            raise CaseStopped(f"there is no kind {data['kind']}")
        return model

    def _key(self, data: Mapping[str, Any]) -> str:
        """The key of the object that an action names by its alias."""
        name = data["name"]
        if data["kind"] == "Pod":
            pod = self._watcher.pod(name)
            if pod is None:
                raise self._unknown(name)
            return pod.key
        return f"{NAMESPACE}/{name}"

    def _unknown(self, alias: str) -> CaseStopped:
        return CaseStopped(f"at {self._watcher.ms()} ms there is no pod {alias}")


def _patcher(data: Mapping[str, Any]) -> Callable[[KubeObject], KubeObject]:
    strategic = data.get("type", "strategic") != "merge"
    return lambda obj: patched(obj, data["patch"], strategic=strategic)


def _scaler(replicas: int) -> Callable[[Any], Any]:
    return lambda obj: obj.replace(spec=obj.spec.replace(replicas=replicas))


def _wall_time_0(expected: Mapping[str, Any]) -> int | None:
    """The time on the wall at which a CronJob's case began: its Jobs are called after their minute."""
    for at_ms, kind, name, what, *_ in expected["timeline"]:
        named = re.fullmatch(r".+-(\d{8,})", name)
        if kind == "Job" and what == "NEW" and named:
            fraction_ms = int(expected.get("t0_wall_fraction_ms", 0))
            # A Job is created some milliseconds after its minute began, never a second after it.
            passed_s = (int(at_ms) + fraction_ms) // 1000
            return (int(named[1]) * MINUTE - passed_s * SECOND) + fraction_ms * MILLISECOND
    return None


def _look_of_pod_gc(expected: Mapping[str, Any]) -> int | None:
    """When the pod garbage collector looked, which depends on when it was started."""
    for at_ms, _kind, _name, _what, changes in expected["timeline"]:
        if changes.get("disruptionTarget") == "DeletionByPodGC":
            return int(at_ms) * MILLISECOND
    return None


def _nodes() -> Iterable[Node]:
    for pool, names in POOLS:
        for name in names:
            capacity = {
                "cpu": Quantity("64"), "memory": Quantity("256Gi"), "pods": Quantity("1000"),
            }  # fmt: skip
            yield Node.model_validate(
                {
                    "metadata": {
                        "name": name,
                        "labels": {"pool": pool, "kubernetes.io/hostname": name},
                    },
                    "status": {
                        "capacity": capacity,
                        "allocatable": capacity,
                        "conditions": [{"type": "Ready", "status": "True"}],
                    },
                }
            )
