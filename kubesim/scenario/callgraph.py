"""Who calls whom: the graph of Services that follows from the programs behind them.

A request that comes back to where it began would never end, so a cycle is an error of the scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import networkx as nx

from kubesim.api.appsv1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Pod, PodSpec, Service
from kubesim.api.labels import labels_match
from kubesim.api.metav1 import KubeObject
from kubesim.cluster.apply import DEFAULT_NAMESPACE
from kubesim.errors import Problem
from kubesim.manifests import Document
from kubesim.scenario.format import ScenarioSpec

Call = tuple[int, int]
"""Where a call stands: the number of its image, and its own."""


def call_graph(spec: ScenarioSpec, objects: Iterable[KubeObject]) -> nx.DiGraph:
    """Services by namespace and name; an edge knows the first ``call`` that makes it."""
    objects = tuple(objects)
    graph = nx.DiGraph()
    calls = {
        image.name: [
            (target, (index, number)) for number, target in enumerate(image.program.calls)
        ]
        for index, image in enumerate(spec.images)
        if image.program is not None and image.program.calls
    }
    services = [obj for obj in objects if isinstance(obj, Service) and obj.spec.selector]
    for obj in objects:
        for namespace, labels, pod in _pods(obj):
            behind = [
                f"{namespace}/{service.name}"
                for service in services
                if _namespace(service) == namespace and labels_match(service.spec.selector, labels)
            ]
            for container in pod.containers:
                for target, call in calls.get(container.image or "", ()):
                    called_in, _, name = target.service.rpartition("/")
                    for service in behind:
                        key = f"{called_in or namespace}/{name}"
                        if not graph.has_edge(service, key):
                            graph.add_edge(service, key, call=call)
    return graph


def cycle_problems(
    spec: ScenarioSpec, document: Document, objects: Iterable[KubeObject]
) -> Iterator[Problem]:
    """One problem for each knot of Services that call each other, at a call that ties it."""
    graph = call_graph(spec, objects)
    for knot in sorted(nx.strongly_connected_components(graph), key=min):
        first = min(knot)
        inside = graph.subgraph(knot)
        if not inside.number_of_edges():
            continue
        cycle = nx.find_cycle(inside, first)
        index, number = max(inside.edges[edge]["call"] for edge in cycle)
        way = " -> ".join([*(caller for caller, _ in cycle), cycle[-1][1]])
        yield document.problem(
            f"Services call each other in a circle: {way}",
            ("spec", "images", index, "program", "calls", number, "service"),
            suggestion="leave this call out",
        )


def _pods(obj: KubeObject) -> Iterator[tuple[str, dict[str, str], PodSpec]]:
    namespace = _namespace(obj)
    if isinstance(obj, Pod):
        yield namespace, dict(obj.metadata.labels), obj.spec
    elif isinstance(obj, Deployment | ReplicaSet | StatefulSet | DaemonSet):
        template = obj.spec.template
        yield namespace, dict(template.metadata.labels), template.spec


def _namespace(obj: KubeObject) -> str:
    return obj.namespace or DEFAULT_NAMESPACE
