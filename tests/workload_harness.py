"""Pieces for tests of Jobs, DaemonSets and budgets: objects, and who plays the kubelet for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import SECOND, Cluster, seconds

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import Pod
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.controllers.daemonnodes import target_node


def job(name: str = "j", **spec: Any) -> Job:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "v1"}]},
    }
    return Job.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"template": template, **spec},
        }
    )


class JobPlayer:
    """Plays scheduler and kubelet: pods run at once and end after a while with an exit code."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        finish_s: float | None,
        exit_code: Callable[[int], int] = lambda _: 0,
        delete_s: float = 1.0,
    ) -> None:
        self._cluster = cluster
        self._finish_s = finish_s
        self._exit_code = exit_code
        self._delete_s = delete_s
        self.created_s: list[float] = []
        cluster.client("played").informer(Pod).add_handler(self._changed)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        sim = self._cluster.sim
        if old is None and new is not None:
            self.created_s.append(sim.now / SECOND)
            self._cluster.api.bind(new.key, "n1")
            self._cluster.set_ready(new.name)
            if self._finish_s is not None:
                code = self._exit_code(len(self.created_s))
                # A recorded pod runs some 20 ms after it was bound.
                sim.call_in(seconds(self._finish_s + 0.02), self._finish, new.key, code)
        elif new is not None and old is not None:
            going = new.metadata.deletion_timestamp is not None
            if going and old.metadata.deletion_timestamp is None:
                sim.call_in(seconds(self._delete_s), self._gone, new.key)

    def _finish(self, key: str, code: int) -> None:
        pod = self._cluster.api.store.get(Pod, key)
        if pod is None or pod.metadata.deletion_timestamp is not None:
            return
        ended = {"exitCode": code, "finishedAt": self._cluster.sim.wall_ns // SECOND * SECOND}
        status = Pod.model_validate(
            {
                "metadata": {"name": "x"},
                "spec": {"containers": []},
                "status": {
                    "phase": "Failed" if code else "Succeeded",
                    "containerStatuses": [
                        {
                            "name": "c",
                            "ready": False,
                            "restartCount": 0,
                            "image": "v1",
                            "imageID": "",
                            "state": {"terminated": ended},
                        }
                    ],
                },
            }
        ).status
        self._cluster.api.update_status(pod.replace(status=status))

    def _gone(self, key: str) -> None:
        if self._cluster.exists(Pod, key):
            self._cluster.api.delete(Pod, key, grace_period_seconds=0)


def daemon_set(name: str = "ag", *, image: str = "v1", **spec: Any) -> DaemonSet:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }
    return DaemonSet.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
        }
    )


def set_image(cluster: Cluster, wanted: str) -> None:
    def change(one: DaemonSet) -> DaemonSet:
        template = daemon_set(image=wanted).spec.template
        return one.replace(spec=one.spec.replace(template=template))

    cluster.update(DaemonSet, "default/ag", change)


class DaemonPlayer:
    """Plays scheduler and kubelet: binds where the affinity says, ready and gone after a second."""

    def __init__(self, cluster: Cluster, *, ready_s: float = 1.0, delete_s: float = 1.0) -> None:
        self._cluster = cluster
        self._ready_s = ready_s
        self._delete_s = delete_s
        cluster.client("played").informer(Pod).add_handler(self._changed)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        sim = self._cluster.sim
        if new is None:
            return
        if old is None:
            self._cluster.api.bind(new.key, target_node(new))
            sim.call_in(seconds(self._ready_s), self._ready, new.key, new.name)
        elif new.metadata.deletion_timestamp and not old.metadata.deletion_timestamp:
            sim.call_in(seconds(self._delete_s), self._gone, new.key)

    def _ready(self, key: str, name: str) -> None:
        pod = self._cluster.api.store.get(Pod, key)
        if pod is not None and pod.status.phase != "Failed":
            self._cluster.set_ready(name)

    def _gone(self, key: str) -> None:
        if self._cluster.exists(Pod, key):
            self._cluster.api.delete(Pod, key, grace_period_seconds=0)


def budget(name: str = "p", app: str = "web", **spec: Any) -> PodDisruptionBudget:
    return PodDisruptionBudget.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
        }
    )
