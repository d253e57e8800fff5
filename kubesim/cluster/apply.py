"""``kubectl apply`` on an object that exists: the manifest wins, what it is silent about stays.

Mirrors: staging/src/k8s.io/kubectl/pkg/cmd/apply (the patch that it computes).
Departs: lists are replaced as a whole, and what a former manifest said and the new one does not is
not removed (there is no last-applied annotation).
"""

from __future__ import annotations

from typing import TypeVar

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel
from kubesim.controlplane.apiserver.resources import is_namespaced

K = TypeVar("K", bound=KubeObject)
M = TypeVar("M", bound=KubeModel)

DEFAULT_NAMESPACE = "default"


def with_namespace(obj: K) -> K:
    """The object with the namespace that kubectl fills in."""
    if obj.namespace or not is_namespaced(type(obj)):
        return obj
    return obj.replace(metadata=obj.metadata.replace(namespace=DEFAULT_NAMESPACE))


def merged(old: M, new: M) -> M:
    """``old`` with everything that ``new`` says."""
    changes: dict[str, object] = {}
    for name in new.model_fields_set:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, KubeModel) and type(before) is type(after):
            after = merged(before, after)
        elif isinstance(before, FrozenMap) and isinstance(after, FrozenMap):
            after = before.merge(after)
        if after is not before:
            changes[name] = after
    return old.replace(**changes) if changes else old
