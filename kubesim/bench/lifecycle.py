"""The first benchmark: pods from create to Ready, through every room of the house.

One hundred nodes, one Deployment of a thousand ordinary pods and one of a thousand Wasm pods; the
controller manager's real rate limit applies, so the run lasts some minutes of virtual time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from kubesim.bench.result import Result, peak_memory_mb, timed
from kubesim.scenario import Scenario
from kubesim.share import share_path

NODES = 50
REPLICAS = 1000

_SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: bench-lifecycle}}
spec:
  seed: 1
  duration: 4m
  nodePools:
    - name: general
      count: {nodes}
      capacity: {{cpu: "16", memory: 64Gi}}
    - name: wasm
      count: {nodes}
      capacity: {{cpu: "16", memory: 64Gi}}
      labels: {{spin: "true"}}
      taints: ["wasm:NoSchedule"]
      runtimes: [runc, spin]
  images:
    - {{name: app, layers: [{{size: 12M}}]}}
    - {{name: greeter, wasm: {{module: {module}, kind: wagi}}}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {{name: spin}}
handler: spin
scheduling:
  nodeSelector: {{spin: "true"}}
  tolerations: [{{key: wasm, operator: Exists}}]
"""

_DEPLOYMENT = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      {runtime}
      containers:
        - name: main
          image: {image}
          resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}
"""


def measure() -> list[Result]:
    """Run it once; a second run would find warm caches and flatter us."""
    module = share_path("scenarios") / "mixed-pool" / "modules" / "greeter" / "greeter.wasm"
    text = _SCENARIO.format(nodes=NODES, module=module)
    text += _DEPLOYMENT.format(name="app", image="app", replicas=REPLICAS, runtime="")
    text += _DEPLOYMENT.format(
        name="greeter", image="greeter", replicas=REPLICAS, runtime="runtimeClassName: spin"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        scenario = Scenario.load(file)
        run, took_s = timed(scenario.run)
    ready = sum(pod["ready"] for pod in run.pods)
    assert ready == 2 * REPLICAS, ready
    return [
        Result(name="pods_per_s", value=ready / took_s, unit="pods/s", higher_is_better=True),
        Result(name="events_per_s", value=run.events / took_s, unit="1/s", higher_is_better=True),
        Result(name="peak_mb", value=peak_memory_mb(), unit="MB", higher_is_better=False),
        Result(
            name="virtual_per_wall",
            value=run.virtual_ns / 1e9 / took_s,
            unit="s/s",
            higher_is_better=True,
        ),
    ]
