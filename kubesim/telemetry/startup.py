"""The phases of a pod's start, in the order in which a pod lives them.

A phase is what one component spent on the pod; the times between phases are in the phase that
follows. ``PHASES`` is the vocabulary: components emit these names, reports print them in this order.
"""

from __future__ import annotations

PHASES: dict[str, str] = {
    "controller": "the ReplicaSet controller knows what is wanted, until the pod is stored",
    "queue": "stored, until the scheduler takes it out of its queue",
    "schedule": "the scheduling cycle",
    "bind": "the binding call",
    "watch": "bound, until the kubelet hears of it",
    "volumes": "admission, cgroup and mounts",
    "sandbox-network": "network namespace and CNI",
    "sandbox-runtime": "the pause container",
    "pull": "image pulls of all its containers, waiting included",
    "create": "CreateContainer of all its containers",
    "start": "StartContainer of all its containers (includes module, below)",
    "module": "compiling or loading the Wasm module",
    "listen": "from the loaded module until its HTTP trigger listens",
    "pleg": "running, until the kubelet's relist sees it",
    "probe": "seen to run, until its probes say that it is ready",
    "status": "seen, until the API server says Ready",
    "endpoints": "Ready, until kube-proxy has a rule that leads to it",
}
TOTAL = "total"
"""Stored until Ready; for a pod that was never ready, absent."""
