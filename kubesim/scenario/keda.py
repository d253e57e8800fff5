"""What KEDA's webhooks would refuse of a scenario's manifests, on which line: by the objects alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.autoscaling.keda import KEDA_WEBHOOKS
from kubesim.controlplane.autoscaling.keda.httpaddon import HTTP_ADD_ON_WEBHOOKS
from kubesim.errors import Problem
from kubesim.manifests import Manifest

_WEBHOOKS: dict[type[KubeObject], Any] = {
    hook.kind: hook for hook in (*KEDA_WEBHOOKS, *HTTP_ADD_ON_WEBHOOKS)
}


class _Nobody:
    """A cluster without objects: rules about others are the server's."""

    def get(self, _kind: type[KubeObject], _key: str) -> None:
        return None

    def values(self, _kind: type[KubeObject]) -> tuple[KubeObject, ...]:
        return ()


def keda_problems(manifests: Iterable[Manifest]) -> Iterator[Problem]:
    """One problem for each thing that is wrong with an object of KEDA's."""
    for manifest in manifests:
        webhook = _WEBHOOKS.get(type(manifest.obj))
        if webhook is not None:
            for error in webhook.validate(manifest.obj, _Nobody()):
                yield manifest.document.problem(error.message, error.path)
