"""Probes: is a container started, ready, alive?

Mirrors: pkg/kubelet/prober, pkg/probe.
"""

from kubesim.node.kubelet.prober.asking import Asker, PodConnections
from kubesim.node.kubelet.prober.podprober import PodProber, ProberContext

__all__ = ["Asker", "PodConnections", "PodProber", "ProberContext"]
