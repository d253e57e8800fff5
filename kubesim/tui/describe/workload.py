"""A Deployment or a ReplicaSet, described: how many pods it wants, has, and which."""

from __future__ import annotations

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import controller_of
from kubesim.tui.describe.parts import identity_lines, listed, small_table
from kubesim.tui.ink import EMPTY, Line, Span, field, heading, meter
from kubesim.tui.podview import images, pod_glyph, pod_stage, pod_status, status_tone
from kubesim.tui.scene import Scene, handler_of, is_wasm


def workload_lines(scene: Scene, workload: Deployment | ReplicaSet, width: int) -> list[Line]:
    """All about a workload but its Events."""
    spec, status = workload.spec, workload.status
    wanted = 1 if spec.replicas is None else spec.replicas
    ready = status.ready_replicas or 0
    share = ready / wanted if wanted else 1.0
    selector = (f"{k}={v}" for k, v in spec.selector.match_labels.items())
    template = spec.template.spec
    pods = _pods_of(scene, workload)
    lines = identity_lines(workload, scene.wall_ns, width)
    lines += listed("Selector", selector, width)
    lines.append(field("Images", images(template)))
    if template.runtime_class_name:
        lines.append(field("RuntimeClass", template.runtime_class_name))
    counts: list[Span] = [
        *meter(share, 20, "ok" if ready >= wanted else "warn"),
        (f" {ready} ready of {wanted} wanted, {status.replicas or 0} there", "text"),
    ]
    lines += [field("Replicas", counts), EMPTY, heading("Pods", str(len(pods)))]
    return lines + _table(scene, pods)


def _pods_of(scene: Scene, workload: Deployment | ReplicaSet) -> list[Pod]:
    """The pods that a workload controls, a Deployment through its ReplicaSets."""
    owners = {workload.uid}
    if isinstance(workload, Deployment):
        for replica_set in scene.objects(ReplicaSet, workload.namespace):
            owner = controller_of(replica_set)
            if owner is not None and owner.uid == workload.uid:
                owners.add(replica_set.uid)
    found = []
    for pod in scene.objects(Pod, workload.namespace):
        owner = controller_of(pod)
        if owner is not None and owner.uid in owners:
            found.append(pod)
    return found


def _table(scene: Scene, pods: list[Pod]) -> list[Line]:
    if not pods:
        return []
    handlers = scene.handlers()
    rows: list[list[Span]] = []
    for pod in pods:
        status = pod_status(pod)
        glyph = pod_glyph(pod_stage(pod), wasm=is_wasm(handler_of(pod, handlers)))
        node: Span = (pod.spec.node_name or "<none>", "dim")
        rows.append([glyph, (pod.name, "text"), (status, status_tone(pod, status)), node])
    return small_table(("", "NAME", "STATUS", "NODE"), rows)
