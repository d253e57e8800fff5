"""kubelet: makes the pods that are bound to its node real, through CRI, and reports what became of them.

Mirrors: pkg/kubelet.
"""

from kubesim.node.kubelet.kubelet import Kubelet, KubeletConfig

__all__ = ["Kubelet", "KubeletConfig"]
