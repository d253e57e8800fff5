"""Which kind is described how."""

from __future__ import annotations

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import Node, Pod, Service
from kubesim.tui.describe.node import node_lines
from kubesim.tui.describe.parts import event_lines, identity_lines
from kubesim.tui.describe.pod import pod_lines
from kubesim.tui.describe.service import service_lines
from kubesim.tui.describe.text import yaml_lines
from kubesim.tui.describe.workload import workload_lines
from kubesim.tui.ink import EMPTY, Line
from kubesim.tui.scene import Ref, Scene


def describe(scene: Scene, ref: Ref, width: int) -> list[Line]:
    """Everything about an object; what is left of one that is gone are its Events."""
    obj = scene.find(ref)
    if obj is None:
        gone: list[Line] = [((f"{ref.label} is gone", "warn"),), EMPTY]
        return gone + event_lines(scene.about(ref), width)
    if isinstance(obj, Pod):
        lines = pod_lines(scene, obj, width)
    elif isinstance(obj, Node):
        lines = node_lines(scene, obj, width)
    elif isinstance(obj, Service):
        lines = service_lines(scene, obj, width)
    elif isinstance(obj, Deployment | ReplicaSet):
        lines = workload_lines(scene, obj, width)
    else:
        lines = [*identity_lines(obj, scene.wall_ns, width), EMPTY, *yaml_lines(obj)]
    return [*lines, EMPTY, *event_lines(scene.about(ref), width)]
