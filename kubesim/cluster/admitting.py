"""Objects from files as an API server would have stored them, without an API server.

Defaults are filled in and admission is applied, kind by kind as if everything had been created in
the order that makes sense: classes before the pods that name them. A pod that already went through
a real API server (it has a UID or a creation time, as in ``kubectl get -o yaml``) is left as it is.

Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/create.go, as far as it changes objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubesim.api.corev1 import Pod, PodSpec
from kubesim.api.defaults import set_defaults
from kubesim.api.metav1 import KubeObject
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.cluster.apply import with_namespace
from kubesim.controlplane.apiserver.admission import DEFAULT_PLUGINS
from kubesim.controlplane.apiserver.admission.priority import SYSTEM_PRIORITY_CLASSES
from kubesim.controlplane.apiserver.store import Store
from kubesim.controlplane.client import StatusError


@dataclass(slots=True)
class Admitted:
    """What came through.

    Attributes:
        objects: The objects, in order.
        rejected: The pods that were refused, by key, and the words of the refusal.
    """

    objects: list[KubeObject] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)


def admitted(objects: Iterable[KubeObject]) -> Admitted:
    """The objects with namespaces, defaults, and what admission adds; pods get a UID."""
    given = [with_namespace(set_defaults(obj)) for obj in objects]
    store = Store()
    for obj in (*SYSTEM_PRIORITY_CLASSES, *given):
        if isinstance(obj, PriorityClass | RuntimeClass):
            store.put(obj)
    result = Admitted()
    known: dict[int, tuple[PodSpec, PodSpec]] = {}
    for obj in given:
        if not isinstance(obj, Pod):
            result.objects.append(obj)
            continue
        # Thousands of pods share one spec; admission looks at nothing else.
        before, after = known.get(id(obj.spec), (None, None))
        pod = obj
        if after is None:
            try:
                pod = _admitted(obj, store)
            except StatusError as error:
                result.rejected[obj.key] = error.message
                continue
            if not _was_admitted(obj):
                known[id(obj.spec)] = (obj.spec, pod.spec)
        elif not _was_admitted(obj):
            assert before is obj.spec
            pod = obj.replace(spec=after)
        if not pod.uid:
            pod = pod.replace(metadata=pod.metadata.replace(uid=pod.key))
        result.objects.append(pod)
    return result


def _admitted(pod: Pod, store: Store) -> Pod:
    if _was_admitted(pod):
        return pod
    obj: KubeObject = pod
    for plugin in DEFAULT_PLUGINS:
        obj = plugin.admit(obj, store)
    assert isinstance(obj, Pod)
    return obj


def _was_admitted(pod: Pod) -> bool:
    return bool(pod.uid) or pod.metadata.creation_timestamp is not None
