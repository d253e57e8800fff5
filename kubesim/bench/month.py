"""A month of a small platform: what is quiet must cost nothing, what happens must cost little.

One hundred web pods under a HorizontalPodAutoscaler that has nothing to do; every night a CronJob whose
Job asks for more than there is, so that the Cluster Autoscaler makes nodes and takes them away again. A
loop that ticked would show here: a month has 172,800 sync periods of one autoscaler, and 2,592,000
relists of one kubelet.

Probes are the exception, and have a figure of their own: they use CPU without end, so that with an
autoscaler that goes by CPU every reading of the metrics is news, and none can be passed over.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from kubesim.bench.result import Result, peak_memory_mb, timed
from kubesim.facts import PodBound
from kubesim.scenario import Scenario
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run

DAYS = 30
DAY_S = 86_400

_SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: bench-month}}
spec:
  seed: 1
  duration: {hours}h
  nodePools:
    - {{name: web, count: 10, machine: m5.xlarge}}
    - name: batch
      count: 0
      machine: m5.xlarge
      labels: {{pool: batch}}
      taints: ["batch:NoSchedule"]
      autoscaling: {{min: 0, max: 10}}
  images:
    - {{name: web, layers: [{{size: 40M}}], program: {{service: 2ms, memory: 64M}}}}
    - {{name: job, layers: [{{size: 20M}}], program: {{runTime: 30m}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 100
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: web
          resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}
{probes}---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  minReplicas: 100
  maxReplicas: 200
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec:
  schedule: "0 2 * * *"
  jobTemplate:
    spec:
      parallelism: 10
      completions: 10
      template:
        spec:
          restartPolicy: Never
          nodeSelector: {{pool: batch}}
          tolerations: [{{key: batch, operator: Exists}}]
          containers:
            - {{name: job, image: job, resources: {{requests: {{cpu: "1", memory: 1Gi}}}}}}
"""


_PROBES = """\
          readinessProbe: {httpGet: {path: /, port: 80}}
          livenessProbe: {httpGet: {path: /, port: 80}}
"""


def measure() -> list[Result]:
    """Run the month, and a day with probes, once each."""
    run, took_s = _timed(24 * DAYS)
    bound = sum(1 for _ in run.journal.of(PodBound))
    assert bound >= 100 + 10 * DAYS, bound
    days = run.virtual_ns / SECOND / DAY_S
    _, probed_s = _timed(24, probes=_PROBES)
    return [
        Result(name="month_s", value=took_s, unit="s", higher_is_better=False),
        Result(name="days_per_s", value=days / took_s, unit="d/s", higher_is_better=True),
        Result(name="day_with_probes_s", value=probed_s, unit="s", higher_is_better=False),
        Result(name="pods", value=bound, unit="", higher_is_better=True),
        Result(name="events_per_day", value=run.events / days, unit="1/d", higher_is_better=False),
        Result(name="peak_mb", value=peak_memory_mb(), unit="MB", higher_is_better=False),
    ]


def _timed(hours: int, *, probes: str = "") -> tuple[Run, float]:
    """A run, and how many seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.yaml"
        file.write_text(_SCENARIO.format(hours=hours, probes=probes), encoding="utf-8")
        return timed(Scenario.load(file).run)
