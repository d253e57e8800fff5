"""Flags of kube-controller-manager, and what throttles a mass scale-out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kubesim.cluster.plugins import SchedulerSetup
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.errors import InputError
from kubesim.facts import StartupPhaseEnded
from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import HOUR, SECOND

SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: mass}}
spec:
  duration: 40s
  nodePools:
    - {{name: n, count: 10, capacity: {{cpu: "64", memory: 256Gi, pods: "1000"}}}}
  images:
    - {{name: "r.example/a:v1", layers: [{{size: 1M}}], program: {{service: 40ms}}}}
  kubeControllerManager: {{{flags}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 500
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: c, image: "r.example/a:v1"}}]}}
"""


def creations(folder: Path, flags: str, *, for_s: int) -> Counter[int]:
    """How many pods were created in each second since somebody wanted 500, as long as said."""
    path = folder / "scenario.yaml"
    path.write_text(SCENARIO.format(flags=flags))
    live = LiveRun(Scenario.load(path))
    per_second: Counter[int] = Counter()

    def count(at_ns: int, fact: object) -> None:
        if isinstance(fact, StartupPhaseEnded) and fact.phase == "controller":
            per_second[(at_ns - fact.began_ns) // SECOND] += 1

    live.simulation.sim.journal.subscribe(count)
    live.advance(for_s * SECOND)
    return per_second


def test_500_pods_come_44_in_the_first_second_and_then_20_a_second(tmp_path: Path) -> None:
    """The default limits are those of the real one, whose timeline was recorded."""
    seen = creations(tmp_path, "", for_s=8)

    assert 43 <= seen[0] <= 45
    assert {19, 20, 21} >= {seen[second] for second in range(2, 7)}


def test_other_limits_are_obeyed(tmp_path: Path) -> None:
    """--kube-api-qps and --kube-api-burst are the controllers'."""
    seen = creations(tmp_path, "kube-api-qps: 40, kube-api-burst: 30", for_s=2)
    assert 60 <= seen[0] <= 70  # Events take some
    assert 500 == creations(tmp_path, "kube-api-qps: -1", for_s=1)[0]


def test_flags_reach_their_controllers(tmp_path: Path) -> None:
    """Workers, grace periods and thresholds come from the flags that are named after them."""
    path = tmp_path / "scenario.yaml"
    flags = (
        "concurrent-replicaset-syncs: 9, concurrent-gc-syncs: 3, node-monitor-grace-period: 20s, "
        "node-monitor-period: 2s, terminated-pod-gc-threshold: 10, kube-api-qps: 0"
    )
    path.write_text(SCENARIO.format(flags=flags))
    config = Scenario.load(path).cluster_config(seed=1, horizon_ns=SECOND).controller_manager

    assert {"replicaset-controller": 9, "generic-garbage-collector": 3} == config.workers
    assert 20 * SECOND == config.node_monitor_grace_period_ns
    assert 2 * SECOND == config.node_monitor_period_ns
    assert 10 == config.terminated_pod_gc_threshold
    assert (5.0, 30) == config.limits


def test_a_flag_that_is_misspelt_is_refused(tmp_path: Path) -> None:
    """A flag that the real one does not have is a mistake with a place."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO.format(flags="concurrent-replicasets-syncs: 9"))

    with pytest.raises(InputError, match="concurrent-replicaset-syncs"):
        Scenario.load(path)


IDLE = """
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: p}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q}
spec: {hard: {pods: "100"}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: monthly}
spec:
  schedule: "0 0 1 * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: c, image: "r.example/a:v1"}]
"""


def test_a_month_in_which_nothing_happens_has_no_events(tmp_path: Path) -> None:
    """Once all pods are up no component does anything until there is something to do."""
    path = tmp_path / "scenario.yaml"
    text = SCENARIO.format(flags="").replace("duration: 40s", "duration: 720h")
    path.write_text(text.replace("replicas: 500", "replicas: 3") + IDLE)
    live = LiveRun(Scenario.load(path))
    live.advance(24 * HOUR)
    before = live.simulation.sim.events_processed
    live.advance(23 * 24 * HOUR)

    assert before == live.simulation.sim.events_processed


def test_the_schedulers_client_has_the_limits_of_its_configuration() -> None:
    """clientConnection.qps and burst; what is left out is 50 and 100, below 0 is no limit."""
    assert (50.0, 100) == SchedulerSetup().limits
    for connection, limits in (
        ({"qps": 10, "burst": 20}, (10.0, 20)),
        ({"qps": -1}, (0.0, 100)),
    ):
        config = KubeSchedulerConfiguration.model_validate({"clientConnection": connection})
        assert limits == SchedulerSetup(config=config).limits
