"""The rules of the API server, applied to manifests: what it would refuse, and on which line.

Rules that need other objects of the cluster (an executor that must exist) are the server's.

Mirrors: nothing upstream; it is what ``kubectl apply --dry-run=server`` would say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kubesim.api.defaults import set_defaults
from kubesim.api.fielderrors import FieldError
from kubesim.api.metav1 import KubeObject
from kubesim.api.scheme import SCHEME, Scheme
from kubesim.api.spinv1alpha1 import (
    SpinApp,
    SpinAppExecutor,
    spin_app_errors,
    spin_app_executor_errors,
)
from kubesim.api.validation import validate_object
from kubesim.api.vpav1 import VerticalPodAutoscaler, vertical_pod_autoscaler_errors
from kubesim.errors import Problem
from kubesim.manifests.decoding import Manifest

__all__ = ["check"]


def check(manifests: Iterable[Manifest], *, scheme: Scheme = SCHEME) -> list[Problem]:
    """What an API server would refuse in ``manifests``, after filling in its defaults."""
    return [
        manifest.document.problem(error.message, error.path)
        for manifest in manifests
        for error in _errors(set_defaults(manifest.obj), scheme)
    ]


def _errors(obj: KubeObject, scheme: Scheme) -> list[FieldError]:
    webhook = _WEBHOOKS.get(type(obj))
    return validate_object(obj, scheme) + (webhook(obj) if webhook is not None else [])


# What the webhooks of an operator refuse by the object alone.
_WEBHOOKS: dict[type[KubeObject], Callable[[Any], list[FieldError]]] = {
    SpinApp: spin_app_errors,
    SpinAppExecutor: spin_app_executor_errors,
    VerticalPodAutoscaler: vertical_pod_autoscaler_errors,
}
