"""RuntimeClass: how a pod that names a runtime gets to a node that has it.

The class's ``overhead`` becomes the pod's, its ``nodeSelector`` is merged into the pod's (a
contradiction is refused, with the words of a real API server), and its tolerations are added. This
is all that Kubernetes does about runtimes before the kubelet: whether the handler exists on the
node is found out there.

Mirrors: plugin/pkg/admission/runtimeclass/admission.go, pkg/util/tolerations/tolerations.go.
"""

from __future__ import annotations

from kubesim.api.corev1 import Pod, PodSpec, Toleration
from kubesim.api.metav1 import KubeObject
from kubesim.api.nodev1 import RuntimeClass
from kubesim.controlplane.apiserver.admission.interface import forbidden
from kubesim.controlplane.apiserver.store import Store


class RuntimeClassAdmission:
    """Applies a RuntimeClass's overhead and scheduling to the pods that name it."""

    name = "RuntimeClass"

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:
        """The pod with its class applied; other kinds as they are.

        Raises:
            Forbidden: If the class does not exist, contradicts the pod's nodeSelector, or the pod
                brings an overhead of its own.
        """
        if not isinstance(obj, Pod):
            return obj
        name = obj.spec.runtime_class_name
        if not name:
            if obj.spec.overhead:
                raise forbidden(obj, "pod rejected: Pod Overhead set without corresponding "
                                      "RuntimeClass defined Overhead")  # fmt: skip
            return obj
        runtime_class = store.get(RuntimeClass, name)
        if runtime_class is None:
            raise forbidden(obj, f'pod rejected: RuntimeClass "{name}" not found')
        spec = _with_overhead(obj, runtime_class)
        return obj.replace(spec=_with_scheduling(obj, spec, runtime_class))


def _with_overhead(pod: Pod, runtime_class: RuntimeClass) -> PodSpec:
    fixed = runtime_class.overhead.pod_fixed if runtime_class.overhead else None
    own = pod.spec.overhead
    if not fixed:
        if own:
            raise forbidden(pod, "pod rejected: Pod Overhead set without corresponding "
                                  "RuntimeClass defined Overhead")  # fmt: skip
        return pod.spec
    if own and own != fixed:
        raise forbidden(pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined "
                              "Overhead")  # fmt: skip
    return pod.spec.replace(overhead=fixed)


def _with_scheduling(pod: Pod, spec: PodSpec, runtime_class: RuntimeClass) -> PodSpec:
    scheduling = runtime_class.scheduling
    if scheduling is None:
        return spec
    for key, value in scheduling.node_selector.items():
        if spec.node_selector.get(key, value) != value:
            raise forbidden(pod, "conflict: runtimeClass.scheduling.nodeSelector"
                                  f"[{key}] = {value}; pod.spec.nodeSelector[{key}] = "
                                  f"{spec.node_selector[key]}")  # fmt: skip
    return spec.replace(
        node_selector=spec.node_selector.merge(scheduling.node_selector),
        tolerations=_merge_tolerations(spec.tolerations, scheduling.tolerations),
    )


def _merge_tolerations(
    own: tuple[Toleration, ...], added: tuple[Toleration, ...]
) -> tuple[Toleration, ...]:
    """Both, without those that another one makes redundant; of equal ones the first stays."""
    every = own + added
    merged: list[Toleration] = []
    for index, toleration in enumerate(every):
        covered = any(_is_superset(kept, toleration) for kept in merged) or any(
            later != toleration and _is_superset(later, toleration) for later in every[index + 1 :]
        )
        if not covered:
            merged.append(toleration)
    return tuple(merged)


def _is_superset(wide: Toleration, narrow: Toleration) -> bool:
    """Whether ``wide`` puts up with everything that ``narrow`` puts up with."""
    if wide == narrow:
        return True
    if (narrow.key or "") != (wide.key or "") and (wide.key or wide.operator != "Exists"):
        return False
    if wide.effect and narrow.effect != wide.effect:
        return False
    limit, longest = wide.toleration_seconds, narrow.toleration_seconds
    shorter = limit is not None and (longest is None or longest > limit)
    if wide.effect == "NoExecute" and shorter:
        return False
    if wide.operator == "Exists":
        return True
    same_value = (narrow.value or "") == (wide.value or "")
    return wide.operator in (None, "Equal") and narrow.operator == "Equal" and same_value
