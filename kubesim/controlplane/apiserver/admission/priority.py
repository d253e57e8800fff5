"""Priority: a pod's priority class becomes a number.

Mirrors: plugin/pkg/admission/priority/admission.go; the two system classes are those every API
server creates for itself.
"""

from __future__ import annotations

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.controlplane.apiserver.admission.interface import forbidden
from kubesim.controlplane.apiserver.store import Store

DEFAULT_PRIORITY = 0
DEFAULT_PREEMPTION_POLICY = "PreemptLowerPriority"

SYSTEM_PRIORITY_CLASSES = (
    PriorityClass(
        metadata=ObjectMeta(name="system-node-critical"),
        value=2_000_001_000,
        description="Used for system critical pods that must not be moved from their current node.",
    ),
    PriorityClass(
        metadata=ObjectMeta(name="system-cluster-critical"),
        value=2_000_000_000,
        description="Used for system critical pods that must run in the cluster, but can be moved "
        "to another node if necessary.",
    ),
)


class Priority:
    """Resolves ``priorityClassName`` into ``priority`` and ``preemptionPolicy``."""

    name = "Priority"

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:
        """The pod with its priority; other kinds as they are.

        Raises:
            Forbidden: If the class does not exist, or the pod names a number of its own that is
                not the class's.
        """
        if not isinstance(obj, Pod):
            return obj
        spec = obj.spec
        name = spec.priority_class_name or ""
        chosen = self._find(store, name) if name else self._global_default(store)
        if name and chosen is None:
            raise forbidden(obj, f"no PriorityClass with name {name} was found")
        value = chosen.value if chosen else DEFAULT_PRIORITY
        policy = (chosen and chosen.preemption_policy) or DEFAULT_PREEMPTION_POLICY
        if spec.priority is not None and spec.priority != value:
            raise forbidden(
                obj,
                f"the integer value of priority ({spec.priority}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name",
            )
        if spec.preemption_policy is not None and spec.preemption_policy != policy:
            raise forbidden(
                obj,
                f"the string value of PreemptionPolicy ({spec.preemption_policy}) must not be "
                "provided in pod spec; priority admission controller computed "
                f"{policy} from the given PriorityClass name",
            )
        changes = {"priority": value, "preemption_policy": policy}
        if chosen is not None and not name:
            changes["priority_class_name"] = chosen.name
        return obj.replace(spec=spec.replace(**changes))

    @staticmethod
    def _find(store: Store, name: str) -> PriorityClass | None:
        return store.get(PriorityClass, name)

    @staticmethod
    def _global_default(store: Store) -> PriorityClass | None:
        defaults = [c for c in store.values(PriorityClass) if c.global_default]
        return min(defaults, key=lambda c: c.value or 0) if defaults else None
