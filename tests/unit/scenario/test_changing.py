"""The timeline's verbs that change one object, as kubectl's do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim import facts
from kubesim.api.appsv1 import Deployment
from kubesim.api.corev1 import Node, Pod
from kubesim.errors import InputError
from kubesim.scenario import LiveRun, Scenario

WriteScenario = Callable[..., Path]

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:v1}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
"""
TWO = "[{name: pool, count: 2, capacity: {cpu: '4', memory: 8Gi}}]"


class Played:
    """A run with some steps, five seconds apart, from 10 s on."""

    def __init__(self, write: WriteScenario, *steps: str) -> None:
        timeline = ", ".join(f"{{at: {10 + 5 * n}s, {step}}}" for n, step in enumerate(steps))
        duration = 10 + 5 * len(steps) + 10
        spec = f"duration: {duration}s\ntimeline: [{timeline}]"
        live = LiveRun(Scenario.load(write(spec, WEB, pools=TWO)))
        live.advance(live.end_ns)
        self.api = live.simulation.apiserver
        journal = live.simulation.sim.journal
        self.refused = [(f.reason, f.message) for _, f in journal.of(facts.ObjectRefused)]
        self.taken = [(f.verb, f.subject) for _, f in journal.of(facts.StepTaken)][1:]

    @property
    def deployment(self) -> Deployment:
        """The Deployment at the end."""
        return self.api.get(Deployment, "default/web")

    def images(self) -> set[str | None]:
        """The images of the pods at the end."""
        return {p.spec.containers[0].image for p in self.api.list(Pod)}


SET = 'setImage: {kind: deploy, name: web, images: {web: "web:v2"}}'


def test_a_rollout_is_undone(write_scenario: WriteScenario) -> None:
    """Undo brings the image before back under a new revision, and undone again the newer."""
    played = Played(write_scenario, SET, "undo: deployment/web")

    assert {"web:v1"} == played.images()
    assert "3" == played.deployment.metadata.annotations["deployment.kubernetes.io/revision"]
    assert [] == played.refused
    assert ("undo", "Deployment/default/web") == played.taken[-1]

    again = Played(write_scenario, SET, "undo: {kind: Deployment, name: web, toRevision: 1}",
                   "undo: deployment/web")  # fmt: skip
    assert {"web:v2"} == again.images()


def test_what_cannot_be_undone_is_refused(write_scenario: WriteScenario) -> None:
    """There is no revision before the first, nor any that was not."""
    played = Played(
        write_scenario,
        "undo: deployment/web",
        "undo: {kind: Deployment, name: web, toRevision: 7}",
        "undo: deployment/other",
    )

    assert [
        ("NotDone", 'no last revision to roll back to: "web"'),
        ("NotDone", "unable to find specified revision 7 in history"),
        ("NotFound", 'deployments.apps "other" not found'),
    ] == played.refused


def test_a_paused_rollout_waits(write_scenario: WriteScenario) -> None:
    """Paused, a new image changes nothing; resumed, it comes; pausing twice is refused."""
    paused = Played(write_scenario, "pause: deployment/web", SET, "pause: deployment/web",
                    "restart: deployment/web", "undo: deployment/web")  # fmt: skip

    assert {"web:v1"} == paused.images()
    assert 'deployments.apps "web" is already paused' == paused.refused[0][1]
    assert "can't restart paused deployment" in paused.refused[1][1]
    assert "you cannot rollback a paused deployment" in paused.refused[2][1]

    resumed = Played(write_scenario, "pause: deployment/web", SET, "resume: deployment/web")
    assert {"web:v2"} == resumed.images()


def test_a_restart_replaces_all_pods(write_scenario: WriteScenario) -> None:
    """The template says when it was, so that it is another one."""
    played = Played(write_scenario, "restart: deployment/web")

    assert "2" == played.deployment.metadata.annotations["deployment.kubernetes.io/revision"]
    template = played.deployment.spec.template.metadata.annotations
    assert "kubectl.kubernetes.io/restartedAt" in template


def test_a_patch_labels_and_annotations(write_scenario: WriteScenario) -> None:
    """Lists of things with names are merged by name; null takes a key away."""
    containers = "[{name: web, resources: {requests: {cpu: 100m}}}]"
    played = Played(
        write_scenario,
        f"patch: {{kind: Deployment, name: web, patch: {{spec: {{template: {{spec: "
        f"{{containers: {containers}}}}}}}}}}}",
        "label: {kind: Deployment, name: web, values: {team: blue, tier: gold}}",
        "label: {kind: Deployment, name: web, values: {team: null}}",
        "annotate: {kind: Deployment, name: web, values: {why: test}}",
    )

    (container,) = played.deployment.spec.template.spec.containers
    assert ("web:v1", "100m") == (container.image, str(container.resources.requests["cpu"]))
    assert {"tier": "gold"} == dict(played.deployment.metadata.labels)
    assert "test" == played.deployment.metadata.annotations["why"]


def test_nodes_are_cordoned_and_tainted(write_scenario: WriteScenario) -> None:
    """As kubectl cordon, uncordon and taint do; a taint that is not there cannot go."""
    played = Played(
        write_scenario,
        "cordon: pool-0",
        "cordon: pool-1",
        "uncordon: pool-1",
        "taint: {node: pool-1, key: team, value: red, effect: NoSchedule}",
        "taint: {node: pool-1, key: team, remove: true}",
        "taint: {node: pool-1, key: team, remove: true}",
        "cordon: nobody",
    )

    assert played.api.get(Node, "pool-0").spec.unschedulable
    assert not played.api.get(Node, "pool-1").spec.unschedulable
    assert () == played.api.get(Node, "pool-1").spec.taints
    assert ["NotDone", "NotFound"] == [reason for reason, _ in played.refused]
    assert 'taint "team" not found' == played.refused[0][1]


def test_an_eviction_asks_the_budget(write_scenario: WriteScenario) -> None:
    """429 with the numbers, when the budget allows none."""
    first = Played(write_scenario, "uncordon: pool-0")
    name = next(iter(first.api.list(Pod))).name
    played = Played(write_scenario, f"evict: {name}")

    ((reason, message),) = played.refused
    assert "TooManyRequests" == reason
    assert "needs 2 healthy pods and has 2 currently" in message


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("pause: web", "write KIND/NAME"),
        ("pause: statefulset/db", "StatefulSet cannot be paused; Deployment can"),
        ("restart: deploymnt/web", 'unknown kind "deploymnt"'),
        ("undo: pod/web", "Pod cannot be rolled out"),
        ("setImage: {kind: Service, name: web, images: {a: b}}", "cannot be given another image"),
        ("taint: {node: pool-0, key: team}", "a taint has an effect"),
        ("label: {kind: Pod, name: web, labels: {a: b}}", "labels"),
    ],
)
def test_a_step_that_makes_no_sense_is_bad_input(
    write_scenario: WriteScenario, step: str, message: str
) -> None:
    """It is refused when the scenario is read, with its place."""
    spec = f"duration: 20s\ntimeline: [{{at: 5s, {step}}}]"

    with pytest.raises(InputError, match=message):
        Scenario.load(write_scenario(spec, WEB, pools=TWO))
