"""Whole runs with Karpenter, from a template of a scenario."""

from __future__ import annotations

from pathlib import Path

from kubesim.api.corev1 import Node
from kubesim.facts import EventRecorded, InstanceLaunched
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario

SPEC = """\
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: karpenter}}
spec:
  duration: 60m
  karpenter: {{{karpenter}}}
  cloud: {{{cloud}}}
  nodePools: [{{name: base, count: 0, machine: m5.large}}]
  timeline: [{timeline}]
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {{name: pool}}
spec:
  limits: {{{limits}}}
  template:
    spec:
      requirements: [{requirements}]
      {template}
  disruption: {{{disruption}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}, annotations: {{{annotations}}}}}
    spec:
      {podspec}
      containers: [{{name: web, image: web:v1, resources: {{requests: {{cpu: {cpu}}}}}}}]
{more}
"""
ON_DEMAND = "{key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}"
TO_1 = "{at: 5m, scale: {kind: Deployment, name: web, replicas: 1}}"
TO_0 = "{at: 5m, scale: {kind: Deployment, name: web, replicas: 0}}"


def live(folder: Path, **given: object) -> LiveRun:
    """A run with what was given in place of the usual."""
    usual: dict[str, object] = {
        "cloud": "", "timeline": "", "limits": "", "requirements": ON_DEMAND, "template": "",
        "disruption": "", "replicas": 4, "annotations": "", "podspec": "", "cpu": "900m",
        "more": "", "karpenter": "",
    }  # fmt: skip
    (folder / "scenario.yaml").write_text(SPEC.format(**{**usual, **given}))
    return LiveRun(load_scenario(folder))


def launched(run: LiveRun) -> list[str]:
    return [fact.machine for _, fact in run.simulation.sim.journal.of(InstanceLaunched)]


def events(run: LiveRun, reason: str) -> list[str]:
    recorded = (event for _, event in run.simulation.sim.journal.of(EventRecorded))
    return [event.message for event in recorded if event.reason == reason]


def nodes(run: LiveRun) -> list[Node]:
    return list(run.simulation.store.values(Node))
