"""Whole clusters with VerticalPodAutoscalers, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kubesim.api.vpav1 import VerticalPodAutoscaler
from kubesim.scenario import Scenario
from kubesim.scenario.live import LiveRun
from kubesim.sim.time import MINUTE

__all__ = ["autoscaler", "budget", "deployment", "load", "minutes", "recommended"]


def deployment(
    name: str = "web", *, replicas: int = 2, image: str = "app", **resources: dict[str, str]
) -> dict[str, Any]:
    """A Deployment of one container ``main``."""
    labels = {"app": name}
    container = {"name": "main", "image": image, "resources": resources}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def autoscaler(name: str = "web", *, mode: str = "Off", **spec: Any) -> dict[str, Any]:
    """A VerticalPodAutoscaler of the Deployment of that name."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"targetRef": target, "updatePolicy": {"updateMode": mode}, **spec},
    }


def budget(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A PodDisruptionBudget of the Deployment of that name."""
    selector = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": selector, **spec},
    }


def load(
    folder: Path,
    *objects: dict[str, Any],
    hours: float = 2,
    seed: int = 1,
    program: dict[str, Any] | None = None,
    nodes: int = 2,
    **spec: Any,
) -> LiveRun:
    """A run of these objects, at its beginning; ``app`` uses 100m and 180 MB."""
    runs = program or {"cpu": "100m", "memory": "180M"}
    document = {
        "apiVersion": "kubesim.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "vpa"},
        "spec": {
            "seed": seed,
            "duration": f"{round(hours * 60)}m",
            "nodePools": [{"name": "a", "count": nodes, "machine": "m5.large"}],
            "images": [{"name": "app", "layers": [{"size": "10M"}], "program": runs}],
            **spec,
        },
    }
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "scenario.yaml").write_text(yaml.safe_dump(document))
    (folder / "manifests" / "all.yaml").write_text(yaml.safe_dump_all(objects))
    return LiveRun(Scenario.load(folder))


def minutes(live: LiveRun, until: float) -> LiveRun:
    """Let time pass up to that minute."""
    live.advance(round(until * MINUTE))
    return live


def recommended(live: LiveRun, name: str = "web") -> VerticalPodAutoscaler:
    """The autoscaler as it is stored."""
    found = live.simulation.store.get(VerticalPodAutoscaler, f"default/{name}")
    assert found is not None
    return found  # type: ignore[no-any-return]
