"""How many pods a pod's controller wants.

Mirrors: kubernetes/autoscaler cluster-autoscaler/simulator/drainability/rules/replicacount.
"""

from __future__ import annotations

from kubesim.api.appsv1 import ReplicaSet, StatefulSet
from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import controller_of
from kubesim.controlplane.autoscaler.simulator.drainability import Replicas
from kubesim.controlplane.client import Client


def controller_replicas(client: Client) -> Replicas:
    """What answers how many replicas a pod's controller wants; ``None`` if it is not there.

    Args:
        client: Whose informers know the controllers.
    """
    replica_sets, stateful_sets = client.informer(ReplicaSet), client.informer(StatefulSet)
    jobs = client.informer(Job)

    def replicas(pod: Pod) -> int | None:
        owner = controller_of(pod)
        assert owner is not None, pod.key
        key = f"{pod.namespace}/{owner.name}"
        if owner.kind == "Job":
            job = jobs.get(key)
            return None if job is None else job.spec.parallelism or 0
        found = (replica_sets if owner.kind == "ReplicaSet" else stateful_sets).get(key)
        return None if found is None else found.spec.replicas or 0

    return replicas
