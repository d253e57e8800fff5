"""The fast path decides exactly as the reference path does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.controlplane.scheduler.versions import VERSIONS
from kubesim.sim import Rng

LABELS = st.dictionaries(
    st.sampled_from(["disk", "topology.kubernetes.io/zone"]), st.sampled_from(["a", "b", "c"])
)
TAINTS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["x", "y"]),
            "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule"]),
        }
    ),
    max_size=2,
    unique_by=lambda taint: (taint["key"], taint["effect"]),
)
NODES = st.lists(
    st.tuples(
        st.sampled_from(["0", "1", "2500m", "4"]),
        st.sampled_from(["0", "1Gi", "3000Mi", "8Gi"]),
        st.sampled_from(["0", "2", "110"]),
        LABELS,
        TAINTS,
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
PREFERENCE = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 7,
                "preference": {
                    "matchExpressions": [{"key": "disk", "operator": "In", "values": ["a"]}]
                },
            },
            {
                "weight": 2,
                "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]},
            },
        ]
    }
}
SELECTOR = st.sampled_from(
    [{"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}, {}, None]
)
KEYS = st.sampled_from(["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
SPREADS = st.lists(
    st.builds(
        lambda **constraint: {k: v for k, v in constraint.items() if v is not None},
        maxSkew=st.integers(1, 3),
        topologyKey=KEYS,
        whenUnsatisfiable=st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
        labelSelector=SELECTOR,
        nodeTaintsPolicy=st.sampled_from([None, "Honor"]),
        nodeAffinityPolicy=st.sampled_from([None, "Ignore"]),
    ),
    max_size=2,
)
TERM = st.builds(
    lambda key, selector: {
        "topologyKey": key,
        **({"labelSelector": selector} if selector is not None else {}),
    },
    KEYS,
    SELECTOR,
)
WEIGHTED = st.builds(
    lambda term, weight: {"weight": weight, "podAffinityTerm": term}, TERM, st.integers(1, 50)
)
POD_AFFINITY = st.builds(
    lambda required, preferred: {
        "requiredDuringSchedulingIgnoredDuringExecution": required,
        "preferredDuringSchedulingIgnoredDuringExecution": preferred,
    },
    st.lists(TERM, max_size=1),
    st.lists(WEIGHTED, max_size=2),
)
AFFINITIES = st.one_of(
    st.just(PREFERENCE),
    st.fixed_dictionaries(
        {}, optional={"podAffinity": POD_AFFINITY, "podAntiAffinity": POD_AFFINITY}
    ),
)
SPECS = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from([None, "1m", "333m", "1"]),
        "memory": st.sampled_from([None, "1", "200Mi", "1Gi"]),
    },
    optional={
        "nodeSelector": st.just({"disk": "a"}),
        "affinity": AFFINITIES,
        "topologySpreadConstraints": SPREADS,
        "labels": st.sampled_from([{"app": "a"}, {"app": "b"}]),
        "tolerations": st.just([{"key": "x", "operator": "Exists"}]),
    },
)
CONFIGS = st.sampled_from(
    [
        {},
        {
            "profiles": [
                {
                    "pluginConfig": [
                        {
                            "name": "NodeResourcesFit",
                            "args": {
                                "scoringStrategy": {
                                    "type": "MostAllocated",
                                    "resources": [
                                        {"name": "cpu", "weight": 3},
                                        {"name": "memory", "weight": 1},
                                    ],
                                }
                            },
                        }
                    ]
                }
            ]
        },
    ]
)


def decisions(
    config: dict[str, Any],
    nodes: list[Any],
    specs: list[Any],
    *,
    fast: bool,
    copies: int,
    seed: int | None = None,
    version: str = "1.36",
) -> list[Any]:
    """Place the pods one after the other; every tenth is removed again."""
    engine = Engine(
        config=KubeSchedulerConfiguration.model_validate(config),
        lister=ObjectLister(),
        clock=lambda: 0,
        fast=fast,
        rng=None if seed is None else lambda name: Rng(seed, name),
        version=version,
    )
    for copy in range(copies):
        for i, (cpu, memory, pods, labels, taints, cordoned) in enumerate(nodes):
            made = node(
                f"n{copy}-{i}",
                cpu=cpu,
                memory=memory,
                pods=pods,
                labels=labels,
                taints=taints,
                unschedulable=cordoned,
            )
            engine.cache.add_node(made)
    results = []
    for i, spec in enumerate(specs):
        info = engine.pod_infos.of(pod(f"p{i}", **spec))
        attempt = engine.schedule(info)
        results.append(
            (
                list(attempt.feasible),
                attempt.selected,
                attempt.evaluated_nodes,
                attempt.message,
                engine.algorithm.next_start_node_index,
                totals(attempt),
            )
        )
        if attempt.selected:
            engine.cache.assume_pod(info, attempt.selected)
            if i % 10 == 9:
                engine.cache.forget_pod(info.uid)
    return results


def totals(attempt: Any) -> list[int] | None:
    """The scores of the feasible nodes, whichever path found them."""
    if attempt.fast is not None:
        return attempt.fast.totals.tolist() if attempt.fast.totals is not None else None
    return attempt.scores.totals if attempt.scores is not None else None


@settings(deadline=None, max_examples=150)
@given(config=CONFIGS, nodes=NODES, specs=st.lists(SPECS, min_size=1, max_size=30))
def test_small_clusters(config: Any, nodes: Any, specs: Any) -> None:
    """All nodes are looked at: same feasible nodes, same scores, same choice, same messages."""
    reference = decisions(config, nodes, specs, fast=False, copies=1)

    assert reference == decisions(config, nodes, specs, fast=True, copies=1)


@settings(deadline=None, max_examples=15)
@given(config=CONFIGS, nodes=NODES, specs=st.lists(SPECS, min_size=1, max_size=12))
def test_sampled_clusters(config: Any, nodes: Any, specs: Any) -> None:
    """Past 100 nodes the search ends early, and begins where the last one ended."""
    copies = 240 // len(nodes)
    reference = decisions(config, nodes, specs, fast=False, copies=copies)

    assert reference == decisions(config, nodes, specs, fast=True, copies=copies)


@settings(deadline=None, max_examples=40)
@given(
    nodes=NODES,
    specs=st.lists(SPECS, min_size=1, max_size=12),
    seed=st.integers(0, 9),
    version=st.sampled_from(sorted(VERSIONS)),
    copies=st.sampled_from([1, 15]),
)
def test_luck_and_versions(nodes: Any, specs: Any, seed: int, version: str, copies: int) -> None:
    """Racing workers, drawn winners and older formulas: both paths have the same luck."""
    how = {"copies": copies, "seed": seed, "version": version}
    reference = decisions({}, nodes, specs, fast=False, **how)

    assert reference == decisions({}, nodes, specs, fast=True, **how)
