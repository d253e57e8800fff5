"""kube-proxy: from a Service's port to one of its endpoints."""

from kubesim.node.proxy.proxy import Backend, KubeProxy

__all__ = ["Backend", "KubeProxy"]
