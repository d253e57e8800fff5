"""Whatever the pods and the pools are: what the Cluster Autoscaler makes is used, and in bounds."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.corev1 import Node, Pod
from kubesim.facts import InstanceLaunched, PodBound
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.sim.time import MINUTE

HEAD = """\
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: property}}
spec:
  seed: {seed}
  duration: 30m
  clusterAutoscaler: {{expander: {expander}, scale-down-delay-after-add: 2m}}
  nodePools:
    - {{name: base, count: 1, machine: m5.large}}
{pools}
"""
POOL = (
    "    - {{name: pool{i}, count: {count}, machine: {machine}, taints: [{taints}], "
    "labels: {{tier: {tier}}}, autoscaling: {{min: {least}, max: {most}}}}}"
)
DEPLOYMENT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app{i}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: app{i}}}}}
  template:
    metadata: {{labels: {{app: app{i}}}}}
    spec:
      nodeSelector: {{{selector}}}
      tolerations: [{tolerations}]
      {rule}
      containers:
        - {{name: app, image: "app:v1", resources: {{requests: {{cpu: {cpu}m, memory: {mib}Mi}}}}}}
"""
APART = (
    "affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{{"
    "topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: app{i}}}}}}}]}}}}"
)
SPREAD = (
    "topologySpreadConstraints: [{{maxSkew: 1, topologyKey: kubernetes.io/hostname, "
    "whenUnsatisfiable: DoNotSchedule, labelSelector: {{matchLabels: {{app: app{i}}}}}}}]"
)
RULES = ("", APART, SPREAD)


@st.composite
def scenarios(draw: st.DrawFn) -> str:
    """One to three pools, one to three Deployments, and an expander."""
    pools = []
    for i in range(draw(st.integers(1, 3))):
        count = draw(st.integers(0, 2))
        pools.append(
            POOL.format(
                i=i,
                count=count,
                machine=draw(st.sampled_from(["m5.large", "m5.xlarge"])),
                taints=draw(st.sampled_from(["", '"dedicated=wasm:NoSchedule"'])),
                tier=draw(st.sampled_from(["one", "two"])),
                least=draw(st.integers(0, count)),
                most=draw(st.integers(max(count, 1), 4)),
            )
        )
    text = HEAD.format(
        seed=draw(st.integers(0, 1000)),
        expander=draw(
            st.sampled_from(["random", "least-waste", "most-pods", "price", "priority"])
        ),
        pools="\n".join(pools),
    )
    for i in range(draw(st.integers(1, 3))):
        text += DEPLOYMENT.format(
            i=i,
            replicas=draw(st.integers(0, 8)),
            selector=draw(st.sampled_from(["", "tier: one"])),
            tolerations=draw(st.sampled_from(["", "{operator: Exists}"])),
            rule=draw(st.sampled_from(RULES)).format(i=i),
            cpu=draw(st.integers(50, 4500)),
            mib=draw(st.sampled_from([64, 3000, 9000])),
        )
    return text


def run_of(text: str) -> LiveRun:
    """The scenario, half an hour later."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "scenario.yaml").write_text(text)
        return LiveRun(load_scenario(Path(folder)))


@settings(max_examples=25, deadline=None)
@given(scenarios())
def test_every_node_that_was_made_was_used(text: str) -> None:
    """Never a scale-up that the scheduler then cannot use."""
    run = run_of(text)
    run.advance(30 * MINUTE)
    journal = run.simulation.sim.journal
    made = {fact.node for _, fact in journal.of(InstanceLaunched)}
    used = {fact.node for _, fact in journal.of(PodBound)}
    assert set() == made - used


@settings(max_examples=25, deadline=None)
@given(scenarios())
def test_groups_stay_within_their_sizes(text: str) -> None:
    """At every look, no pool has fewer instances than its minimum or more than its maximum."""
    run = run_of(text)
    fleet = run.simulation.fleet
    bounds = {p.name: (p.min_size, p.max_size) for p in fleet.pools.values() if p.max_size}
    for minute in range(1, 31):
        run.advance(minute * MINUTE)
        for pool, (least, most) in bounds.items():
            alive = sum(i.alive and i.spec.pool == pool for i in fleet.cloud.instances.values())
            assert least <= alive <= most, (minute, pool)


@settings(max_examples=15, deadline=None)
@given(scenarios())
def test_it_comes_to_rest(text: str) -> None:
    """Reconciling again changes nothing: after a while nothing is made, removed or moved."""
    run = run_of(text)
    run.advance(29 * MINUTE)
    nodes = [node.name for node in run.simulation.store.values(Node)]
    places = {pod.key: pod.spec.node_name for pod in run.simulation.store.values(Pod)}
    run.simulation.run_until(60 * MINUTE)
    assert nodes == [node.name for node in run.simulation.store.values(Node)]
    assert places == {pod.key: pod.spec.node_name for pod in run.simulation.store.values(Pod)}
