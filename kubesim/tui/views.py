"""The views of the main table, and the words of the command prompt that lead to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import Namespace, Node, Pod, Service
from kubesim.api.scheme import SCHEME
from kubesim.telemetry.build import node_row, service_row
from kubesim.tui import tables
from kubesim.tui.scene import Scene
from kubesim.tui.sheet import Sheet

Build = Callable[[Scene, str], Sheet]


@dataclass(frozen=True, slots=True)
class View:
    """One table to look at.

    Attributes:
        name: The word that leads to it.
        build: Makes it, of a scene and a namespace (empty for all).
        namespaced: Whether the namespace matters.
        aliases: Other words that lead to it.
    """

    name: str
    build: Build
    namespaced: bool = True
    aliases: tuple[str, ...] = ()


def _pods(scene: Scene, namespace: str) -> Sheet:
    return tables.pods_sheet(scene.objects(Pod, namespace), scene.handlers(), scene.wall_ns)


def _nodes(scene: Scene, _namespace: str) -> Sheet:
    by_node = pods_by_node(scene.objects(Pod))
    nodes = []
    for node in scene.objects(Node):
        facts = scene.node_facts(node)
        known = node_row(node, by_node.get(node.name, ()), facts, scene.now_ns)
        runtimes = facts.config.runtimes if facts else ()
        nodes.append((node, known, runtimes))
    return tables.nodes_sheet(nodes, scene.wall_ns)


def _services(scene: Scene, namespace: str) -> Sheet:
    services = [
        (service, service_row(service, scene.service_totals(service)))
        for service in scene.objects(Service, namespace)
    ]
    return tables.services_sheet(services, scene.wall_ns)


def _deployments(scene: Scene, namespace: str) -> Sheet:
    return tables.deployments_sheet(scene.objects(Deployment, namespace), scene.wall_ns)


def _replica_sets(scene: Scene, namespace: str) -> Sheet:
    return tables.replica_sets_sheet(scene.objects(ReplicaSet, namespace), scene.wall_ns)


def _events(scene: Scene, namespace: str) -> Sheet:
    return tables.events_sheet(scene.happenings, namespace)


def _namespaces(scene: Scene, _namespace: str) -> Sheet:
    return tables.namespaces_sheet(scene.objects(Namespace), scene.wall_ns)


PODS = View("pods", _pods, aliases=("pod", "po"))
NODES = View("nodes", _nodes, namespaced=False, aliases=("node", "no"))
SERVICES = View("services", _services, aliases=("service", "svc"))
DEPLOYMENTS = View("deployments", _deployments, aliases=("deployment", "deploy", "dp"))
REPLICA_SETS = View("replicasets", _replica_sets, aliases=("replicaset", "rs"))
EVENTS = View("events", _events, aliases=("event", "ev"))
NAMESPACES = View("namespaces", _namespaces, namespaced=False, aliases=("namespace", "ns"))

VIEWS = (PODS, NODES, SERVICES, DEPLOYMENTS, REPLICA_SETS, EVENTS, NAMESPACES)
_BY_WORD = {word: view for view in VIEWS for word in (view.name, *view.aliases)}


def find_view(word: str) -> View | None:
    """The view that a word leads to: one of ours, or any kind that Kubernetes knows."""
    word = word.lower()
    if word in _BY_WORD:
        return _BY_WORD[word]
    resource = SCHEME.find_name(word)
    if resource is None:
        return None
    model, plural = resource.model, resource.plural

    def build(scene: Scene, namespace: str) -> Sheet:
        return tables.objects_sheet(plural, scene.objects(model, namespace), scene.wall_ns)

    return View(plural, build, namespaced=resource.namespaced)


def view_words() -> tuple[str, ...]:
    """Words that the command prompt offers to complete."""
    ours = [word for view in VIEWS for word in (view.name, *view.aliases)]
    return (*ours, *(item.plural for item in SCHEME if item.plural not in ours))


def pods_by_node(pods: Iterable[Pod]) -> Mapping[str, list[Pod]]:
    """Pods by the name of the node that they are bound to; unbound ones under the empty name."""
    found: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        found[pod.spec.node_name or ""].append(pod)
    return found
