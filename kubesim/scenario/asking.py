"""Why is this pod where it is? Asked of any moment of a run.

Nothing of a run has to be kept for that: a run is the same whenever it is run, so it is run once
more up to that moment, with somebody who looks on when the pod is tried. The answer is plain data:
where the pod is and in which state, what its last attempt found, what would make it fit if nothing
does, how long each phase of its start took, and what has happened to it, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kubesim import facts
from kubesim.api.corev1 import Pod
from kubesim.api.podutil import is_pod_ready, is_pod_terminal
from kubesim.controlplane.scheduler.config import scheduler_name
from kubesim.controlplane.scheduler.explain import verdict
from kubesim.controlplane.scheduler.nearest import nearest
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.controlplane.scheduler.witness import witness
from kubesim.errors import InputError, Problem
from kubesim.manifests import closest
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import LoadedScenario
from kubesim.sim import Fact
from kubesim.telemetry.build import ordered_startup, pod_reason
from kubesim.wasm.measuring import Clock

TOLD_BY_FACTS = frozenset(
    {"Scheduled", "FailedScheduling", "Pulling", "Pulled", "Created", "Started"}
)
"""Events that say what a fact of the history says better."""

IMAGE_CALLS = frozenset({"ListImages", "ImageStatus", "PullImage", "RemoveImage", "ImageFsInfo"})


class Question:
    """A run that is about to be asked about a pod.

    Args:
        scenario: The scenario.
        pod: ``name`` or ``namespace/name``; the beginning of a name is enough if only one pod has it.
        seed: A seed instead of the scenario's.
        until_ns: The end of the run that is asked about, if it is not the scenario's.
        clock: See ``LiveRun``.
    """

    def __init__(
        self,
        scenario: LoadedScenario,
        pod: str,
        *,
        seed: int | None = None,
        until_ns: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._asked = pod if "/" in pod else f"default/{pod}"
        self._live = LiveRun(scenario, seed=seed, until_ns=until_ns, clock=clock)
        self._attempts: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self._engine = self._live.simulation.scheduler.engine
        witness(self._engine, self._seen, of=lambda one: one.key.startswith(self._asked))

    def answer(self, at_ns: int | None = None) -> dict[str, Any]:
        """Run to that moment (by default to the end) and answer.

        Raises:
            InputError: If there is no such pod by then, or more than one.
        """
        live = self._live
        live.advance(live.end_ns if at_ns is None else at_ns)
        uid, namespace, name = self._find()
        pod = next((p for p in live.simulation.store.values(Pod) if p.uid == uid), None)
        attempts = self._attempts.get(uid, [])
        totals = live.observer.pods.get(uid)
        result: dict[str, Any] = {
            "scenario": live.scenario.name,
            "seed": live.seed,
            "at_ns": live.now_ns,
            "pod": f"{namespace}/{name}",
            **(_state(pod) if pod is not None else {"phase": "deleted", "node": None}),
            "attempts": len(attempts),
            "attempt": None,
            "nearest": [],
            "startup_ns": ordered_startup(totals) if totals is not None else {},
            "history": list(self._history(uid, namespace, name)),
        }
        if attempts:
            result["attempt"] = {"at_ns": attempts[-1][0], **attempts[-1][1]}
        if pod is not None and _waits(pod) and scheduler_name(pod) in self._engine.frameworks:
            obstacle, lacks = nearest(self._engine, self._engine.pod_infos.of(pod))
            result["obstacle"] = obstacle or None
            result["nearest"] = [
                {"nodes": list(lack.nodes), "missing": list(lack.missing)} for lack in lacks
            ]
        return result

    def _seen(self, attempt: Attempt) -> None:
        known = self._attempts.setdefault(attempt.info.uid, [])
        known.append((self._live.now_ns, verdict(attempt)))

    def cri_calls(self, at_ns: int | None = None) -> dict[str, Any]:
        """Run to that moment (by default to the end) and list the CRI calls made for the pod.

        They are in the order in which they began; one that began with another, after it.

        Raises:
            InputError: If there is no such pod by then, or more than one.
        """
        live = self._live
        live.advance(live.end_ns if at_ns is None else at_ns)
        uid, namespace, name = self._find()
        calls = [
            {
                "began_ns": call.began_ns,
                "ended_ns": ended_ns,
                "service": "ImageService" if call.method in IMAGE_CALLS else "RuntimeService",
                "method": call.method,
                "node": call.node,
                "subject": call.subject,
                "error": call.error,
            }
            for ended_ns, call in live.simulation.sim.journal.of(facts.CriCalled)
            if call.pod_uid == uid
        ]
        return {
            "scenario": live.scenario.name,
            "seed": live.seed,
            "at_ns": live.now_ns,
            "pod": f"{namespace}/{name}",
            "uid": uid,
            "calls": sorted(calls, key=lambda call: call["began_ns"]),
        }

    def _find(self) -> tuple[str, str, str]:
        """UID, namespace and name of the pod that is meant; of several lives the last."""
        known = {
            f"{totals.namespace}/{totals.name}": uid
            for uid, totals in self._live.observer.pods.items()
        }
        exact = known.get(self._asked)
        matching = [self._asked] if exact else [k for k in known if k.startswith(self._asked)]
        if len(matching) == 1:
            namespace, _, name = matching[0].partition("/")
            return known[matching[0]], namespace, name
        shown = self._asked.removeprefix("default/")
        if matching:
            names = ", ".join(key.removeprefix("default/") for key in sorted(matching))
            problem = Problem(message=f'"{shown}" is ambiguous', suggestion=f"there are: {names}")
            raise InputError(problem)
        near = closest(self._asked, list(known))
        hint = f'did you mean "{near.removeprefix("default/")}"?' if near else ""
        raise InputError(Problem(message=f'no pod "{shown}" by then', suggestion=hint))

    def _history(self, uid: str, namespace: str, name: str) -> Iterator[dict[str, Any]]:
        """What has happened to the pod, in order; the same thing again is not told again."""
        last, node = "", ""
        for at_ns, fact in self._live.simulation.sim.journal:
            node = fact.node if isinstance(fact, facts.PodBound) and fact.uid == uid else node
            if isinstance(fact, facts.NodeFailed):
                what = f"node {fact.node} failed" if fact.node == node else ""
            elif isinstance(fact, facts.EventRecorded):
                mine = (fact.kind, fact.namespace, fact.name) == ("Pod", namespace, name)
                told = fact.reason in TOLD_BY_FACTS
                what = f"{fact.reason}: {fact.message}" if mine and not told else ""
            else:
                teller = TELLERS.get(type(fact))
                what = teller(fact) if teller and getattr(fact, "uid", "") == uid else ""
            if what and what != last:
                last = what
                yield {"at_ns": at_ns, "what": what}


def _waits(pod: Pod) -> bool:
    gated = bool(pod.spec.scheduling_gates)
    return not pod.spec.node_name and not gated and not is_pod_terminal(pod)


def _state(pod: Pod) -> dict[str, Any]:
    reason, message = pod_reason(pod)
    return {
        "phase": pod.status.phase or "",
        "node": pod.spec.node_name or None,
        "nominatedNode": pod.status.nominated_node_name or None,
        "ready": is_pod_ready(pod),
        "restarts": sum(status.restart_count for status in pod.status.container_statuses),
        "reason": reason,
        "message": message,
    }


def _written(fact: facts.ObjectWritten) -> str:
    return {"create": "created", "delete": "deleted"}.get(fact.verb, "")


def _phase(fact: facts.PodPhaseChanged) -> str:
    if fact.phase == "Pending" and not fact.reason:
        return ""  # how it was created
    return f"is {fact.phase}" + (f" ({fact.reason})" if fact.reason else "")


def _bound(fact: facts.PodBound) -> str:
    tried = f"attempt {fact.attempts}, {fact.feasible_nodes} of {fact.evaluated_nodes}"
    return f"bound to {fact.node} ({tried} nodes looked at fit)"


def _exited(fact: facts.ContainerExited) -> str:
    why = " ".join(part for part in (fact.reason, fact.message) if part)
    return f"container {fact.container} ended with exit code {fact.exit_code}: {why}".rstrip(": ")


TELLERS: dict[type[Fact], Callable[[Any], str]] = {
    facts.ObjectWritten: _written,
    facts.PodAttempted: lambda fact: f"no node: {fact.message}",
    facts.PodBound: _bound,
    facts.ContainerStarted: lambda fact: (
        f"container {fact.container} started"
        + (f" again (restart {fact.attempt})" if fact.attempt else "")
    ),
    facts.ContainerExited: _exited,
    facts.PodPhaseChanged: _phase,
}
"""Facts about a pod, as a line of its history."""
