"""Lifecycle of containers: hooks, and how they are ended.

Mirrors: pkg/kubelet/lifecycle, pkg/kubelet/kuberuntime.
"""

from kubesim.node.kubelet.lifecycle.hooks import run_hook
from kubesim.node.kubelet.lifecycle.killing import Killer, grace_seconds

__all__ = ["Killer", "grace_seconds", "run_hook"]
