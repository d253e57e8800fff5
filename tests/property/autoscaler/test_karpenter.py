"""Whatever the pods and the pools are: what Karpenter buys is used, in bounds, and comes to rest."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.corev1 import Node, Pod
from kubesim.api.karpenterv1 import NodeClaim
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
  duration: 60m
  cloud: {{machines: [c5.large, c5.xlarge, m5.large, m5.xlarge], zones: [a, b]}}
  nodePools: [{{name: base, count: 1, machine: m5.large}}]
  timeline:
    - {{at: 10m, scale: {{kind: Deployment, name: app0, replicas: {later}}}}}
"""
POOL = """\
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {{name: pool{i}}}
spec:
  weight: {weight}
  limits: {{cpu: "{cpu}"}}
  template:
    spec:
      taints: [{taints}]
      requirements:
        - {{key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}}
  disruption: {{consolidateAfter: {after}, consolidationPolicy: {policy}}}
"""
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
      tolerations: [{tolerations}]
      {rule}
      containers:
        - {{name: app, image: "app:v1", resources: {{requests: {{cpu: {cpu}m, memory: {mib}Mi}}}}}}
"""
APART = (
    "affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{{"
    "topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: app{i}}}}}}}]}}}}"
)
TAINT = "{key: dedicated, value: wasm, effect: NoSchedule}"


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """One or two pools with limits, one or two Deployments; and the limits, by pool."""
    text = HEAD.format(seed=draw(st.integers(0, 1000)), later=draw(st.integers(0, 6)))
    limits = {}
    for i in range(draw(st.integers(1, 2))):
        limits[f"pool{i}"] = draw(st.integers(2, 20))
        text += POOL.format(
            i=i,
            weight=draw(st.integers(1, 100)),
            cpu=limits[f"pool{i}"],
            taints=draw(st.sampled_from(["", TAINT])),
            after=draw(st.sampled_from(["0s", "1m", "Never"])),
            policy=draw(st.sampled_from(["WhenEmpty", "WhenEmptyOrUnderutilized"])),
        )
    for i in range(draw(st.integers(1, 2))):
        text += DEPLOYMENT.format(
            i=i,
            replicas=draw(st.integers(0, 6)),
            tolerations=draw(st.sampled_from(["", "{operator: Exists}"])),
            rule=draw(st.sampled_from(["", APART])).format(i=i),
            cpu=draw(st.integers(50, 3500)),
            mib=draw(st.sampled_from([64, 3000])),
        )
    return text, limits


def run_of(text: str) -> LiveRun:
    """The scenario, at its beginning."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "scenario.yaml").write_text(text)
        return LiveRun(load_scenario(Path(folder)))


@settings(max_examples=12, deadline=None)
@given(scenarios())
def test_what_is_bought_is_used_and_within_limits(drawn: tuple[str, dict[str, int]]) -> None:
    """Every node got a pod, and no pool ever had more cores than its limit."""
    text, limits = drawn
    run = run_of(text)
    for minute in range(1, 31):
        run.advance(minute * MINUTE)
        for pool, most in limits.items():
            own = [n for n in run.simulation.store.values(Node) if n.name.startswith(f"{pool}-")]
            assert sum(n.status.capacity["cpu"].value() for n in own) <= most, (minute, pool)
    journal = run.simulation.sim.journal
    made = {fact.node for at, fact in journal.of(InstanceLaunched) if at < 25 * MINUTE}
    used = {fact.node for _, fact in journal.of(PodBound)}
    assert set() == made - used


@settings(max_examples=12, deadline=None)
@given(scenarios())
def test_it_comes_to_rest(drawn: tuple[str, dict[str, int]]) -> None:
    """After a while nothing is bought, given up or moved, and each node has its claim."""
    run = run_of(drawn[0])
    run.advance(45 * MINUTE)
    nodes = [node.name for node in run.simulation.store.values(Node)]
    places = {pod.key: pod.spec.node_name for pod in run.simulation.store.values(Pod)}
    run.advance(60 * MINUTE)
    assert nodes == [node.name for node in run.simulation.store.values(Node)]
    assert places == {pod.key: pod.spec.node_name for pod in run.simulation.store.values(Pod)}
    claims = {claim.name for claim in run.simulation.store.values(NodeClaim)}
    assert {name for name in nodes if name.startswith("pool")} == claims
