"""Making room: the fast path evicts exactly whom the reference path would, and waits as it would."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.sim import Rng

SECOND = 10**9
GPU = "example.com/gpu"
ZONE = "topology.kubernetes.io/zone"

NODES = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(["1Gi", "2Gi"]),
        st.sampled_from(["2", "3", "110"]),
        st.sampled_from(["0", "1", "2"]),
        st.sampled_from(["a", "b"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=7,
)
CONSTRAINT = {
    "maxSkew": 1,
    "topologyKey": ZONE,
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "a"}},
}
APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "b"}}}
        ]
    }
}
SPECS = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from([None, "500m", "1", "2"]),
        "memory": st.sampled_from([None, "1Gi"]),
        "priority": st.sampled_from([0, 0, 5, 10, -3]),
    },
    optional={
        "labels": st.sampled_from([{"app": "a"}, {"app": "b"}]),
        "preemptionPolicy": st.sampled_from(["Never", "PreemptLowerPriority"]),
        "gpu": st.sampled_from(["0", "1", "2"]),
        "port": st.sampled_from([80, 81]),
    },
)
DOMAIN_SPECS = st.fixed_dictionaries(
    {"cpu": st.sampled_from(["500m", "1"]), "priority": st.sampled_from([0, 5])},
    optional={
        "labels": st.sampled_from([{"app": "a"}, {"app": "b"}]),
        "topologySpreadConstraints": st.just([CONSTRAINT]),
        "affinity": st.just(APART),
    },
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pod", "pod", "pod", "pod", "retry", "start", "budget", "gone"]),
        SPECS,
        st.integers(0, 50),
    ),
    min_size=1,
    max_size=40,
)
BUDGETS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2)), max_size=2, unique_by=lambda x: x[0]
)


def made_pod(name: str, spec: dict[str, Any]) -> Any:
    """A pod; a host port and an extended resource are written into its container."""
    spec = dict(spec)
    gpu, port = spec.pop("gpu", None), spec.pop("port", None)
    made = pod(name, **spec)
    container = made.spec.containers[0].model_dump(by_alias=True, exclude_none=True)
    if gpu is not None:
        container["resources"] = {"requests": {**_requests(spec), GPU: gpu}}
    if port is not None:
        container["ports"] = [{"containerPort": port, "hostPort": port}]
    if gpu is None and port is None:
        return made
    return pod(name, **spec, containers=[container])


def _requests(spec: dict[str, Any]) -> dict[str, str]:
    return {key: spec[key] for key in ("cpu", "memory") if spec.get(key) is not None}


class Story:
    """A cluster in which pods make room for themselves."""

    def __init__(
        self, nodes: list[Any], budgets: list[Any], *, fast: bool, config: Any, seed: int | None
    ) -> None:
        self.now_ns = 1000 * SECOND
        self.lister = ObjectLister()
        self.engine = Engine(
            config=KubeSchedulerConfiguration.model_validate(config),
            lister=self.lister,
            clock=lambda: self.now_ns,
            fast=fast,
            rng=None if seed is None else lambda name: Rng(seed, name),
        )
        for i, (cpu, memory, pods, gpus, zone, cordoned) in enumerate(nodes):
            made = node(
                f"n{i}",
                cpu=cpu,
                memory=memory,
                pods=pods,
                labels={ZONE: zone},
                unschedulable=cordoned and i > 0,
                extra={GPU: gpus},
            )
            self.engine.cache.add_node(made)
        for app, allowed in budgets:
            self.set_budget(app, allowed)
        self.waiting: list[tuple[Any, str, tuple[Any, ...]]] = []
        self.placed: dict[str, Any] = {}
        self.trace: list[Any] = []

    def set_budget(self, app: str, allowed: int) -> None:
        """How many pods of an app may go."""
        spec = {"selector": {"matchLabels": {"app": app}}}
        metadata = {"name": app, "namespace": "default"}
        status = {"disruptionsAllowed": allowed}
        body = {"metadata": metadata, "spec": spec, "status": status}
        self.lister.put(PodDisruptionBudget.model_validate(body))

    def attempt(self, item: Any) -> None:
        """Try to place a pod."""
        engine = self.engine
        info = engine.pod_infos.of(item)
        attempt = engine.schedule(info)
        result = attempt.post_filter
        self.trace.append(
            (
                item.name,
                list(attempt.feasible),
                attempt.selected,
                attempt.evaluated_nodes,
                engine.algorithm.next_start_node_index,
                attempt.message,
                None if attempt.selected else sorted(attempt.diagnosis.unschedulable_plugins),
                None if result is None else _told(result),
            )
        )
        if attempt.selected:
            engine.nominator.remove(info.uid)
            engine.cache.assume_pod(info, attempt.selected)
            self.placed[info.uid] = (item, attempt.selected)
        elif result is not None and result.victims is not None:
            engine.nominator.add(info, result.nominated_node_name)
            self.waiting.append((item, result.nominated_node_name, result.victims.pods))

    def step(self, verb: str, spec: dict[str, Any], number: int) -> None:
        """One thing happens."""
        match verb:
            case "pod":
                self.attempt(made_pod(f"p{len(self.trace)}-{number}", spec))
            case "retry" if self.waiting:
                item, node_name, victims = self.waiting.pop(number % len(self.waiting))
                for victim in victims:
                    # Sometimes they are not gone yet.
                    if number % 3 and self.engine.cache.node_name_of(victim.uid):
                        self.engine.cache.remove_pod(victim.uid)
                        self.placed.pop(victim.uid, None)
                self.attempt(
                    item.replace(status=item.status.replace(nominated_node_name=node_name))
                )
            case "start" if self.placed:
                uid = list(self.placed)[number % len(self.placed)]
                item, node_name = self.placed[uid]
                start_ns = self.now_ns - number % 3 * SECOND
                bound = item.replace(
                    spec=item.spec.replace(node_name=node_name),
                    status=item.status.replace(start_time=start_ns, phase="Running"),
                )
                self.engine.cache.update_pod(bound)
            case "budget":
                self.set_budget("ab"[number % 2], number % 3)
            case "gone" if self.placed:
                uid = list(self.placed)[number % len(self.placed)]
                del self.placed[uid]
                self.engine.cache.remove_pod(uid)
        self.now_ns += number % 2 * SECOND


def _told(result: Any) -> Any:
    victims = result.victims
    return (
        result.nominated_node_name,
        victims and [info.uid for info in victims.pods],
        [
            (name, [info.uid for info in one.pods], one.num_pdb_violations)
            for name, one in result.candidates.items()
        ],
    )


def told(nodes: Any, budgets: Any, steps: Any, **how: Any) -> list[Any]:
    """What happened, attempt by attempt."""
    story = Story(nodes, budgets, **how)
    for step in steps:
        story.step(*step)
    return story.trace


@settings(deadline=None, max_examples=200)
@given(nodes=NODES, budgets=BUDGETS, steps=STEPS, seed=st.none() | st.integers(0, 3))
def test_same_victims(nodes: Any, budgets: Any, steps: Any, seed: int | None) -> None:
    """Same nodes, same victims, same candidates, same messages, whatever happens in between."""
    config: dict[str, Any] = {}
    reference = told(nodes, budgets, steps, fast=False, config=config, seed=seed)

    assert reference == told(nodes, budgets, steps, fast=True, config=config, seed=seed)


@settings(deadline=None, max_examples=100)
@given(
    nodes=NODES,
    steps=st.lists(
        st.tuples(st.sampled_from(["pod", "pod", "retry"]), DOMAIN_SPECS, st.integers(0, 50)),
        max_size=25,
    ),
)
def test_same_victims_where_domains_matter(nodes: Any, steps: Any) -> None:
    """Spreading and affinity do not change that."""
    reference = told(nodes, [], steps, fast=False, config={}, seed=None)

    assert reference == told(nodes, [], steps, fast=True, config={}, seed=None)


@settings(deadline=None, max_examples=15)
@given(nodes=NODES, steps=STEPS, seed=st.integers(0, 3))
def test_same_victims_when_a_few_candidates_are_enough(nodes: Any, steps: Any, seed: int) -> None:
    """Past the minimum the search for candidates ends early, wherever it begins."""
    args = {"minCandidateNodesPercentage": 10, "minCandidateNodesAbsolute": 2}
    profile = {"pluginConfig": [{"name": "DefaultPreemption", "args": args}]}
    how = {"config": {"profiles": [profile]}, "seed": seed}
    nodes = nodes * (130 // len(nodes))
    crowd = [("pod", {"cpu": "1", "memory": "1Gi", "priority": i % 3}, i) for i in range(150)]
    reference = told(nodes, [], crowd + steps, fast=False, **how)

    assert reference == told(nodes, [], crowd + steps, fast=True, **how)
