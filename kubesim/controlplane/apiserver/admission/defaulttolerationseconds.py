"""DefaultTolerationSeconds: every pod outlives its node's trouble by five minutes.

A pod that says nothing about the taints ``not-ready`` and ``unreachable`` tolerates each for 300 s,
which is why a lost node's pods are replaced no sooner than that.

Mirrors: plugin/pkg/admission/defaulttolerationseconds/admission.go.
"""

from __future__ import annotations

from kubesim.api.corev1 import Pod, Toleration
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.apiserver.store import Store

TAINT_NOT_READY = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE = "node.kubernetes.io/unreachable"
DEFAULT_TOLERATION_SECONDS = 300

_DEFAULTS = tuple(
    Toleration(
        key=key,
        operator="Exists",
        effect="NoExecute",
        toleration_seconds=DEFAULT_TOLERATION_SECONDS,
    )
    for key in (TAINT_NOT_READY, TAINT_UNREACHABLE)
)


class DefaultTolerationSeconds:
    """Adds the two tolerations where they are missing."""

    name = "DefaultTolerationSeconds"

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:  # noqa: ARG002
        """The pod with both tolerations; other kinds as they are."""
        if not isinstance(obj, Pod):
            return obj
        missing = tuple(
            default
            for default in _DEFAULTS
            if not any(_speaks_of(own, default) for own in obj.spec.tolerations)
        )
        if not missing:
            return obj
        spec = obj.spec.replace(tolerations=obj.spec.tolerations + missing)
        return obj.replace(spec=spec)


def _speaks_of(own: Toleration, default: Toleration) -> bool:
    return own.key in (default.key, None, "") and own.effect in (default.effect, None, "")
