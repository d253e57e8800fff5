"""What a kind is called in URLs and messages.

Mirrors: staging/src/k8s.io/apimachinery/pkg/runtime/schema/group_version.go (GroupResource).
"""

from __future__ import annotations

from functools import cache

from kubesim.api.metav1 import KubeObject
from kubesim.api.scheme import SCHEME, Resource


def resource_name(kind: type[KubeObject]) -> str:
    """``pods``, ``deployments.apps``: the resource with its group, as messages have it."""
    resource = _resource(kind)
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def kind_name(kind: type[KubeObject]) -> str:
    """``Pod``, ``Deployment.apps``: the kind with its group, as messages have it."""
    group = _resource(kind).group
    return f"{kind.__name__}.{group}" if group else kind.__name__


def is_namespaced(kind: type[KubeObject]) -> bool:
    """Whether objects of the kind live in a namespace."""
    return _resource(kind).namespaced


@cache
def _resource(kind: type[KubeObject]) -> Resource:
    fields = kind.model_fields
    resource = SCHEME.find(fields["api_version"].default, fields["kind"].default)
    assert resource is not None, kind
    return resource
